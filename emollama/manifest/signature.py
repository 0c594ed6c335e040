"""Signatures of the media and the subtitle that features were computed from."""

from __future__ import annotations

import hashlib
import json

from emollama.manifest.sample import Manifest, Sample


def signature(manifest: Manifest, sample: Sample) -> str:
    """Identifies a sample's media: paths as in the manifest, span, part of the
    picture, size, modification time."""
    facts: list[object] = [sample.start, sample.end]
    if sample.fps is not None:  # signatures made before there were folders of frames stay valid
        facts.append(sample.fps)
    if sample.view is not None:  # likewise
        facts.append(list(sample.view))
    if sample.mute:
        facts.append("mute")
    for name in (sample.video, sample.audio):
        if name is None:
            facts.append(None)
            continue
        try:
            status = manifest.media(name).stat()
            facts.append([name, status.st_size, status.st_mtime_ns])
        except (OSError, ValueError):  # not there, or no name that a file can have
            facts.append([name, None])
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:20]


def text_signature(sample: Sample) -> str:
    """Identifies the subtitle of a sample, the only input of a text encoder."""
    return hashlib.sha256(json.dumps(sample.text).encode()).hexdigest()[:20]
