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
from emollama.scoring.report.tables import Table, number


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
                own = calibration.corpus == one.corpus.name and calibration.split == "test"
                if not own:
                    rows.append((title, one.corpus.title, said, *_cells(one, calibration)))
                elif known == "none":
                    rows.append((title, f"{one.corpus.title}, one person left out of the fit",
                                 said, *_left_out(one, calibration)))  # fmt: skip
    if not rows:
        return None
    return Table(
        f"Calibration, and sets of labels for {percent(COVERAGE)} coverage, on people kept back",
        ("model", "corpus", "known", "temperature", "log loss", "ECE", "coverage",
         "labels in a set"),
        tuple(rows),
        "The fusion model was calibrated on RAVDESS's two validation people; the language model "
        "was trained on those, so it was calibrated on the four RAVDESS people kept back: they "
        "have one row, with each left out of the fit in turn. An arrow is before and after the "
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


def _left_out(answers: Answers, calibration: Calibration) -> tuple[str, ...]:
    """What the calibration itself measured on people left out of its fit."""
    found = calibration.of(answers.predictions.headline()[1])
    if found is None or found.left_out is None:
        return ("–", "–", "–", "–", "–")
    nll, ece = found.left_out.nll, found.left_out.ece
    return (
        f"{found.temperature:.2f}",
        f"{number(nll[0])} → {number(nll[1])}",
        f"{number(ece[0])} → {number(ece[1])}",
        f"{number(found.left_out.coverage)} (lowest person {number(found.left_out.lowest)})",
        number(found.left_out.size, 2),
    )
