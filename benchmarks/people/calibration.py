"""How well the shipped models' probabilities and sets of labels hold on people kept back."""

from __future__ import annotations

from pathlib import Path

from benchmarks.people.results import KNOWN, MODELS, Answers, read_answers
from emollama.base.paths import CALIBRATION_FILE
from emollama.scoring.calibration.calibration import Calibration, read_calibration
from emollama.scoring.calibration.conformal import COVERAGE, percent
from emollama.scoring.calibration.set_metrics import Sets
from emollama.scoring.metrics.context import Context
from emollama.scoring.metrics.registry import METRICS
from emollama.scoring.predictions.prediction import set_name
from emollama.scoring.report.cells import Table, number


def calibration_table(folder: Path, shipped: Path) -> Table | None:
    """Temperature, error before and after, and sets; None where no model is calibrated."""
    rows = []
    for model, title in MODELS.items():
        path = shipped / model / CALIBRATION_FILE
        if not path.is_file():
            continue
        calibration = read_calibration(path)
        for known, said in KNOWN.items():
            for one in read_answers(folder, model, known):
                rows.append((title, one.corpus.title, said, *_cells(one, calibration)))
    if not rows:
        return None
    return Table(
        f"Calibration, and sets of labels for {percent(COVERAGE)} coverage, on people kept back",
        ("model", "corpus", "known", "temperature", "log loss", "ECE", "coverage",
         "labels in a set"),
        tuple(rows),
        "Calibrated on RAVDESS's two validation people. An arrow is before and after the "
        "temperature. 'Not calibrated': those channels were not answered.",
    )  # fmt: skip


def _cells(answers: Answers, calibration: Calibration) -> tuple[str, ...]:
    channels = answers.predictions.headline()[1]
    found = calibration.of(channels)
    if found is None:
        return (f"not calibrated: {set_name(channels)}", "–", "–", "–", "–")
    labels, rows = answers.predictions.header.labels, answers.rows()
    context = Context(labels, sets=Sets(found, COVERAGE))

    def value(name: str) -> float | None:
        return METRICS[name].within(context)(rows).value()

    return (
        f"{found.temperature:.2f}",
        f"{number(value('nll'))} → {number(value('nll_calibrated'))}",
        f"{number(value('ece'))} → {number(value('ece_calibrated'))}",
        number(value("coverage")), number(value("set_size"), 2),
    )  # fmt: skip
