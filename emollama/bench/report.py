"""Files and terminal table of a bench: bench.json, bench.md, bench.png."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import style
from matplotlib.figure import Figure

from emollama.base.drawing import BLUE, GREEN, GREY, ORANGE, PURPLE, STYLE, save_figure
from emollama.base.files import write_json, write_text
from emollama.bench.corpus_report import corpus_tables
from emollama.bench.corpus_scores import CORPUS, scored_corpora
from emollama.bench.scores import scored
from emollama.bench.tested_people import told
from emollama.scoring.metrics.tasks import TITLES
from emollama.scoring.report.cells import Table, difference_text
from emollama.scoring.report.report import plain
from emollama.scoring.report.tables import table_markdown

COLOURS = {"model": BLUE, "ensemble": GREEN, "baseline": GREY, "llm": PURPLE, "unimodal": ORANGE}
KINDS = {
    "model": "model", "ensemble": "models together", "unimodal": "model, one modality",
    "baseline": "logistic regression", "llm": "language model",
}  # fmt: skip


def write_bench(compact: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Score compact answers and write bench.json, bench.md and bench.png; returns the first."""
    result = bench_result(compact)
    write_json(folder / "bench.json", result)
    write_text(folder / "bench.md", bench_page(result))
    with style.context(["default", STYLE]):
        save_figure(interval_figure(result), folder / "bench.png")
    return result


def bench_result(compact: Mapping[str, Any]) -> dict[str, Any]:
    """What bench.json holds: scores of compact answers, to six decimals."""
    corpora = compact.get("scheme") == CORPUS
    result: dict[str, Any] = plain(scored_corpora(compact) if corpora else scored(compact))
    return result


def bench_page(result: Mapping[str, Any]) -> str:
    """A bench as a Markdown page."""
    first, *others = bench_tables(result)
    parts = [f"# {first.title}", table_markdown(first), first.note]
    for table in others:
        parts += [f"## {table.title}", table_markdown(table), table.note]
    return "\n\n".join(part for part in parts if part) + "\n"


def bench_tables(result: Mapping[str, Any]) -> list[Table]:
    """The tables of a bench; of one whose folds are corpora, a column for each corpus."""
    return corpus_tables(result) if result.get("scheme") == CORPUS else [bench_table(result)]


def bench_table(result: Mapping[str, Any]) -> Table:
    """Rows in order of the metric."""
    first = result["metric"]
    others = [m for m in result["metrics"] if m != first]
    compared = any(row["difference"] for row in result["rows"])
    rows = []
    for row in result["rows"]:
        cells = [row["name"], " + ".join(row["modalities"]), _main(row["scores"].get(first))]
        cells += [_plain(row["scores"].get(m)) for m in others]
        cells.append(f"{row['parameters']:,}" if row.get("parameters") else "–")
        if compared:
            cells.append(difference_text(row["difference"]))
        if "compare" in result:
            cells.append(difference_text(row.get("compared")))
        rows.append(tuple(cells))
    seeds = max(len(r["scores"][first]["by_seed"]) for r in result["rows"] if first in r["scores"])
    columns = ["model", "modalities", TITLES[first], *(TITLES[m] for m in others), "parameters"]
    if compared:
        columns.append(f"{TITLES[first]} against logistic regression")
    if "compare" in result:
        columns.append(f"{TITLES[first]} against {result['compare']}")
    drawn = "whole groups" if result["by"] == "group" else "clips"
    over = f"mean over {seeds} seeds ± their standard deviation" if seeds > 1 else "one seed"
    people = f" {told(result['enrol'])}" if "enrol" in result else ""
    note = (
        f"{TITLES[first]} over all folds' clips together: {over} [95 % interval, {drawn} "
        f"drawn {result['bootstrap']} times]. Logistic regression is fitted on the same folds and "
        f"the same tracks, one vector a clip; differences are paired.{people}"
    )
    title = (
        f"{result['corpus'] or 'bench'}: {len(result['folds'])} folds, {result['clips']} clips"
        + (f", {result['groups']} groups" if result["groups"] else "")
    )
    return Table(title, tuple(columns), tuple(rows), note)


def interval_figure(result: Mapping[str, Any]) -> Figure:
    """Every row's value, interval and seeds."""
    metric = result["metric"]
    rows = [r for r in result["rows"] if metric in r["scores"]][::-1]
    figure = Figure(figsize=(7.4, 1.5 + 0.3 * len(rows)), layout="constrained")
    axes = figure.add_subplot()
    axes.grid(axis="x")
    named = set()
    for place, row in enumerate(rows):
        score, kind = row["scores"][metric], _kind(row)
        low = max(score["value"] - score["ci_low"], 0)
        high = max(score["ci_high"] - score["value"], 0)
        axes.errorbar(
            score["value"], place, xerr=np.array([[low], [high]]), fmt="o", color=COLOURS[kind],
            capsize=2.5, markersize=5, label=None if kind in named else KINDS[kind],
        )  # fmt: skip
        named.add(kind)
        each = list(score["by_seed"].values())
        if len(each) > 1:
            axes.plot(each, [place] * len(each), "|", color="black", markersize=7, zorder=3)
    axes.set_yticks(range(len(rows)), [r["name"] for r in rows])
    axes.set_ylim(-0.7, len(rows) - 0.3)
    axes.set_xlabel(f"{TITLES[metric]} (95 % interval; strokes: seeds)")
    title = f"{result['corpus'] or 'bench'}: {len(result['folds'])} folds, {result['clips']} clips"
    axes.set_title(title, pad=38)
    axes.legend(loc="lower left", bbox_to_anchor=(-0.01, 0.995), ncols=3, fontsize=8.5)
    return figure


def _kind(row: Mapping[str, Any]) -> str:
    alone = row["kind"] == "model" and len(row["modalities"]) == 1
    return "unimodal" if alone else str(row["kind"])


def _main(score: Mapping[str, Any] | None) -> str:
    if score is None:
        return "–"
    spread = "" if score["spread"] is None else f" ± {score['spread']:.3f}"
    return f"{score['value']:.3f}{spread} [{score['ci_low']:.3f}, {score['ci_high']:.3f}]"


def _plain(score: Mapping[str, Any] | None) -> str:
    return "–" if score is None else f"{score['value']:.3f}"
