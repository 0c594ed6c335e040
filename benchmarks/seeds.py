"""How far the committed figures move: seeds, number formats, another processor.

python -m benchmarks.seeds                       # the tables of docs/results.md
python -m benchmarks.seeds add ROW-SEED-DTYPE PREDICTIONS

`add` keeps of a run's `predictions.jsonl` what the figures need: which label the model answered to
which sample with which channels. The committed row of seed 7 was run on another processor.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from emollama.base.errors import EmollamaError, one_line_errors
from emollama.manifest.channels import Channel
from emollama.scoring.metrics.context import Context
from emollama.scoring.predictions.prediction import MODEL, Prediction, set_name
from emollama.scoring.predictions.predictions import (
    Predictions,
    read_predictions,
    write_predictions,
)
from emollama.scoring.report.cells import Table
from emollama.scoring.report.scoring import score_predictions
from emollama.scoring.report.tables import table_markdown

RESULTS = Path(__file__).parents[1] / "results"
SEEDS = RESULTS / "seeds"
COMMITTED = {"quickstart": "quickstart"} | {f"ravdess-{s}": f"ravdess/{s}" for s in "abc"}
"""Rows, and the folder of each below results/."""
METRIC = {"quickstart": "weighted_f1", "ravdess": "uar"}
DTYPES = ("bfloat16", "float32")
_KEPT = {"id", "channels", "system", "reference", "label", "parse_failure"}


def kept(found: Predictions) -> Predictions:
    """The model's rows with what the figures need."""
    rows = tuple(
        Prediction.model_validate(r.model_dump(include=_KEPT))
        for r in found.rows
        if r.system == MODEL
    )
    return Predictions(found.header, rows)


def value(found: Predictions, channels: Sequence[Channel], row: str) -> float:
    """The metric of a row, over the model's answers with these channels."""
    rows = tuple(r for r in found.rows if r.system == MODEL and r.channels == tuple(channels))
    part = Predictions(found.header, rows)
    metric = METRIC[row.partition("-")[0]]
    scored = score_predictions(part, Context(found.header.labels), [metric], resamples=2)
    return float(scored["results"][0]["value"])


def seeds_table(results: Path = RESULTS) -> Table:
    """A line for each row, set of channels and number format that was run."""
    lines = []
    for row, folder in COMMITTED.items():
        committed = read_predictions(results / folder / "predictions.jsonl")
        runs = {d: _runs(results / "seeds", row, d) for d in DTYPES}
        sets = committed.channel_sets()
        for channels in (sets[-1], *(c for c in sets[:-1] if len(c) == 1)):
            for dtype, found in runs.items():
                if not found:
                    continue
                values = {seed: value(run, channels, row) for seed, run in found.items()}
                lines.append((
                    row, set_name(channels), dtype,
                    ", ".join(f"{v:.3f} ({seed})" for seed, v in values.items()),
                    f"{np.mean(list(values.values())):.3f}",
                    f"{max(values.values()) - min(values.values()):.3f}",
                    f"{value(committed, channels, row):.3f}",
                ))  # fmt: skip
    columns = ("row", "channels", "numbers", "by seed", "mean", "range", "committed")
    return Table("Seeds and number formats", columns, tuple(lines))


def _runs(folder: Path, row: str, dtype: str) -> dict[int, Predictions]:
    found = {}
    for path in sorted(folder.glob(f"{row}-*-{dtype}.jsonl")):
        seed = int(path.stem.removeprefix(f"{row}-").removesuffix(f"-{dtype}"))
        found[seed] = read_predictions(path)
    return dict(sorted(found.items()))


@one_line_errors
def main() -> None:
    """Print the table, or keep the answers of a run."""
    match sys.argv[1:]:
        case []:
            print(table_markdown(seeds_table()))
        case ["add", name, path]:
            SEEDS.mkdir(exist_ok=True)
            run = kept(read_predictions(Path(path)))
            write_predictions(SEEDS / f"{name}.jsonl", run.header, run.rows)
        case _:
            raise EmollamaError("give nothing, or: add ROW-SEED-DTYPE PREDICTIONS")


if __name__ == "__main__":
    main()
