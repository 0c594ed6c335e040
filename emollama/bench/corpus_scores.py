"""Scores of a bench whose folds are corpora: each corpus by itself, and the mean over them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from emollama.base.errors import EmollamaError, did_you_mean
from emollama.bench.scores import Statistics, cases_of, means_of
from emollama.fusion.training.validation import AUTO
from emollama.scoring.metrics.measure import Statistic, difference_from, ends, estimates, units_of
from emollama.scoring.metrics.tasks import better

CORPUS = "corpus"
"""The scheme of such folds."""


def scored_corpora(compact: Mapping[str, Any]) -> dict[str, Any]:
    """What bench.json holds, from the compact answers alone.

    A row's value is the mean over corpora of the mean over its seeds. Clips (or groups) are drawn
    within each corpus, so that every draw has as many of each; differences use the same draws.

    Raises:
        EmollamaError: a metric that the task does not have, or missing groups.
    """
    rows = compact["rows"]
    metric = AUTO[compact["task"]] if compact["metric"] == "auto" else compact["metric"]
    names = [fold["name"] for fold in compact["folds"]]
    values, drawn, seeds = [], [], []
    for corpus in range(len(names)):
        part = _part(compact, corpus)
        units = units_of(part["ids"], part["group"], compact["by"])
        found = [
            {s: cases_of(part, _cut(a, part["kept"])).statistics() for s, a in r["seeds"].items()}
            for r in rows
        ]
        means = [_of(metric, means_of(list(each.values()))) for each in found]
        value, draws = estimates(means, units, {"resamples": compact["bootstrap"], "seed": corpus})
        values.append(value)
        drawn.append(draws)
        one = np.ones((1, len(units)))
        seeds.append([{s: float(_of(metric, x)(one)[0]) for s, x in e.items()} for e in found])
    # The last entry is the mean over corpora.
    every = np.stack([*values, np.mean(values, axis=0)])
    draws_of = np.stack([*drawn, np.mean(drawn, axis=0)])
    place = {row["name"]: k for k, row in enumerate(rows)}
    scored = []
    for k, row in enumerate(rows):
        each = {s: float(np.mean([x[k][s] for x in seeds])) for s in row["seeds"]}
        spread = float(np.std(list(each.values()), ddof=1)) if len(each) > 1 else None
        others = {"difference": row["against"]}
        if "compare" in compact and row["name"] != compact["compare"]:
            others["compared"] = compact["compare"]
        differences: dict[str, list[dict[str, Any]]] = {}
        for what, other in others.items():
            if other is not None:
                a, b = k, place[other]
                differences[what] = [
                    {"against": other}
                    | _difference(every[c, a] - every[c, b], draws_of[c, :, a] - draws_of[c, :, b])
                    for c in range(len(every))
                ]
        own = {}
        for c, name in enumerate(names):
            low_high = _bounds(every[c, k], draws_of[c, :, k])
            own[name] = low_high | {"by_seed": seeds[c][k]}
            own[name] |= {what: found[c] for what, found in differences.items()}
        entry = {key: value for key, value in row.items() if key != "seeds"}
        mean = _bounds(every[-1, k], draws_of[-1, :, k])
        entry["scores"] = {metric: mean | {"spread": spread, "by_seed": each}}
        entry["corpora"] = own
        entry["difference"] = differences["difference"][-1] if row["against"] else None
        if "compared" in differences:
            entry["compared"] = differences["compared"][-1]
        scored.append(entry)
    scored.sort(key=lambda row: better(metric, row["scores"][metric]["value"]), reverse=True)
    return {
        "corpus": compact["corpus"],
        "scheme": CORPUS,
        "task": compact["task"],
        "metric": metric,
        "metrics": [metric],
        "clips": len(compact["ids"]),
        "groups": len(set(compact["group"])) if None not in compact["group"] else None,
        "folds": [_fold(compact, k) for k in range(len(names))],
        **({"compare": compact["compare"]} if "compare" in compact else {}),
        **({"enrol": compact["enrol"]} if "enrol" in compact else {}),
        "by": compact["by"],
        "bootstrap": compact["bootstrap"],
        "rows": scored,
    }


def _part(compact: Mapping[str, Any], corpus: int) -> dict[str, Any]:
    """The compact answers of one corpus."""
    kept = [i for i, fold in enumerate(compact["fold"]) if fold == corpus]
    return {
        "kept": kept,
        **{name: compact[name] for name in ("labels", "values")},
        "ids": [compact["ids"][i] for i in kept],
        "group": [compact["group"][i] for i in kept],
        "reference": _cut(compact["reference"], kept),
    }


def _cut(columns: Mapping[str, Any], kept: Sequence[int]) -> dict[str, Any]:
    return {name: [values[i] for i in kept] for name, values in columns.items()}


def _fold(compact: Mapping[str, Any], corpus: int) -> dict[str, Any]:
    groups = {g for g, k in zip(compact["group"], compact["fold"], strict=True) if k == corpus}
    people = {"groups": len(groups)} if None not in groups else {}
    return {**compact["folds"][corpus], "clips": compact["fold"].count(corpus), **people}


def _of(metric: str, statistics: Statistics) -> Statistic:
    if metric not in statistics:
        raise EmollamaError(f"metric '{metric}'{did_you_mean(metric, statistics)}")
    return statistics[metric]


def _bounds(value: float, draws: np.ndarray) -> dict[str, Any]:
    mean, low, high = ends(float(value), draws)
    return {"value": mean, "ci_low": low, "ci_high": high}


def _difference(value: float, draws: np.ndarray) -> dict[str, Any]:
    found = difference_from(float(value), draws, len(draws))
    return {"value": found.value, "ci_low": found.ci_low, "ci_high": found.ci_high, "p": found.p}
