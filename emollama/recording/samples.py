"""The segments of a recording as samples: `manifest.jsonl`, which every other command reads."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from emollama.manifest.labels import LABEL_SETS, LabelSet, label_set
from emollama.manifest.paths import path_in_manifest
from emollama.manifest.sample import Manifest, Sample, write_manifest
from emollama.recording.parts import Segment

MANIFEST = "manifest.jsonl"
CORPUS = "recording"


def segment_samples(
    segments: Sequence[Segment],
    recording: Path,
    out: Path,
    name: str,
    labels: Sequence[str],
    transcribed: bool,
) -> Manifest:
    """The manifest of a recording's segments, as it will lie in `out`; nothing is written.

    A segment whose person is not seen is a sample of sound alone; one in which they do not speak is
    mute.

    Args:
        segments: of the recording.
        recording: the media file.
        out: folder of the manifest.
        name: of the recording in ids, speakers and groups.
        labels: that the model answers with.
        transcribed: whether words were looked for: then a segment without any says so ("").
    """
    path = out / MANIFEST
    media = path_in_manifest(recording, path)
    samples = [
        Sample(
            id=segment.id,
            video=media if segment.view is not None else None,
            audio=media if segment.view is None else None,
            start=segment.start,
            end=segment.end,
            view=segment.view,
            mute=segment.view is not None and not segment.spoken,
            text=(segment.text or "") if transcribed or not segment.spoken else None,
            speaker=f"{name}-{segment.person}",
            group=name,
        )
        for segment in segments
    ]
    return Manifest(path, CORPUS, _set_of(labels), tuple(samples))


def write_samples(manifest: Manifest) -> None:
    """Write the manifest; its samples have no targets.

    Raises:
        EmollamaError: it cannot be written.
    """
    write_manifest(manifest.path, manifest.corpus, manifest.labels, manifest.samples)


def _set_of(labels: Sequence[str]) -> LabelSet:
    """The named set with these labels, which knows their synonyms; else a set of them alone."""
    known = (found for found in LABEL_SETS.values() if found.labels == tuple(labels))
    return next(known, label_set("of the model", *labels))
