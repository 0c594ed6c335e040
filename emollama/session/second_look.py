"""A longer look for a face where the encoder found none in the few frames that it needs."""

from __future__ import annotations

import numpy as np

from emollama.encoders.base import Encoder, FeatureTrack
from emollama.encoders.crops import FaceFinder
from emollama.encoders.presence import NO_FACE, Absent
from emollama.media.clip import Clip, Frames
from emollama.media.decode import decode_clip
from emollama.media.presence import enough_faces
from emollama.workers.worker import Job, view_of

FRAMES = 24
"""Frames that are looked at before it is said that there is no face."""


def look_again(
    job: Job, encoder: Encoder, finder: FaceFinder
) -> tuple[FeatureTrack, Clip] | Absent:
    """The track of the frames with a face among `FRAMES` of a clip, with them; or how few have one.

    Args:
        job: names the clip and its span.
        encoder: of the face; it gets as many frames as it needs, spread over those with a face.
        finder: of faces.

    Raises:
        MediaError: the file cannot be decoded.
    """
    view = view_of(encoder)
    clip = decode_clip(
        job.video, None, start=job.start, end=job.end, frames=max(FRAMES, view.frames),
        max_side=view.max_side, want_audio=False, fps=job.fps, view=job.view,
    )  # fmt: skip
    if clip.frames is None or not len(clip.frames.images):
        return Absent(NO_FACE)
    images, times = clip.frames.images, clip.frames.times
    faces = finder.find(images)
    seen = np.array([i for i, face in enumerate(faces) if face is not None], dtype=int)
    if not enough_faces(faces):
        # A picture, or a clip of few frames, shows the same frame more than once.
        shown = len(np.unique(times))
        looked = f"{shown} frame{'s' if shown > 1 else ''} looked at"
        few = f"a face was found in only {len(np.unique(times[seen]))} of {looked}"
        return Absent(few if len(seen) else f"no face found in {looked}")
    count = min(len(seen), view.frames)
    chosen = seen[((np.arange(count) + 0.5) * len(seen) / count).astype(int)]
    with_face = Clip(Frames(images[chosen], times[chosen]), None, clip.duration)
    (track,) = encoder.encode([with_face])
    return Absent(NO_FACE) if track is None else (track, with_face)
