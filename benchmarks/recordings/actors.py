"""The filmed people of a scene: who speaks plays their clip, who is silent is frozen or looped."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image

from benchmarks.recordings.utterances import Clip, Speech, read_speech
from emollama.media.decode import decode_clip
from emollama.probe.render import FPS
from emollama.probe.staging import WIDTH, frame_number
from emollama.probe.turn_taking import Placed

_LEAD = 0.3  # seconds of silence that a loop needs at least
_BEFORE = 0.1  # seconds before the first word at which lips may move already


class Actor:
    """One person's picture over a scene; frames must be asked for in order.

    Args:
        clips: all that the person could say.
        placed: what they say in this scene, sorted by start.
        looped: while silent, play the silent beginning of a clip to and fro, not a still.
        size: width and height of the panel in pixels.
    """

    def __init__(
        self,
        clips: Sequence[Clip],
        placed: Sequence[Placed[Speech]],
        looped: bool,
        size: tuple[int, int],
    ) -> None:
        self._placed = list(placed)
        self._next = 0
        self._playing: np.ndarray | None = None
        self._from = 0
        idle = _silent_part(clips) if looped else _first_frame(placed[0].said.clip)
        self._idle = fitted(idle, *size)
        self._looped, self._size = looped, size

    def frame(self, number: int) -> np.ndarray:
        """uint8 [height, width, 3]."""
        while self._next < len(self._placed) and number >= frame_number(
            self._placed[self._next].start
        ):
            placed = self._placed[self._next]
            self._from, self._next = frame_number(placed.start), self._next + 1
            start = placed.said.start
            playing = _frames(placed.said.clip, start, start + placed.seconds)
            self._playing = fitted(playing, *self._size)
        if self._playing is not None:
            if number - self._from < len(self._playing):
                return self._playing[number - self._from]
            if not self._looped:
                self._idle = self._playing[-1:]
            self._playing = None
        there = number % max(2 * len(self._idle) - 2, 1)
        return self._idle[min(there, 2 * len(self._idle) - 2 - there)]


def fitted(frames: np.ndarray, width: int, height: int) -> np.ndarray:
    """Frames scaled to the height: cut at both sides, or with black bars where too narrow.

    Args:
        frames: uint8 [N, h, w, 3].
        width: of the panel in pixels.
        height: of the panel.

    Returns:
        uint8 [N, height, width, 3].
    """
    scaled = round(frames.shape[2] * height / frames.shape[1])
    panels = np.zeros((len(frames), height, width, 3), np.uint8)
    extra = (scaled - width) // 2
    for panel, frame in zip(panels, frames, strict=True):
        whole = Image.fromarray(frame).resize((scaled, height), Image.Resampling.BILINEAR)
        if extra >= 0:
            panel[:] = np.asarray(whole)[:, extra : extra + width]
        else:
            panel[:, -extra : -extra + scaled] = np.asarray(whole)
    return panels


def _frames(clip: Clip, start: float, end: float) -> np.ndarray:
    """uint8 [N, h, w, 3], `FPS` a second."""
    count = max(round((end - start) * FPS), 1)
    decoded = decode_clip(
        clip.path, start=start, end=end, frames=count, want_audio=False, max_side=WIDTH
    )
    assert decoded.frames is not None
    return decoded.frames.images


def _first_frame(clip: Clip) -> np.ndarray:
    return _frames(clip, 0.0, 1 / FPS)


def _silent_part(clips: Sequence[Clip]) -> np.ndarray:
    """The frames of the longest silence before a first word; a still where all are short."""
    spoken = [(read_speech(clip).start - _BEFORE, clip) for clip in clips]
    seconds, clip = max(spoken, key=lambda pair: (pair[0], pair[1].name))
    return _frames(clip, 0.0, seconds) if seconds >= _LEAD else _first_frame(clip)
