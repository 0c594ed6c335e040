"""A segment's evidence as plain arrays, so that a resumed analysis need not decode it again."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np

from emollama.encoders.base import FeatureTrack
from emollama.fusion.data.raw_media import RawTrack
from emollama.recording.work import Arrays
from emollama.session.observation import Observation, Track, nothing_seen


def to_arrays(observation: Observation) -> Arrays:
    """Tracks, length and remarks of an observation that was made without a description."""
    arrays: Arrays = {}
    tracks: list[list[str | None]] = []
    for i, (source, track) in enumerate(observation.tracks.items()):
        kind = None if track is None else "raw" if isinstance(track, RawTrack) else "feature"
        tracks.append([source, kind])
        if track is not None:
            arrays[f"values{i}"], arrays[f"times{i}"] = track.values, track.times
    about = {
        "duration": observation.duration,
        "notes": list(observation.notes),
        "absent": dict(observation.absent),
        "tracks": tracks,
    }
    return {**arrays, "about": np.array(json.dumps(about))}


def from_arrays(arrays: Arrays) -> Observation:
    """The observation of `to_arrays`."""
    about: dict[str, Any] = json.loads(str(arrays["about"]))
    tracks: dict[str, Track | None] = {}
    for i, (source, kind) in enumerate(about["tracks"]):
        tracks[source] = None
        if kind is not None:
            made = RawTrack if kind == "raw" else FeatureTrack
            tracks[source] = made(arrays[f"values{i}"], arrays[f"times{i}"])
    return replace(
        nothing_seen(),
        duration=about["duration"],
        tracks=tracks,
        notes=tuple(about["notes"]),
        absent=about["absent"],
    )
