"""Predictions files: what every score is a pure function of.

A predictions file is JSON Lines. The first line is the header,
`{"predictions": {"version": 1, "labels": {...}, "corpus": ..., ...}}`; each further line is one
`Prediction`. One file may hold several passes over a sample, each with another set of channels
present and each by another system (the model, a logistic regression): a row is named by
(id, channels, system). The modality report needs nothing but such a file.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from emollama.base.errors import EmollamaError
from emollama.base.files import read_jsonl, write_jsonl
from emollama.manifest.channels import CHANNELS, Channel
from emollama.manifest.labels import LabelSet
from emollama.scoring.predictions.checks import checked_answers
from emollama.scoring.predictions.prediction import MODEL, Prediction, set_name

PREDICTIONS_VERSION = 1
SUM_TOLERANCE = 1e-3
_TRUTHS = (
    "reference", "reference_values", "reference_labels", "reference_votes", "reference_words",
)  # fmt: skip
"""What is true of a sample, whoever answers."""


class Header(BaseModel):
    """What is true of every row of a predictions file.

    `split_sha256` is of the split file, where the manifest's own splits were not used; `model` is
    the model's name or path, `config_hash` that of its effective configuration; `seed` is that of
    the evaluation, `training_seed` the model's where it is known and another one;
    `settings` holds what a reader of the table should know of each system, e.g. the
    regularisation that a baseline chose.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: int = PREDICTIONS_VERSION
    labels: LabelSet
    corpus: str = ""
    split: str = ""
    split_sha256: str | None = None
    model: str = ""
    config_hash: str = ""
    seed: int = 0
    training_seed: int | None = None
    settings: dict[str, str] = Field(default_factory=dict)


@dataclass(frozen=True)
class Predictions:
    """A header and its rows; `path` and `sha256` where they were read from a file.

    `parts` are the files that were pooled, none where it is one file.
    """

    header: Header
    rows: tuple[Prediction, ...]
    path: Path | None = None
    sha256: str | None = None
    parts: tuple[Predictions, ...] = ()

    def systems(self) -> list[str]:
        """Names of the systems that answered, the model first, then in order of appearance."""
        return sorted(dict.fromkeys(r.system for r in self.rows), key=lambda s: s != MODEL)

    def channel_sets(self, system: str = MODEL) -> list[tuple[Channel, ...]]:
        """The channel sets of one system: fewer channels first, then voice, face, words."""
        found = {r.channels for r in self.rows if r.system == system}
        return sorted(found, key=lambda s: (len(s), [CHANNELS.index(c) for c in s]))

    def headline(self) -> tuple[str, tuple[Channel, ...]]:
        """What is scored: the first system, with its largest set of channels."""
        system = self.systems()[0]
        return system, self.channel_sets(system)[-1]

    def select(self, channels: Sequence[str], system: str = MODEL) -> list[Prediction]:
        """The rows of one system with exactly these channels present."""
        wanted = tuple(c for c in CHANNELS if c in channels)
        return [r for r in self.rows if r.system == system and r.channels == wanted]

    def beside(self, other: Predictions) -> Predictions:
        """These predictions with the rows of `other` systems on the same samples beside them.

        Rows of `other` on samples that are not here are left out.

        Raises:
            EmollamaError: another label set, no sample in common, a row or a reference that
                contradicts one here.
        """
        mine, theirs = self.path or "the predictions", other.path or "the baselines"
        if self.header.labels.labels != other.header.labels.labels:
            raise EmollamaError(
                f"{theirs}: its labels ({', '.join(other.header.labels.labels)}) differ from "
                f"those of {mine} ({', '.join(self.header.labels.labels)})"
            )
        ids = {r.id for r in self.rows}
        kept = [(f"{theirs}: row {n}", r) for n, r in enumerate(other.rows, 1) if r.id in ids]
        if not kept:
            raise EmollamaError(f"{theirs}: has no sample in common with {mine}")
        own = [(f"{mine}: row {n}", r) for n, r in enumerate(self.rows, 1)]
        settings = {**other.header.settings, **self.header.settings}
        return Predictions(
            self.header.model_copy(update={"settings": settings}),
            tuple(_checked([*own, *kept], self.header.labels)),
            self.path,
            self.sha256,
        )


def write_predictions(path: Path, header: Header, rows: Iterable[Prediction]) -> None:
    """Write a predictions file atomically; it is read back the same by `read_predictions`.

    What the reader would refuse (a duplicate row, a label outside the set, probabilities that
    are not finite) is refused here too, before anything is written.
    """
    checked = _checked(((f"{path}: row {n}", r) for n, r in enumerate(rows, 1)), header.labels)

    def lines() -> Iterator[dict[str, Any]]:
        yield {"predictions": header.model_dump(mode="json")}
        for row in checked:
            yield row.model_dump(mode="json", exclude_none=True)

    write_jsonl(path, lines())


