"""Corpora with known clues in each clip, and how to find clues in a text."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from emollama.manifest.action_units import units_in
from emollama.probe.vocabulary import clues_in, rendered_clues
from emollama.scoring.metrics.faithfulness import CluesIn
from emollama.scoring.reasons import lexicon

_VOICE = {
    "low pitch": "pitch=low", "high pitch": "pitch=high",
    "slow speech": "rate=slow", "fast speech": "rate=fast",
    "quiet voice": "loudness=quiet", "loud voice": "loudness=loud",
    "flat melody": "range=narrow", "lively melody": "range=wide",
    "ordinary tone": "voice=even",
}  # fmt: skip
"""Words of measured clues of the voice that the probe corpus renders, and its names for them."""


@dataclass(frozen=True)
class KnownClues:
    """`of` reads a clip's clues from `Sample.truth`, None where that does not say; `named_in`
    finds those that a text names, in the same vocabulary.
    """

    of: Callable[[Mapping[str, Any]], set[str] | None]
    named_in: CluesIn


def _rendered(truth: Mapping[str, Any]) -> set[str] | None:
    return rendered_clues(truth) if "face_units" in truth else None


def _named(text: str) -> set[str]:
    """Clues in the phrases of the probe corpus; of the voice in other words, too."""
    told = {c.name for c in lexicon.clues_in(text) if c.channel == "voice" and not c.denied}
    return clues_in(text) | {_VOICE[name] for name in told if name in _VOICE}


def _units(truth: Mapping[str, Any]) -> set[str] | None:
    """Units of the clip and of its peak frame: a reason may name either."""
    found = {*truth.get("units", ()), *truth.get("peak_units", ())}
    return found or None


KNOWN_CLUES: dict[str, KnownClues] = {
    "probe": KnownClues(_rendered, _named),
    "merr-fine": KnownClues(_units, units_in),
    "merr-coarse": KnownClues(_units, units_in),
    "built": KnownClues(_units, units_in),
}
"""By the corpus name in the manifest."""
