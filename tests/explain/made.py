"""Hand-made models whose true explanation is known."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from emollama.runs.subject import Modality, Steps, View


class Made:
    """Two labels; the first one's score is a function of what is shown.

    Clips have a voice of `length` steps, a tenth of a second apart, and words of one step.
    """

    labels = ("happy", "sad")
    modalities = (Modality("voice", "voice", ("voice",)), Modality("words", "words", ("words",)))
    tracks = ("voice", "words")
    several = False

    def __init__(
        self, score: Callable[[int, np.ndarray, bool], float], clips: int = 1, length: int = 12
    ) -> None:
        self.score, self.clips, self.length = score, clips, length
        self.asked = 0

    def steps(self, row: int) -> dict[str, Steps]:
        return {
            "voice": Steps("voice", "voice", 0.05 + 0.1 * np.arange(self.length)),
            "words": Steps("words", "words", np.zeros(1)),
        }

    def present(self, row: int) -> frozenset[str]:
        return frozenset(("voice", "words"))

    def scores(self, views: Sequence[View]) -> np.ndarray:
        self.asked += len(views)
        found = []
        for view in views:
            shown = np.full(self.length, "voice" in view.present)
            shown &= ~np.asarray(view.hidden.get("voice", np.zeros(self.length)), bool)
            p = self.score(view.row, shown, "words" in view.present)
            found.append((p, 1 - p))
        return np.array(found)

    def maps(self, row: int) -> dict[str, np.ndarray]:
        return {}
