"""What is wrong with a contestant: six known biases, each by a stated rule.

A rule asks for an interval beyond a stated size of the effect, so that neither chance nor a slight
preference is called a bias. How often each misses a bias, and finds one in vain, is measured by
`python -m benchmarks.arena.errors`.

- **always LABEL**: more than `MOST` of all clips get one label although no more than half show it:
  the 95 % interval (Clopper and Pearson's) of the share lies above `MOST`.
- **first label**, **last label**: the answer stands in the first (last) place in more than `MOST`
  of the orders, of which every clip has its own: the interval lies above `MOST`. Without a
  preference for places it is one in K, whatever the answer.
- **words only**, **voice only**, **face only**: taking the channel away changes more answers than
  another wording does (lower end of the interval more than `CHANGES` above that share), taking any
  other away does not (upper ends less than `STAYS` above it).
- **random**: another wording gives the same answer no more often than chance, which is what the
  labels' shares alone would give (Cohen's kappa; upper end of its bootstrap interval below
  `AGREES`), although no label is so frequent that chance alone agrees in `SKEWED` of the clips.

A rule that needs more clips or questions than there are says nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import beta

from emollama.manifest.channels import CHANNELS, Channel
from emollama.scoring.metrics.bootstrap import Draws
from emollama.scoring.metrics.formulas import ratio
from emollama.scoring.metrics.measure import ends, estimates

LEVEL = 0.95
MOST, CHANGES, STAYS, AGREES, SKEWED = 0.6, 0.25, 0.15, 0.3, 0.5
LEAST_CLIPS = 25
"""Fewer clips than this are not diagnosed: no interval is narrow enough for `STAYS`."""
Label = str | None
_RESAMPLES = 500


@dataclass(frozen=True)
class Behaviour:
    """What a contestant did with n clips.

    Attributes:
        truth: the true labels.
        answers: to the first question about each.
        worded: to the other prompts, a row [n] each.
        ordered: to all orders, a row [n] each, the first one among them.
        orders: the labels in these orders: [orders][n].
        without: by the channel taken away, answers before and after, of clips that have it.
    """

    truth: Sequence[Label]
    answers: Sequence[Label]
    worded: Sequence[Sequence[Label]]
    ordered: Sequence[Sequence[Label]]
    orders: Sequence[Sequence[Sequence[str]]]
    without: Mapping[Channel, tuple[Sequence[Label], Sequence[Label]]]


@dataclass(frozen=True)
class Finding:
    """A bias and the numbers that it was found by, in words."""

    bias: str
    why: str


def diagnosed(behaviour: Behaviour) -> list[Finding] | None:
    """All biases that the rules find; [] for none, None where there are too few clips to say."""
    if len(behaviour.answers) < LEAST_CLIPS:
        return None
    found = [_always(behaviour), *_places(behaviour), *_one_channel(behaviour), _random(behaviour)]
    return [one for one in found if one is not None]


def clopper_pearson(hits: int, total: int) -> tuple[float, float]:
    """The exact interval of a share at `LEVEL`; (0, 1) of nothing."""
    tail = (1 - LEVEL) / 2
    low = float(beta.ppf(tail, hits, total - hits + 1)) if hits else 0.0
    high = float(beta.ppf(1 - tail, hits + 1, total - hits)) if hits < total else 1.0
    return low, high


def _share(hits: int, total: int) -> str:
    low, high = clopper_pearson(hits, total)
    return f"{hits} of {total} (95 % interval {low:.2f} to {high:.2f})"


def _always(seen: Behaviour) -> Finding | None:
    named = [label for label in seen.answers if label is not None]
    if not named:
        return None
    label, hits = Counter(named).most_common(1)[0]
    true = sum(truth == label for truth in seen.truth)
    if clopper_pearson(hits, len(seen.answers))[0] <= MOST or 2 * true > len(seen.truth):
        return None
    share = _share(hits, len(seen.answers))
    return Finding(f"always {label}", f"{label} is the answer to {share} clips and true of {true}")


def _places(seen: Behaviour) -> list[Finding | None]:
    if len(seen.ordered) < 2:
        return []
    pairs = [
        (answer, named)
        for answers, orders in zip(seen.ordered, seen.orders, strict=True)
        for answer, named in zip(answers, orders, strict=True)
        if answer is not None
    ]
    found: list[Finding | None] = []
    for name, place in (("first label", 0), ("last label", -1)):
        hits = sum(answer == named[place] for answer, named in pairs)
        biased = bool(pairs) and clopper_pearson(hits, len(pairs))[0] > MOST
        why = f"it is the answer in {_share(hits, len(pairs))} orders" if biased else ""
        found.append(Finding(name, why) if biased else None)
    return found


def changes(before: Sequence[Label], after: Sequence[Label]) -> np.ndarray:
    """Whether each answer is another one, or none, float [n]; clips without a first one are out."""
    return np.array(
        [float(a != b) for a, b in zip(before, after, strict=True) if a is not None], float
    )


def _one_channel(seen: Behaviour) -> list[Finding | None]:
    changed = {c: changes(*seen.without[c]) for c in CHANNELS if c in seen.without}
    if len(changed) < 2 or any(len(values) < LEAST_CLIPS for values in changed.values()):
        return []
    ends = {c: clopper_pearson(int(v.sum()), len(v)) for c, v in changed.items()}
    worded = [changes(seen.answers, row) for row in seen.worded]
    noise = float(np.mean([v.mean() for v in worded if len(v)])) if worded else 0.0
    found: list[Finding | None] = []
    for channel in changed:
        others = [c for c in changed if c != channel]
        moved = ends[channel][0] > noise + CHANGES
        if moved and all(ends[c][1] < noise + STAYS for c in others):
            told = ", ".join(
                f"without {c} {_share(int(changed[c].sum()), len(changed[c]))}" for c in changed
            )
            why = f"answers change {told}; with another wording {noise:.2f}"
            found.append(Finding(f"{channel} only", why))
    return found


@dataclass(frozen=True)
class Agreement:
    """Cohen's kappa of two rows of answers, with its interval and the agreement by chance."""

    kappa: float
    low: float
    high: float
    chance: float