def read_predictions(path: Path) -> Predictions:
    """Read and validate a predictions file.

    Raises:
        EmollamaError: naming file and line: no header, an unknown version or field, a duplicate
            (id, channels, system), a label outside the header's label set, probabilities that
            are not finite or do not sum to 1, a sample with two different references.
    """
    lines = list(read_jsonl(path))
    if not lines:
        raise EmollamaError(f"{path}: is empty; a predictions file begins with a header line")
    header = _read_header(path, *lines[0])

    def rows() -> Iterator[tuple[str, Prediction]]:
        for number, value in lines[1:]:
            where = f"{path}:{number}"
            try:
                yield where, Prediction.model_validate(value)
            except ValidationError as error:
                raise EmollamaError(f"{where}: {first_problem(error)}") from error

    checked = _checked(rows(), header.labels)
    if not checked:
        raise EmollamaError(f"{path}: holds no predictions, only a header")
    return Predictions(header, tuple(checked), path, hashlib.sha256(path.read_bytes()).hexdigest())


def _read_header(path: Path, number: int, line: dict[str, Any]) -> Header:
    value = line.get("predictions")
    if not isinstance(value, dict):
        raise EmollamaError(
            f"{path}:{number}: the first line must be the header "
            '{"predictions": {"version": ..., "labels": ...}}; the output of a public system '
            "needs --reader"
        )
    if value.get("version") != PREDICTIONS_VERSION:
        raise EmollamaError(
            f"{path}:{number}: predictions version {value.get('version')} is not supported; "
            f"this release reads version {PREDICTIONS_VERSION}"
        )
    try:
        return Header.model_validate(value)
    except ValidationError as error:
        raise EmollamaError(f"{path}:{number}: header: {first_problem(error)}") from error
    except EmollamaError as error:
        raise EmollamaError(f"{path}:{number}: header: {error}") from error


def first_problem(error: ValidationError) -> str:
    """What is wrong first, in one line."""
    first = error.errors()[0]
    key = ".".join(str(part) for part in first["loc"])
    return f"'{key}': {first['msg']}" if key else str(first["msg"])


def _checked(rows: Iterable[tuple[str, Prediction]], labels: LabelSet) -> list[Prediction]:
    """Rows with canonical labels, or an `EmollamaError` that begins with the row's place."""
    checked: list[Prediction] = []
    seen: dict[tuple[str, tuple[str, ...], str], str] = {}
    references: dict[str, tuple[str, Prediction]] = {}
    for where, raw in rows:
        row = _with_labels(where, raw, labels)
        key = (row.id, row.channels, row.system)
        if key in seen:
            raise EmollamaError(
                f"{where}: id '{row.id}' with channels {set_name(row.channels)} by "
                f"'{row.system}' is already at {seen[key]}; each may occur once"
            )
        seen[key] = where
        before, first = references.setdefault(row.id, (where, row))
        for name in _TRUTHS:
            here, there = getattr(row, name), getattr(first, name)
            if here != there:
                raise EmollamaError(
                    f"{where}: id '{row.id}' has {name} {here!r} here and {there!r} "
                    f"at {before}; a sample can have only one"
                )
        checked.append(row)
    return checked


def _with_labels(where: str, row: Prediction, labels: LabelSet) -> Prediction:
    place = f"{where}: id '{row.id}'"
    if row.label is not None and row.parse_failure is not None:
        raise EmollamaError(
            f"{place}: has a label and a parse_failure; it must have only one of them"
        )
    if row.reference is not None and row.label is None and row.parse_failure is None:
        raise EmollamaError(
            f"{place}: has neither label nor parse_failure; say why there is no label"
        )
    update: dict[str, Any] = {}
    for name, value in (("reference", row.reference), ("label", row.label)):
        if value is not None:
            update[name] = labels.require(value, f"{place}: {name}")
    if row.truth is not None:
        update["truth"] = {
            c: labels.require(v, f"{place}: truth.{c}") for c, v in row.truth.items()
        }
    if row.scores is not None:
        update["scores"] = _checked_scores(place, row.scores, labels)
    update |= checked_answers(place, row, labels)
    if row.latency_ms is not None and not (math.isfinite(row.latency_ms) and row.latency_ms >= 0):
        raise EmollamaError(f"{place}: latency_ms must be a finite number of milliseconds")
    return row.model_copy(update=update)


def _checked_scores(place: str, scores: dict[str, float], labels: LabelSet) -> dict[str, float]:
    if set(scores) != set(labels.labels):
        odd = sorted(set(scores) ^ set(labels.labels))
        state = "is not in" if odd[0] in scores else "is missing; it is in"
        raise EmollamaError(
            f"{place}: scores: '{odd[0]}' {state} label set '{labels.name}'; "
            "scores must name each of its labels"
        )
    for label, value in scores.items():
        if not math.isfinite(value):
            raise EmollamaError(f"{place}: scores.{label} is {value}; it must be finite")
        if not 0 <= value <= 1 + SUM_TOLERANCE:
            raise EmollamaError(f"{place}: scores.{label} is {value}; it must be in 0..1")
    total = math.fsum(scores.values())
    if abs(total - 1) > SUM_TOLERANCE:
        raise EmollamaError(f"{place}: scores sum to {total:.4f}; they must sum to 1")
    return {label: scores[label] for label in labels.labels}
