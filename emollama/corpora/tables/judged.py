"""What annotators say of a clip as its targets: one label, several at once, or votes."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Sequence
from typing import Literal

from emollama.corpora.tables.rows import Clip, words_of
from emollama.manifest.labels import LabelSet
from emollama.manifest.sample import Targets

Annotators = Literal["majority", "votes"]
"""What several annotators give: the label that most of them chose and the votes, or only these."""


class Judged:
    """Targets of the clips of one table, all in the same form.

    Where any clip has several labels at once, all have `emotions` (1 for those shown, 0 for the
    others of the set) and none has `emotion`. Where several annotators judged, `votes` counts
    them; `emotion` is then the label with the most votes, and missing where two have as many.

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
        self._voted = any(len(clip.labels) > 1 for clip in clips)
        columns = [clip.shown for clip in clips if clip.shown is not None]
        one_hot = all(sum(1 for v in c.values() if v) == 1 for c in columns)
        self._several = any(len(own) > 1 for clip in clips for own in clip.labels)
        self._intensities = bool(columns) and not (
            one_hot and all(v in (0, 1) for c in columns for v in c.values())
        )
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
            found.append(
                f"{self._undecided} clips have no label, because annotators are divided evenly"
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
        if clip.shown is not None:
            shown = {label: clip.shown.get(label, 0.0) for label in self._labels}
            if self._intensities:
                return None, shown, None
            return max(shown, key=lambda label: shown[label]), None, None
        if not clip.labels:
            return None, None, None
        counts = Counter(label for own in clip.labels for label in own)
        votes = {x: float(counts[x]) for x in self._labels if x in counts} if self._voted else None
        if self._several:
            whole = len(clip.labels)
            return None, {x: counts[x] / whole for x in self._labels}, votes
        if self._voted and self._annotators == "votes":
            return None, None, votes
        most = [label for label, n in counts.items() if n == max(counts.values())]
        if len(most) > 1:
            self._undecided += 1
            return None, None, votes
        return most[0], None, votes
