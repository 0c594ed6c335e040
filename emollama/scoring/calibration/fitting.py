"""Fitting a calibration on the predictions of validation people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from emollama.base.errors import EmollamaError
from emollama.scoring.calibration.calibration import Calibration, ChannelCalibration, LeftOut
from emollama.scoring.calibration.conformal import (
    COVERAGE,
    ODDNESSES,
    Oddness,
    label_sets,
    oddness,
    require_coverage,
    threshold,
)
from emollama.scoring.calibration.temperature import fit_temperature, tempered
from emollama.scoring.metrics import formulas
from emollama.scoring.metrics.label_scores import probability_cases
from emollama.scoring.predictions.prediction import Prediction
from emollama.scoring.predictions.predictions import Predictions

PARTS = 50
"""At most so many parts of people are left out, one after the other."""
_DIGITS = 1e6


@dataclass(frozen=True)
class _Known:
    """Clips of known truth: scores float and truth bool [n, K], people int [n]."""

    scores: np.ndarray
    truth: np.ndarray
    people: np.ndarray

    def where(self, kept: np.ndarray) -> _Known:
        return _Known(self.scores[kept], self.truth[kept], self.people[kept])


def fit_calibration(
    held: Predictions, people: Mapping[str, str] | None = None, coverage: float = COVERAGE
) -> Calibration:
    """The calibration of the first system, for each set of channels that it answered with.

    The kind of oddness is the one whose sets are smaller, among those that reach `coverage` on
    people who were left out of the fit.

    Args:
        held: predictions of validation people; rows with a reference and scores count.
        people: of each id, where rows have no group.
        coverage: see `require_coverage`.

    Raises:
        EmollamaError: nothing to fit on, or a clip of an unknown person.
    """
    require_coverage(coverage)
    system, labels = held.systems()[0], held.header.labels
    found = []
    for channels in held.channel_sets(system):
        cases = probability_cases(held.select(channels, system), labels)
        if cases.rows:
            names = [_person(row, people) for row in cases.rows]
            codes = np.unique(np.array(names), return_inverse=True)[1]
            known = _Known(cases.answer, cases.truth, codes)
            shown = cases.truth.any(axis=0)
            unseen = [x for x, there in zip(labels.labels, shown, strict=True) if not there]
            found.append((channels, known, tuple(unseen)))
    if not found:
        raise EmollamaError(
            "a calibration needs rows with a reference and scores, one label a clip; none has both"
        )
    return Calibration(
        labels=labels.labels,
        coverage=coverage,
        predictions=held.sha256 or "",
        corpus=held.header.corpus,
        split=held.header.split,
        sets=tuple(_fitted(c, known, unseen, coverage) for c, known, unseen in found),
    )


def _person(row: Prediction, people: Mapping[str, str] | None) -> str:
    found = row.group or (people or {}).get(row.id)
    if found is None:
        where = "the manifest names nobody for it" if people else "name them with --manifest"
        raise EmollamaError(f"id '{row.id}': has no group that says who it is of; {where}")
    return found


def _fitted(
    channels: Sequence[str], known: _Known, unseen: tuple[str, ...], coverage: float
) -> ChannelCalibration:
    temperature = fit_temperature(known.scores, known.truth)
    tried = _left_out(known, coverage)
    kind: Oddness = ODDNESSES[0]
    if tried:
        # An oddness that falls short is worth less than any that does not.
        kind = min(tried, key=lambda k: (tried[k].coverage < coverage, tried[k].size))
    return ChannelCalibration(
        channels=tuple(channels),  # type: ignore[arg-type]
        temperature=temperature,
        oddness=kind,
        people=_by_person(known, temperature, kind),
        unseen=unseen,
        left_out=tried.get(kind),
    )


def _by_person(known: _Known, temperature: float, kind: Oddness) -> tuple[tuple[float, ...], ...]:
    """How odd the true label of each person's clips was; rounded up, so that none is left out."""
    odd = oddness(tempered(known.scores, temperature), kind)[known.truth]
    odd = np.ceil(np.round(odd * _DIGITS, 3)) / _DIGITS
    codes = range(int(known.people.max()) + 1)
    return tuple(tuple(np.sort(odd[known.people == code]).tolist()) for code in codes)


def _left_out(known: _Known, coverage: float) -> dict[Oddness, LeftOut]:
    """Measures on people who were left out, by kind of oddness; {} with one person."""
    count = int(known.people.max()) + 1
    if count == 1:
        return {}
    part = known.people % min(count, PARTS)
    probabilities = np.empty_like(known.scores)
    sets = {kind: np.zeros(known.truth.shape, bool) for kind in ODDNESSES}
    for number in np.unique(part):
        out = part == number
        rest = known.where(~out)
        temperature = fit_temperature(rest.scores, rest.truth)
        probabilities[out] = tempered(known.scores[out], temperature)
        for kind in ODDNESSES:
            people = [p for p in _by_person(rest, temperature, kind) if p]
            limit = threshold(people, coverage)
            sets[kind][out] = label_sets(probabilities[out], kind, limit)
    once = np.ones((1, len(part)))
    before, after = (
        [float(f(known.truth, p, once)[0]) for f in (formulas.nll, formulas.ece)]
        for p in (known.scores, probabilities)
    )
    found: dict[Oddness, LeftOut] = {}
    for kind, held in sets.items():
        covered = held[known.truth]
        found[kind] = LeftOut(
            coverage=float(covered.mean()),
            lowest=min(float(covered[known.people == p].mean()) for p in range(count)),
            size=float(held.sum(axis=1).mean()),
            nll=(before[0], after[0]),
            ece=(before[1], after[1]),
        )
    return found