def agreement(first: Sequence[Label], second: Sequence[Label]) -> Agreement | None:
    """How far two rows of answers to the same clips agree; clips are drawn for the interval.

    None where there are fewer than two clips with both answers, or where all are one label.
    """
    pairs = [(a, b) for a, b in zip(first, second, strict=True) if a is not None and b is not None]
    names = sorted({label for pair in pairs for label in pair})
    if len(pairs) < 2 or len(names) < 2:
        return None
    code = {name: k for k, name in enumerate(names)}
    left, right = (np.eye(len(names))[[code[p[k]] for p in pairs]] for k in (0, 1))
    same = (left * right).sum(1)

    def chance(weights: np.ndarray) -> np.ndarray:
        return np.asarray(((weights @ left) * (weights @ right)).sum(1) / weights.sum(1) ** 2)

    def kappa(weights: np.ndarray) -> np.ndarray:
        alike = chance(weights)
        return ratio(weights @ same / weights.sum(1) - alike, 1 - alike)

    units = np.arange(len(pairs))
    (value, alike), drawn = estimates([kappa, chance], units, Draws(resamples=_RESAMPLES))
    found, low, high = ends(value, drawn[:, 0])
    if found is None or low is None or high is None:
        return None
    return Agreement(found, low, high, float(alike))


def _random(seen: Behaviour) -> Finding | None:
    found = [agreement(seen.answers, other) for other in seen.worded]
    known = [one for one in found if one is not None]
    if not known or len(known) < len(found):
        return None
    if any(one.high >= AGREES or one.chance >= SKEWED for one in known):
        return None
    told = ", ".join(f"{one.kappa:.2f} [{one.low:.2f}, {one.high:.2f}]" for one in known)
    return Finding("random", f"kappa of its answers to two wordings is {told}")
