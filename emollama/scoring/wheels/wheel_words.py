"""From an emotion word to its category on a wheel, as published and corrected."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from emollama.scoring.wheels.wheel_tables import WheelTables

NEUTRAL = "neutral"


def split_words(text: str) -> tuple[str, ...]:
    """Words of an answer written as text, cut exactly as the published scorers cut it.

    One leading '[' and one trailing ']' go, the rest is split at quotes and commas; pieces are
    stripped and empty ones dropped. "don't care" becomes "don" and "t care".
    """
    inner = text.removeprefix("[").removesuffix("]")
    return tuple(piece.strip() for piece in re.split("['\",]", inner) if piece.strip())


@dataclass(frozen=True)
class Published:
    """The published mapping, its accidents included.

    A word goes through forms and synonyms to a list of table words; the first in alphabetical
    order that this wheel holds decides. So "fear" is *joyful* with the 2025 tables, because
    "fearless" lists it as a form and *brave* comes before *fear*. Unknown words are dropped.
    """

    tables: WheelTables
    level: int

    @cached_property
    def _maps(self) -> list[dict[str, str]]:
        return [wheel.published(self.level) for wheel in self.tables.wheels]

    @cached_property
    def _known(self) -> dict[str, list[str]]:
        """Words looked up before: a file repeats the same few."""
        return {}

    def category(self, word: str, wheel: int, clean: bool = True) -> str | None:
        """The category on wheel 0..4, or None; `clean` lower-cases and strips first."""
        key = word.lower().strip() if clean else word
        if key not in self._known:
            self._known[key] = self.tables.candidates(key)
        places = self._maps[wheel]
        return next((places[w] for w in self._known[key] if w in places), None)

    def categories(self, words: Iterable[str], wheel: int, clean: bool = True) -> frozenset[str]:
        """Categories of several words, those without one left out."""
        found = (self.category(w, wheel, clean) for w in words)
        return frozenset(c for c in found if c is not None)


@dataclass(frozen=True)
class Corrected:
    """The mapping with the published one's defects repaired; the same tables, no others.

    1. *Neutral* is a category of its own on every wheel.
    2. A word that the wheel itself holds stays where the wheel puts it, and so does the one form
       of it that the wheel holds (surprise: surprised).
    3. Any other word goes where the table words are that it is a synonym of: the innermost ring
       that holds any of them decides, in it the most of them; the alphabet breaks ties only. The
       word itself is looked up before names that it is only a form of, and a name that says the
       opposite ("fearless" for "fear") is not one.
    4. A word without a place is a category of its own. It is not dropped: as a gold word it can
       still be named, as a predicted one it still costs precision.
    """

    tables: WheelTables
    level: int

    @cached_property
    def _maps(self) -> list[dict[str, str]]:
        return [wheel.own(self.level) for wheel in self.tables.wheels]

    @cached_property
    def _rings(self) -> list[dict[str, int]]:
        return [wheel.rings() for wheel in self.tables.wheels]

    def category(self, word: str, wheel: int) -> str:
        """The category on wheel 0..4; never None."""
        if (word, wheel) not in self._known:
            self._known[word, wheel] = self._look_up(word, wheel)
        return self._known[word, wheel]

    @cached_property
    def _known(self) -> dict[tuple[str, int], str]:
        return {}

    def _look_up(self, word: str, wheel: int) -> str:
        key = " ".join(word.lower().split()).strip(" .!?;:")
        if self._is_neutral(key):
            return NEUTRAL
        places = self._maps[wheel]
        if key in places:
            return places[key]
        names = self.tables.forms.get(key, frozenset())
        forms = {places[n] for n in self._kin(key) if n in places}
        if len(forms) == 1:
            return forms.pop()
        rings = self._rings[wheel]
        opposites = {key + "less", key.removesuffix("less")} - {key}
        for tried in ({key}, names - opposites):
            near = [w for n in tried for w in self.tables.synonyms.get(n, ()) if w in places]
            if near:
                inmost = min(rings[w] for w in near)
                votes = Counter(places[w] for w in near if rings[w] == inmost)
                return min(votes, key=lambda c: (-votes[c], c))
        return f"({key})"

    def _kin(self, key: str) -> set[str]:
        """Words that list `key` as a form and that `key` as a name lists as one."""
        forms = self.tables.forms
        return {n for n in forms.get(key, ()) if key in forms.get(n, ())}

    def _is_neutral(self, key: str) -> bool:
        return key in (NEUTRAL, "neutrality", "neutrally")

    def categories(self, words: Iterable[str], wheel: int) -> frozenset[str]:
        """Categories of several words; blank ones say nothing."""
        return frozenset(self.category(w, wheel) for w in words if w.strip())
