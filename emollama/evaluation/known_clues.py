"""Corpora with known clues in each clip, and how to find clues in a text."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from emollama.manifest.action_units import units_in
from emollama.probe.vocabulary import (
    PHRASES,
    PROSODY_LEVELS,
    channel_of,
    clues_in,
    rendered_clues,
)
from emollama.scoring.metrics.hallucination import Vocabulary
from emollama.scoring.reasons import lexicon

_VOICE = {
    "low pitch": "pitch=low", "high pitch": "pitch=high",
    "slow speech": "rate=slow", "fast speech": "rate=fast",
    "quiet voice": "loudness=quiet", "loud voice": "loudness=loud",
    "flat melody": "range=narrow", "lively melody": "range=wide",
    "ordinary tone": "voice=even",
}  # fmt: skip
"""Words of measured clues of the voice that the probe corpus renders, and its names for them."""
_PHRASES_ONLY = {c for c in PHRASES if c in ("face=still", "voice=even") or c.startswith("words=")}


@dataclass(frozen=True, kw_only=True)
class KnownClues(Vocabulary):
    """The vocabulary of a corpus whose clips' clues are known: `of` reads them from `Sample.truth`,
    by the same names; None where that does not say.
    """

    of: Callable[[Mapping[str, Any]], set[str] | None]


def _rendered(truth: Mapping[str, Any]) -> set[str] | None:
    return rendered_clues(truth) if "face_units" in truth else None


def _named(text: str) -> set[str]:
    """Clues that a text affirms, in any words; of the sentence, a still face and an ordinary voice
    in the phrases of the probe corpus. Measures of the voice that it does not render are left out.
    """
    found = {clue for clue in clues_in(text) if clue in _PHRASES_ONLY}
    for clue in lexicon.clues_in(text):
        if clue.channel == "face" and not clue.denied:
            found.add(clue.name.replace("AU0", "AU"))
        elif clue.name in _VOICE and not clue.denied:
            found.add(_VOICE[clue.name])
    return found


def _units(truth: Mapping[str, Any]) -> set[str] | None:
    """Units of the clip and of its peak frame: a reason may name either."""
    found = {*truth.get("units", ()), *truth.get("peak_units", ())}
    return found or None


_OPPOSITE = {
    f"{name}={one}": f"{name}={other}"
    for name, (low, _, high) in PROSODY_LEVELS.items()
    for one, other in ((low, high), (high, low))
}
_PROBE = KnownClues(named_in=_named, channel=channel_of, opposite=_OPPOSITE, of=_rendered)
_MERR = KnownClues(named_in=units_in, channel=channel_of, of=_units)

KNOWN_CLUES: dict[str, KnownClues] = {
    "probe": _PROBE,
    "merr-fine": _MERR,
    "merr-coarse": _MERR,
    "built": _MERR,
}
"""By the corpus name in the manifest."""


def vocabulary_of(corpus: str) -> Vocabulary | None:
    """The clues of a corpus by name; None where its clips' clues are not known."""
    return KNOWN_CLUES.get(corpus)
