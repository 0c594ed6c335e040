"""Where the people of a scene are seen: side by side, or each filling the picture in turn."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

import numpy as np

from emollama.probe.render import FPS
from emollama.probe.scene_truth import Box, Shown, TrueTurn

WIDTH, HEIGHT = 640, 360
_BACKDROP = 24

SIDE_BY_SIDE, CUT = "side by side", "cut"

Panel = Callable[[str, int], np.ndarray]
"""From a person and the number of a frame to uint8 [h, w, 3], of the size of the person's box."""


def side_by_side(people: Sequence[str], seconds: float) -> tuple[Shown, ...]:
    """Everybody in a column of their own, all the time."""
    edges = np.linspace(0, 1, len(people) + 1).tolist()
    boxes: list[Box] = [(a, 0.0, b, 1.0) for a, b in pairwise(edges)]
    return tuple(Shown(0.0, seconds, p, box) for p, box in zip(people, boxes, strict=True))


def cut_between(turns: Sequence[TrueTurn], seconds: float) -> tuple[Shown, ...]:
    """Whoever begins to speak fills the picture until somebody else begins."""
    shown: list[Shown] = []
    for turn in turns:
        if shown and shown[-1].person == turn.person:
            continue
        start = round(turn.start * FPS) / FPS if shown else 0.0
        if shown:
            last = shown.pop()
            shown.append(Shown(last.start, start, last.person, last.box))
        shown.append(Shown(start, seconds, turn.person, (0.0, 0.0, 1.0, 1.0)))
    return tuple(shown)


def cut_times(shown: Sequence[Shown]) -> tuple[float, ...]:
    """Times at which the picture passes from one set of people to another."""
    return tuple(sorted({part.start for part in shown if part.start > 0}))


def staged(shown: Sequence[Shown], seconds: float, panel: Panel) -> Iterator[np.ndarray]:
    """The frames of a scene, uint8 [`HEIGHT`, `WIDTH`, 3], `FPS` a second."""
    for number in range(round(seconds * FPS)):
        picture = np.full((HEIGHT, WIDTH, 3), _BACKDROP, np.uint8)
        for part in shown:
            if frame_number(part.start) <= number < frame_number(part.end):
                left, top, right, bottom = pixels(part.box)
                picture[top:bottom, left:right] = panel(part.person, number)
        yield picture


def frame_number(seconds: float) -> int:
    """The frame that is shown from this time on."""
    return round(seconds * FPS)


def pixels(box: Box) -> tuple[int, int, int, int]:
    """Left, top, right and bottom in pixels of the picture."""
    left, top, right, bottom = box
    return round(left * WIDTH), round(top * HEIGHT), round(right * WIDTH), round(bottom * HEIGHT)
