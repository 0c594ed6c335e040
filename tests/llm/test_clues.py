"""Words for measured clues, and the rules that a model keeps."""

from __future__ import annotations

import numpy as np

from emollama.encoders.base import FeatureTrack
from emollama.encoders.prosody import COLUMNS
from emollama.llm.clues import MORE_VOICE_RULES, ClueWords
from emollama.llm.training.config import ReasonSection

CLIPS = [np.full((1, len(COLUMNS)), value, np.float32) for value in (-1.0, 0.0, 1.0)]


def track(**columns: float) -> dict[str, FeatureTrack | None]:
    values = np.zeros((1, len(COLUMNS)), np.float32)
    for name, value in columns.items():
        values[0, COLUMNS.index(name)] = value
    return {"prosody": FeatureTrack(values, np.zeros(1, np.float32))}


def test_every_rule_has_a_column_and_says_which_way() -> None:
    words = ClueWords.fit({"prosody": (COLUMNS, CLIPS)}, MORE_VOICE_RULES)
    for rule in MORE_VOICE_RULES:
        for value, expected in ((-2.0, rule.low), (2.0, rule.high)):
            assert words.describe(track(**{rule.column: value})) == {"voice": expected}
    assert words.describe(track()) == {"voice": "ordinary tone"}


def test_a_model_keeps_the_rules_that_it_was_trained_with() -> None:
    """An artefact written before there were more rules has none in its file."""
    heard = track(f0_mean=2.0, pause_fraction=2.0)
    cases = ((ReasonSection(), "high pitch"),
             (ReasonSection(from_clues=True), "high pitch, many pauses"))  # fmt: skip
    for section, expected in cases:
        words = ClueWords.fit({"prosody": (COLUMNS, CLIPS)}, section.voice_rules)
        assert ClueWords.from_dict(words.to_dict()).describe(heard) == {"voice": expected}
    old = words.to_dict()
    del old["prosody"]["rules"]
    assert ClueWords.from_dict(old).describe(heard) == {"voice": "high pitch"}
