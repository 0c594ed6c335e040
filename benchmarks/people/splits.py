"""The language model on RAVDESS's three splits, each actor measured against themselves.

python -m benchmarks.people.splits            # the table from the committed answers
python -m benchmarks.people.splits --collect  # copy the answers from runs/ravdess

For each split a, b, c and KNOWN (4, all), results/people holds ravdess-llm-SPLIT-KNOWN.jsonl and
its -baseline.jsonl, of `emollama evaluate ravdess` with `data.enrol=KNOWN`.
"""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

from benchmarks.people.collecting import copy_predictions
from benchmarks.people.results import RESULTS
from emollama.base.errors import EmollamaError, one_line_errors
from emollama.evaluation.results import BASELINE_FILE, PREDICTIONS_FILE
from emollama.manifest.channels import Channel
from emollama.manifest.labels import LabelSet
from emollama.scoring.metrics.formulas import uar
from emollama.scoring.metrics.label_scores import label_cases
from emollama.scoring.metrics.measure import Measure, paired, scored
from emollama.scoring.predictions.prediction import Prediction, set_name
from emollama.scoring.predictions.predictions import read_predictions
from emollama.scoring.report.cells import Table
from emollama.scoring.report.tables import table_markdown

SPLITS = "abc"
SAID = {"all": "all their clips (transductive)", "4": "4 of their clips"}
CHANNELS: tuple[tuple[Channel, ...], ...] = (("voice", "face"), ("voice",), ("face",))
MODEL, REGRESSION, LATE = "model", "logistic regression", "late fusion"
Rows = list[Prediction]


def file_name(split: str, known: str, which: str = "") -> str:
    """The committed answers of a split; `which` is "-baseline" for those of the regressions."""
    return f"ravdess-llm-{split}-{known}{which}.jsonl"


def collect(runs: Path, results: Path) -> None:
    """Copy the answers of the evaluations below a folder of runs, without words and timings."""
    for split in SPLITS:
        for known in SAID:
            folder = runs / f"people-{split}" / f"eval-{known}"
            for source, which in ((PREDICTIONS_FILE, ""), (BASELINE_FILE, "-baseline")):
                copy_predictions(
                    folder / source, results / file_name(split, known, which),
                    f"ravdess-people, {split}", (MODEL, REGRESSION, LATE),
                )  # fmt: skip


def answers(results: Path, known: str) -> tuple[LabelSet, Rows]:
    """The label set, and all rows of the three splits."""
    rows: Rows = []
    for split in SPLITS:
        for which in ("", "-baseline"):
            found = read_predictions(results / file_name(split, known, which))
            rows += found.rows
    return found.header.labels, rows


def splits_table(results: Path) -> Table:
    """A row for each set of channels and what people are known by."""
    shown = []
    for known, said in SAID.items():
        labels, rows = answers(results, known)
        measure = partial(_measure, labels)
        for channels in CHANNELS:
            own, *beside = (
                [r for r in rows if (r.system, r.channels) == (system, channels)]
                for system in (MODEL, REGRESSION, LATE)
            )
            cells = [_value(measure(part)) if part else "–" for part in (own, *beside)]
            found = paired(measure, own, beside[0], by="group")
            less = f"{found.value:+.3f} [{found.ci_low:+.3f}, {found.ci_high:+.3f}]"
            shown.append((said, set_name(channels), *cells, less))
    return Table(
        "RAVDESS, three splits of four actors: UAR of the language model",
        ("known by", "channels present", "language model", "regression",
         "late fusion of regressions", "model less regression"),
        tuple(shown),
        "Intervals are 95 % over the twelve actors. Known by four clips, those are not scored.",
    )  # fmt: skip


def _measure(labels: LabelSet, rows: Rows) -> Measure:
    return label_cases(rows, labels).measure(uar)


def _value(measure: Measure) -> str:
    score = scored(measure, by="group")
    return f"{score.value:.3f} [{score.ci_low:.3f}, {score.ci_high:.3f}]"


@one_line_errors
def main() -> None:
    """Entry point."""
    if sys.argv[1:] not in ([], ["--collect"]):
        raise EmollamaError("python -m benchmarks.people.splits [--collect]")
    if sys.argv[1:]:
        collect(Path("runs/ravdess"), RESULTS)
    table = splits_table(RESULTS)
    print(f"{table_markdown(table)}\n\n{table.note}")


if __name__ == "__main__":
    main()
