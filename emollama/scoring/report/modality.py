"""The modality report: what a system makes of each set of channels, and whom it follows.

Everything here is computed from one predictions file that holds a pass for each channel set. Two
questions: does each channel help (the score with it present and without), and where the channels
of one clip show different emotions, whose emotion is the answer?
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Unpack

import numpy as np

from emollama.manifest.labels import LabelSet
from emollama.scoring.metrics.bootstrap import Draws
from emollama.scoring.metrics.measure import NO_ANSWER, Difference, Score, mean_score
from emollama.scoring.metrics.scores import evaluate, paired_difference, require_metric
from emollama.scoring.predictions.prediction import Prediction, set_name
from emollama.scoring.predictions.predictions import Predictions


@dataclass(frozen=True)
class Comparison:
    """Two passes or two systems, a minus b, in words and in numbers."""

    a: str
    b: str
    difference: Difference


@dataclass(frozen=True)
class Lone:
    """Clips on which one channel shows another emotion than the others, which agree.

    `followed_it` and `followed_others` are shares of the answers; the rest followed neither.
    """

    channel: str
    followed_it: Score
    followed_others: Score


@dataclass(frozen=True)
class Conflicts:
    """Whom a system follows on clips whose channels do not all show one emotion.

    Attributes:
        system: who answered.
        channels: the channels that were present.
        followed: for each channel the share of answers that name its emotion; where two channels
            agree against a third the shares add up to more than 1.
        none: share of answers that name no channel's emotion (parse failures among them).
        intended: the same shares for the reference: what the right answer follows.
        lone: for each channel, the clips on which it stands alone.
    """

    system: str
    channels: tuple[str, ...]
    followed: dict[str, Score]
    none: Score
    intended: dict[str, Score]
    lone: tuple[Lone, ...]


@dataclass(frozen=True)
class ModalityRow:
    """One channel set: each system's score, and the model's gain over the baseline."""

    channels: tuple[str, ...]
    scores: dict[str, Score]
    gain: Difference | None


@dataclass(frozen=True)
class ModalityReport:
    """Scores of every channel set, all channels against the best single one, and conflicts.

    `fusion_gain` holds, for each system, all channels minus its best single channel. The best
    single channel is picked on the scored samples themselves, which can only make it look better:
    the gain is understated if anything.
    """

    metric: str
    rows: tuple[ModalityRow, ...]
    fusion_gain: dict[str, Comparison]
    conflicts: tuple[Conflicts, ...]


def modality_report(
    predictions: Predictions,
    systems: Sequence[str],
    metric: str = "weighted_f1",
    **draws: Unpack[Draws],
) -> ModalityReport:
    """Compare channel sets of the first of `systems` (the model), the others beside it.

    `ModalityRow.gain` is the first system minus the second on the same channels.
    """
    require_metric(metric)
    labels = predictions.header.labels
    passes = {s: [c for c in predictions.channel_sets(s) if c] for s in systems}
    passes = {s: found for s, found in passes.items() if found}
    every = sorted({c for found in passes.values() for c in found}, key=_rank)
    rows = []
    for channels in every:
        answered = {s: predictions.select(channels, s) for s in passes if channels in passes[s]}
        scores = {
            s: evaluate(rows_, labels, [metric], **draws)[metric] for s, rows_ in answered.items()
        }
        gain = None
        if len(systems) > 1 and systems[0] in answered and systems[1] in answered:
            one, two = (answered[s] for s in systems[:2])
            gain = paired_difference(one, two, metric, labels, **draws)
        rows.append(ModalityRow(channels, scores, gain))
    gains: dict[str, Comparison] = {}
    conflicts = []
    for system, found in passes.items():
        full = found[-1]
        whole = predictions.select(full, system)
        singles = [c for c in found if len(c) == 1 and set(c) < set(full)]
        table = {row.channels: row.scores.get(system) for row in rows}
        if singles:
            best = max(singles, key=lambda c: _value(table[c]))
            gains[system] = Comparison(
                set_name(full),
                set_name(best),
                paired_difference(whole, predictions.select(best, system), metric, labels, **draws),
            )
        clash = channel_conflicts(whole, labels, **draws)
        if clash is not None:
            conflicts.append(clash)
    return ModalityReport(metric, tuple(rows), gains, tuple(conflicts))


def _rank(channels: tuple[str, ...]) -> tuple[int, list[int]]:
    order = ("voice", "face", "words")
    return len(channels), [order.index(c) for c in channels]


def _value(score: Score | None) -> float:
    return -1.0 if score is None or score.value is None else score.value


def channel_conflicts(
    predictions: Sequence[Prediction],
    labels: LabelSet,
    **draws: Unpack[Draws],
) -> Conflicts | None:
    """Whom the answers follow where the channels present disagree; None where no clip tells.

    Args:
        predictions: one system's rows with one channel set. The channels compared are those
            present whose emotion any row's `truth` tells; rows that do not tell all of them are
            left out.
        labels: the label set.
        draws: see `Draws`.
    """
    rows = sorted(predictions, key=lambda p: p.id)
    told = [
        c for c in (rows[0].channels if rows else ()) if any(c in (p.truth or {}) for p in rows)
    ]
    rows = [p for p in rows if p.truth and all(c in p.truth for c in told)]
    total = len(rows)
    if len(told) < 2 or not rows:
        return None
    code = {label: k for k, label in enumerate(labels.labels)}
    shown = np.array([[code[(p.truth or {})[c]] for c in told] for p in rows])
    clash = (shown != shown[:, :1]).any(axis=1)
    if not clash.any():
        return None
    shown = shown[clash]
    rows = [p for p, taken in zip(rows, clash, strict=True) if taken]
    answer = np.array([-1 if p.label is None else code[p.label] for p in rows])
    intended = np.array([-2 if p.reference is None else code[p.reference] for p in rows])
    groups = np.array([p.group for p in rows], dtype=object)
    unread, every = answer == -1, np.full(len(rows), True)

    def share(hits: np.ndarray, among: np.ndarray = every) -> Score:
        missed = int(unread[among].sum())
        failures = {NO_ANSWER: missed} if missed else {}
        values, drawn = hits[among].astype(float), groups[among].tolist()
        return mean_score(values, total, failures, drawn, **draws)

    lone = []
    for k, channel in enumerate(told):
        others = np.delete(shown, k, axis=1)
        alone = (others == others[:, :1]).all(axis=1) & (others[:, 0] != shown[:, k])
        if len(told) > 2 and alone.any():
            its, theirs = (answer == side for side in (shown[:, k], others[:, 0]))
            lone.append(Lone(channel, share(its, alone), share(theirs, alone)))
    known = intended >= 0
    right = {c: share(intended == shown[:, k], known) for k, c in enumerate(told)}
    return Conflicts(
        system=rows[0].system,
        channels=tuple(told),
        followed={c: share(answer == shown[:, k]) for k, c in enumerate(told)},
        none=share(~(shown == answer[:, None]).any(axis=1)),
        intended={c: replace(score, failures={}) for c, score in right.items()},
        lone=tuple(lone),
    )
