"""Frames and face positions for encoders of the face."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from emollama.media.clip import Frames
from emollama.media.faces import Face, FaceDetector, prominence


class FaceFinder:
    """The speaker's face in each frame of a clip; a second, finer search where none is found."""

    @cached_property
    def _detectors(self) -> tuple[FaceDetector, FaceDetector]:
        # The second look, for clips where the first finds nothing: a person far away.
        nets = FaceDetector.from_asset()
        return nets, FaceDetector(nets.nets, smallest=0.08, max_side=480)

    def find(self, images: np.ndarray) -> list[Face | None]:
        """One face, or None, per frame; `images` is uint8 [N, H, W, 3] RGB."""
        return [max(faces, key=prominence, default=None) for faces in self.find_all(images)]

    def find_all(self, images: np.ndarray) -> list[list[Face]]:
        """Every face of each frame."""
        faces: list[list[Face]] = []
        for detector in self._detectors:
            faces = detector.detect_all(images)
            if any(faces):
                break
        return faces


def spread(frames: Frames, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Images and times of `count` frames; of more, those at the centres of equal parts.

    A clip is decoded once for all encoders, so it may have more frames than one needs.
    """
    images, times = frames.images, frames.times
    if len(images) > count:
        chosen = ((np.arange(count) + 0.5) * len(images) / count).astype(int)
        images, times = images[chosen], times[chosen]
    return images, times
