"""Tables of a bench whose folds are corpora: a column for each corpus."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from emollama.bench.tested_people import told
from emollama.scoring.metrics.tasks import TITLES
from emollama.scoring.report.cells import Table, difference_text


def corpus_tables(result: Mapping[str, Any]) -> list[Table]:
    """Every row's value on each corpus, and its difference to the regression on each."""
    return [_values(result), _differences(result)]


def _values(result: Mapping[str, Any]) -> Table:
    title, metric = TITLES[result["metric"]], result["metric"]
    names = [fold["name"] for fold in result["folds"]]
    rows = []
    for row in result["rows"]:
        mean = row["scores"][metric]
        spread = "" if mean["spread"] is None else f" ± {mean['spread']:.3f}"
        cells = [row["name"], row.get("standardise", "corpus")]
        cells += [_value(row["corpora"][name]["value"]) for name in names]
        cells += [f"{mean['value']:.3f}{spread} [{mean['ci_low']:.3f}, {mean['ci_high']:.3f}]"]
        cells.append(difference_text(row["difference"]))
        if "compare" in result:
            cells.append(difference_text(row.get("compared")))
        rows.append(tuple(cells))
    columns = ["model", "standardised by", *names, f"mean {title}"]
    columns.append("mean against logistic regression")
    if "compare" in result:
        columns.append(f"mean against {result['compare']}")
    sizes = "; ".join(_size(fold) for fold in result["folds"])
    seeds = max(len(row["scores"][metric]["by_seed"]) for row in result["rows"])
    over = f"mean over {seeds} seeds" if seeds > 1 else "one seed"
    drawn = "whole groups" if result["by"] == "group" else "clips"
    people = f" {told(result['enrol'])}" if "enrol" in result else ""
    note = (
        f"Each corpus is tested on models of all others: {sizes}. {title}, {over}; 95 % intervals, "
        f"{drawn} drawn within each corpus {result['bootstrap']} times. Logistic regression is "
        "fitted on the same folds, tracks and standardisation, one vector a clip; differences are "
        f"paired.{people}"
    )
    heading = f"Leave one corpus out: {', '.join(names)}, {result['clips']} clips"
    return Table(heading, tuple(columns), tuple(rows), note)


def _differences(result: Mapping[str, Any]) -> Table:
    names = [fold["name"] for fold in result["folds"]]
    rows = [
        (row["name"], *(difference_text(row["corpora"][n]["difference"]) for n in names))
        for row in result["rows"]
        if row["difference"] is not None
    ]
    heading = f"{TITLES[result['metric']]} against logistic regression on each corpus"
    return Table(heading, ("model", *names), tuple(rows), "")


def _size(fold: Mapping[str, Any]) -> str:
    people = f" in {fold['groups']} groups" if "groups" in fold else ""
    labels = f", {len(fold['labels'])} labels" if "labels" in fold else ""
    return f"{fold['name']} {fold['clips']} clips{people}{labels}"


def _value(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
