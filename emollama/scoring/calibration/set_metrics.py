"""Metrics of sets of labels and calibrated probabilities, with a calibration of other people."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from emollama.manifest.labels import LabelSet
from emollama.scoring.calibration.calibration import ChannelCalibration
from emollama.scoring.calibration.conformal import percent, undecided
from emollama.scoring.metrics.formulas import mean
from emollama.scoring.metrics.label_scores import probability_cases
from emollama.scoring.metrics.measure import Cases, Measure
from emollama.scoring.predictions.prediction import Prediction


@dataclass(frozen=True)
class Sets:
    """A calibration, and the coverage that its sets are for."""

    calibration: ChannelCalibration
    coverage: float

    def of(self, cases: Cases) -> np.ndarray:
        """Bool [n, K], the set of each of `probability_cases`."""
        return self.calibration.sets(cases.answer, self.coverage)


def calibrated_cases(rows: Sequence[Prediction], labels: LabelSet, sets: Sets) -> Cases:
    """As `probability_cases`, with calibrated probabilities."""
    cases = probability_cases(rows, labels)
    temperature = f"temperature {sets.calibration.temperature:.2f}"
    return replace(cases, answer=sets.calibration.probabilities(cases.answer), note=temperature)


def covered(rows: Sequence[Prediction], labels: LabelSet, sets: Sets) -> Measure:
    """The share of clips whose set holds the true label; by person in the detail."""
    cases = probability_cases(rows, labels)
    hit = sets.of(cases)[cases.truth].astype(float)
    people = np.array([row.group or "" for row in cases.rows])
    shares = {str(p): float(hit[people == p].mean()) for p in np.unique(people) if p}
    note = f"sets for {percent(sets.coverage)}"
    if len(shares) > 1:
        lowest = min(shares, key=lambda p: shares[p])
        note += f"; lowest of {len(shares)} people {shares[lowest]:.3f} ({lowest})"
    measure = replace(cases, note=note).bound(lambda w: mean(hit, w))
    return replace(measure, detail={"asked": sets.coverage, "by_group": shares})


def _of_sets(value: Callable[[np.ndarray], np.ndarray]) -> Callable[..., Measure]:
    def build(rows: Sequence[Prediction], labels: LabelSet, sets: Sets) -> Measure:
        cases = probability_cases(rows, labels)
        values = value(sets.of(cases)).astype(float)
        noted = replace(cases, note=f"sets for {percent(sets.coverage)}")
        return noted.bound(lambda w: mean(values, w))

    return build


set_size = _of_sets(lambda sets: sets.sum(axis=1))
"""The mean number of labels in a set."""
abstained = _of_sets(undecided)
"""The share of clips whose set holds more than half of the labels."""
