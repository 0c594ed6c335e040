"""A row of the table of metrics, and what metrics need in addition to the rows of a file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from emollama.base.errors import EmollamaError
from emollama.endpoints.judge import Judge
from emollama.manifest.labels import LabelSet
from emollama.scoring.calibration.set_metrics import Sets
from emollama.scoring.metrics.measure import Cases, Formula, Measure
from emollama.scoring.metrics.synonyms import Groups
from emollama.scoring.predictions.prediction import Prediction
from emollama.scoring.wheels.wheel_tables import WheelTables

Rows = Sequence[Prediction]


@dataclass(frozen=True)
class Context:
    """What metrics need in addition to the rows.

    Attributes:
        labels: the file's label set.
        wheel: emotion-wheel tables, for the wheel metrics.
        thresholds: of each label, fitted on validation rows.
        judge: who marks explanations.
        synonyms: of each clip, groups of words that mean the same there.
        sets: a calibration fitted on other people.
    """

    labels: LabelSet
    wheel: WheelTables | None = None
    thresholds: dict[str, float] | None = None
    judge: Judge | None = None
    synonyms: Groups | None = None
    sets: Sets | None = None

    def calibrated(self) -> Sets:
        """The calibration, or what to do about it."""
        if self.sets is None:
            raise EmollamaError(
                "metrics of sets of labels and calibrated probabilities need --calibration FILE, "
                "which `emollama calibrate` writes"
            )
        return self.sets

    def tables(self) -> WheelTables:
        """The wheel tables, or what to do about it."""
        if self.wheel is None:
            raise EmollamaError(
                "the emotion-wheel metrics need --wheel DIR, the folder of their tables "
                "(format.csv, synonym.xlsx, wheel1..5.xlsx, as MERTools publishes them)"
            )
        return self.wheel

    def groups(self) -> Groups:
        """The groups of synonyms, or what to do about it."""
        if self.synonyms is None:
            raise EmollamaError(
                "MER2024-OV needs --synonyms PATH: the folder of <name>.npy files that MERTools "
                "stores, or JSON {name: [[word, ...], ...]}"
            )
        return self.synonyms

    def asked(self) -> Judge:
        """The judge, or what to do about it."""
        if self.judge is None:
            raise EmollamaError(
                "clue and label overlap need a judge: give --judge-url URL and "
                "--judge-model NAME, or "
                "--judge-folder DIR"
            )
        return self.judge


Build = Callable[[Rows, Context], Measure]
"""Rows to a metric over them."""
Read = Callable[[Rows, Context], Cases]
"""Rows to truth and answers."""


@dataclass(frozen=True)
class Metric:
    """One row of the table.

    Attributes:
        title: for tables.
        needs: what a row must hold, a key of `NEEDS`.
        build: rows to the metric over them.
        what: what it is, in one clause.
        publisher: who defined it or ranks by it, where their code or paper says how; each number
            under the name of code is held against what that code gave (golden/published.json).
        lower_is_better: as an error is.
        beside: names shown with it whenever it is asked for.
        short: a title for narrow columns, where there is another.
    """

    title: str
    needs: str
    build: Build
    what: str
    publisher: str = ""
    lower_is_better: bool = False
    beside: tuple[str, ...] = ()
    short: str = ""

    def within(self, context: Context) -> Callable[[Rows], Measure]:
        """Rows to the metric over them, with what it needs beside them given."""
        return lambda rows: self.build(rows, context)


def over(read: Read, formula: Formula) -> Build:
    """A metric that is a formula over truth and answers, as `read` takes them from rows."""
    return lambda rows, context: read(rows, context).measure(formula)
