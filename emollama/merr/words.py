"""Stage `words`: similarity of the transcript to example sentences of each emotion."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from emollama.merr.build import Build, Counts, Item
from emollama.merr.fill import Plan, each, fill
from emollama.merr.measure.tools import TRANSCRIPT
from emollama.merr.stagefile import Row
from emollama.merr.tables import read_table

WORDS = "words"


class Sentences:
    """Compares texts with the sentences of `tables/words.yaml` by sentence vectors.

    Args:
        encoder: a sentence encoder by name, e.g. "all-minilm-l6-v2".
    """

    def __init__(self, encoder: str) -> None:
        from emollama.base.quiet import quiet_libraries
        from emollama.encoders.table import parse_encoder

        quiet_libraries()
        self._encoder = parse_encoder(encoder)
        self.table: dict[str, list[str]] = read_table("words")["emotions"]

    @property
    def fingerprint(self) -> str:
        """A hash of weights and sentences."""
        return f"{self._encoder.fingerprint[:16]}:{sorted(self.table.items())}"

    @cached_property
    def _anchors(self) -> dict[str, np.ndarray]:
        return {label: np.stack([self._vector(t) for t in texts])
                for label, texts in self.table.items()}  # fmt: skip

    def _vector(self, text: str) -> np.ndarray:
        from emollama.media.clip import Clip

        track = self._encoder.encode([Clip(None, None, 0.0, text=text)])[0]
        assert track is not None, "there is a text"
        vector = track.values.mean(axis=0)
        return np.asarray(vector / max(float(np.linalg.norm(vector)), 1e-9))

    def similar(self, text: str) -> dict[str, float]:
        """Mean cosine similarity with each emotion's sentences."""
        vector = self._vector(text)
        return {label: round(float((anchors @ vector).mean()), 4)
                for label, anchors in self._anchors.items()}  # fmt: skip


def run_words(build: Build) -> Counts:
    """Similarities of each transcript; None without a transcript, or if words have no weight."""
    counted = build.settings.evidence.words > 0
    sentences = Sentences(build.settings.evidence.sentences) if counted else None

    def compare(item: Item) -> Row:
        text = item.rows[TRANSCRIPT]["text"]
        similar = sentences.similar(text) if sentences and text else None
        return {"status": "ok", "similar": similar}

    options = sentences.fingerprint if sentences else None
    return fill(build, Plan(WORDS, (TRANSCRIPT,), 1, options), each(compare))
