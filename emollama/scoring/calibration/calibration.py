"""calibration.json: temperature and conformal scores of a model, for each set of channels."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from emollama.base.errors import EmollamaError
from emollama.base.files import read_json, write_text
from emollama.base.paths import CALIBRATION_FILE
from emollama.manifest.channels import Channel
from emollama.scoring.calibration.conformal import (
    COVERAGE,
    Oddness,
    label_sets,
    people_needed,
    percent,
    require_coverage,
    threshold,
)
from emollama.scoring.calibration.temperature import COLDEST, WARMEST, tempered
from emollama.scoring.predictions.prediction import set_name

CALIBRATION_VERSION = 1


class _Stored(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class LeftOut(_Stored):
    """What was measured on validation people who were left out of the fit, one after the other.

    `lowest` is the coverage of the person it was lowest for, `size` the mean number of labels in a
    set; `nll` and `ece` are before and after the temperature.
    """

    coverage: float
    lowest: float
    size: float
    nll: tuple[float, float]
    ece: tuple[float, float]


class ChannelCalibration(_Stored):
    """The calibration of answers from one set of channels.

    Attributes:
        channels: that the answers are from.
        temperature: see `tempered`.
        oddness: how odd a label is, see `conformal`.
        people: of each person, unnamed, how odd the true label of every clip was, ascending.
        unseen: labels that no clip showed.
        left_out: None with one person.
    """

    channels: tuple[Channel, ...]
    temperature: float = Field(ge=COLDEST * 0.99, le=WARMEST * 1.01)
    oddness: Oddness
    people: tuple[tuple[float, ...], ...] = Field(min_length=1)
    unseen: tuple[str, ...] = ()
    left_out: LeftOut | None = None

    @property
    def clips(self) -> int:
        """Clips fitted on."""
        return sum(len(person) for person in self.people)

    def probabilities(self, scores: np.ndarray) -> np.ndarray:
        """Calibrated probabilities [n, K] of label scores [n, K].

        Raises:
            EmollamaError: a score that is not finite.
        """
        if not np.isfinite(scores).all():
            raise EmollamaError("label scores must be finite numbers to be calibrated")
        return tempered(scores, self.temperature)

    def sets(self, scores: np.ndarray, coverage: float) -> np.ndarray:
        """The labels of each clip's set, bool [n, K], of label scores [n, K].

        Raises:
            EmollamaError: see `probabilities` and `require_coverage`.
        """
        limit = threshold(self.people, require_coverage(coverage))
        return label_sets(self.probabilities(scores), self.oddness, limit)

    def promise(self, coverage: float) -> str:
        """What the sets promise for a new person, in one sentence."""
        count, needed = len(self.people), people_needed(coverage)
        told = f"{percent(coverage)} coverage"
        if count >= needed:
            return f"{told} is promised on average over new people like the {count} calibrated on"
        if count == 1:
            return f"calibrated on one person: nothing is known of others ({needed} are needed)"
        return (
            f"{told} is not promised for a new person: {needed} people are needed, {count} "
            f"were calibrated on; the sets are as wide as the widest of theirs"
        )


class Calibration(_Stored):
    """The content of calibration.json.

    Attributes:
        version: of the layout.
        labels: the label set.
        coverage: at which the kind of oddness was chosen.
        predictions: SHA-256 of the predictions file that it was fitted on.
        corpus: of that file.
        split: of that file.
        sets: one for each set of channels.
    """

    version: int = CALIBRATION_VERSION
    labels: tuple[str, ...]
    coverage: float = Field(default=COVERAGE, gt=0, lt=1)
    predictions: str = ""
    corpus: str = ""
    split: str = ""
    sets: tuple[ChannelCalibration, ...] = Field(min_length=1)

    def of(self, channels: Sequence[str]) -> ChannelCalibration | None:
        """The calibration of answers from exactly these channels; None without one."""
        return next((one for one in self.sets if set(one.channels) == set(channels)), None)

    @property
    def known(self) -> str:
        """The sets of channels in words."""
        return "; ".join(set_name(one.channels) for one in self.sets)

    def require(self, channels: Sequence[str]) -> ChannelCalibration:
        """As `of`; an `EmollamaError` without one."""
        found = self.of(channels)
        if found is None:
            raise EmollamaError(
                f"answers from {set_name(channels)} were not calibrated, only from: {self.known}"
            )
        return found


def in_row(scores: Mapping[str, float], labels: Sequence[str]) -> np.ndarray:
    """Scores as float [1, K], in the order of the labels."""
    return np.array([[scores[label] for label in labels]], dtype=float)


def write_calibration(path: Path, calibration: Calibration) -> None:
    """Write it, atomically: a line for each set of channels."""
    values = calibration.model_dump(mode="json")
    lines = ",\n".join(json.dumps(one, ensure_ascii=False) for one in values.pop("sets"))
    head = json.dumps(values, ensure_ascii=False)[:-1]
    write_text(path, f'{head}, "sets": [\n{lines}\n]}}\n')


def read_calibration(path: Path, labels: Sequence[str] | None = None) -> Calibration:
    """Read it, or that of a folder.

    Args:
        path: the file, or the folder of an artefact that holds it.
        labels: those of the model that it is for; None for any.

    Raises:
        EmollamaError: it cannot be read, or is of other labels.
    """
    path = path / CALIBRATION_FILE if path.is_dir() else path
    value = read_json(path)
    version = value.get("version") if isinstance(value, dict) else None
    if version != CALIBRATION_VERSION:
        raise EmollamaError(
            f"{path}: is not a calibration of version {CALIBRATION_VERSION}; make it anew with "
            "`emollama calibrate`"
        )
    try:
        found = Calibration.model_validate(value)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise EmollamaError(f"{path}: '{key}': {first['msg']}") from error
    if any(not person for one in found.sets for person in one.people):
        raise EmollamaError(f"{path}: holds a person without clips")
    if labels is not None and set(labels) != set(found.labels):
        raise EmollamaError(
            f"{path}: is of the labels {', '.join(found.labels)}, the model has "
            f"{', '.join(labels)}; calibrate it anew with `emollama calibrate`"
        )
    return found
