"""What annotators say of a clip as its targets: one label, several at once, or votes."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Literal

from emollama.corpora.tables.rows import Clip, words_of
from emollama.manifest.labels import LabelSet
from emollama.manifest.sample import Targets

Annotators = Literal["majority", "votes"]
"""What several annotators give: the label that most of them chose and the votes, or only these."""

_ROUNDED = 0.02  # by which shares of two decimals may miss their sum of 1


class Judged:
    """Targets of the clips of one table, all in the same form.

    Where any clip has several labels at once, all have `emotions` (1 for those shown, 0 for the
    others of the set) and none has `emotion`. Where several annotators judged, `votes` counts
    them; `emotion` is then the label with the most votes, and missing where two have as many. A
    column a label holds 0 and 1, votes (whole numbers above 1, or shares that sum to 1), or else
    intensities.

    Args:
        clips: all of the table.
        labels: the label set.
        annotators: "votes" gives no `emotion` where several annotators judged.

    Attributes:
        notes: for the report, once all targets were asked for.
    """

    def __init__(self, clips: Sequence[Clip], labels: LabelSet, annotators: Annotators) -> None:
        self._labels = labels.labels
        self._annotators = annotators
        columns = [clip.shown for clip in clips if clip.shown is not None]
        counted = _are_votes(columns)
        self._voted = counted or any(len(clip.labels) > 1 for clip in clips)
        self._several = any(len(own) > 1 for clip in clips for own in clip.labels)
        one_hot = all(_is_one_hot(column) for column in columns)
        self._intensities = bool(columns) and not counted and not one_hot
        self._undecided = 0

    @property
    def notes(self) -> list[str]:
        """Lines about what the labels have become."""
        found = []
        if self._several or self._intensities:
            found.append("several labels a clip: targets.emotions, and no single label")
        if self._voted:
            found.append("votes of several annotators: targets.votes")
        if self._undecided:
            whose = "clip has" if self._undecided == 1 else "clips have"
            found.append(
                f"{self._undecided} {whose} no label, because annotators are divided evenly"
            )
        return found

    def targets(self, clip: Clip) -> Targets:
        """The targets of a clip."""
        mean = {name: statistics.fmean(values) for name, values in clip.numbers.items()}
        words = words_of(clip.cells.get("words", "")) or None
        emotion, emotions, votes = self._of_labels(clip)
        return Targets(
            emotion=emotion,
            emotions=emotions,
            votes=votes,
            words=words,
            reason=clip.cells.get("reason"),
            sentiment=mean.get("sentiment"),
            valence=mean.get("valence"),
            arousal=mean.get("arousal"),
        )

    def _of_labels(
        self, clip: Clip
    ) -> tuple[str | None, dict[str, float] | None, dict[str, float] | None]:
        """`emotion`, `emotions` and `votes`."""
        if clip.shown is not None:
            counts = {label: clip.shown.get(label, 0.0) for label in self._labels}
            if self._intensities:
                return None, counts, None
        else:
            counter = Counter(label for own in clip.labels for label in own)
            counts = {label: float(counter[label]) for label in self._labels}
        if not any(counts.values()):
            return None, None, None
        votes = {x: n for x, n in counts.items() if n} if self._voted else None
        if self._several:
            whole = len(clip.labels)
            return None, {x: n / whole for x, n in counts.items()}, votes
        if self._voted and self._annotators == "votes":
            return None, None, votes
        most = [label for label, n in counts.items() if n == max(counts.values())]
        if len(most) > 1:
            self._undecided += 1
            return None, None, votes
        return most[0], None, votes


def _is_one_hot(column: Mapping[str, float]) -> bool:
    return sorted(value for value in column.values() if value) == [1]


def _are_votes(columns: Sequence[Mapping[str, float]]) -> bool:
    """Whether numbers count votes: all whole and some above 1, or shares of a whole."""
    values = [value for column in columns for value in column.values()]
    if all(value == int(value) for value in values):
        return any(value > 1 for value in values)
    return all(abs(sum(column.values()) - 1) < _ROUNDED for column in columns)
