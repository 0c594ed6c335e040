"""Scores of every row over all folds together, with spread over seeds and bootstrap intervals."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from emollama.base.errors import EmollamaError, did_you_mean
from emollama.fusion.training.validation import AUTO
from emollama.scoring.metrics.bootstrap import Draws
from emollama.scoring.metrics.formulas import one_hot
from emollama.scoring.metrics.measure import Statistic, difference_of, ends, estimates, units_of
from emollama.scoring.metrics.tasks import TITLES, TaskCases, better

Statistics = dict[str, Statistic]
"""A row's metrics by name, each the mean over its seeds."""


def scored(compact: Mapping[str, Any]) -> dict[str, Any]:
    """What bench.json holds, from the compact answers alone.

    A row's value is the mean over seeds of the metric over all folds' clips together; its interval
    is that mean's, from resampled clips (or groups). Differences from the baseline and from the row
    in `compare` use the same draws.

    Raises:
        EmollamaError: a metric that the task does not have, or missing groups.
    """
    metric = compact["metric"]
    units = units_of(compact["ids"], compact["group"], compact["by"])
    draws: Draws = {"resamples": compact["bootstrap"]}
    statistics: dict[str, Statistics] = {}
    rows: list[dict[str, Any]] = []
    for row in compact["rows"]:
        seeds = {seed: cases_of(compact, a).statistics() for seed, a in row["seeds"].items()}
        statistics[row["name"]] = means = means_of(list(seeds.values()))
        scores = _scores(seeds, means, units, draws)
        rows.append({k: v for k, v in row.items() if k != "seeds"} | {"scores": scores})
    if metric == "auto":
        wanted, held = AUTO[compact["task"]], list(rows[0]["scores"])
        metric = wanted if wanted in held else held[0]
    known = {name for row in rows for name in row["scores"]}
    if metric not in known:
        raise EmollamaError(f"metric '{metric}'{did_you_mean(metric, known)}")

    def against(row: Mapping[str, Any], other: str | None) -> dict[str, Any] | None:
        if other is None or metric not in statistics[other]:
            return None
        mine, theirs = statistics[row["name"]][metric], statistics[other][metric]
        found = difference_of(mine, theirs, units, draws).to_dict()
        del found["n"]
        return {"against": other, **found}

    for row in rows:
        row["difference"] = against(row, row["against"])
        if "compare" in compact and row["name"] != compact["compare"]:
            row["compared"] = against(row, compact["compare"])
    last = float("-inf")
    rows.sort(
        key=lambda r: better(metric, r["scores"][metric]["value"])
        if metric in r["scores"] else last,
        reverse=True,
    )  # fmt: skip
    return {
        "corpus": compact["corpus"],
        "task": compact["task"],
        "metric": metric,
        "metrics": [m for m in TITLES if m in known],
        "clips": len(compact["ids"]),
        "groups": len(set(compact["group"])) if None not in compact["group"] else None,
        "folds": [f | {"clips": compact["fold"].count(k)} for k, f in enumerate(compact["folds"])],
        **({"compare": compact["compare"]} if "compare" in compact else {}),
        **({"enrol": compact["enrol"]} if "enrol" in compact else {}),
        "by": compact["by"],
        "bootstrap": compact["bootstrap"],
        "rows": rows,
    }


def means_of(seeds: list[Statistics]) -> Statistics:
    """Each metric's mean over seeds."""

    def mean(name: str) -> Statistic:
        return lambda weights: np.mean([s[name](weights) for s in seeds], axis=0)

    return {name: mean(name) for name in seeds[0]}


def _scores(
    seeds: Mapping[str, Statistics], means: Statistics, units: np.ndarray, draws: Draws
) -> dict[str, Any]:
    """By metric: mean over seeds, its spread, interval of the mean, value of each seed."""
    one = np.ones((1, len(units)))
    values, drawn = estimates(list(means.values()), units, draws)
    found = {}
    for name, value, draw in zip(means, values, drawn.T, strict=True):
        each = {seed: float(s[name](one)[0]) for seed, s in seeds.items()}
        mean, low, high = ends(value, draw)
        found[name] = {
            "value": mean,
            "spread": float(np.std(list(each.values()), ddof=1)) if len(each) > 1 else None,
            "ci_low": low,
            "ci_high": high,
            "by_seed": each,
        }
    return found


def cases_of(compact: Mapping[str, Any], answers: Mapping[str, Any]) -> TaskCases:
    """One seed's answers as arrays; clips without a reference are ignored."""
    truth, size = compact["reference"], len(compact["labels"]["labels"])
    label = labels = values = None
    if "label" in answers:
        # An answer that is none counts as wrong, one to a clip without reference as none.
        pairs = [(-1, -1) if x is None else (x, -1 if y is None else y)
                 for x, y in zip(truth["label"], answers["label"], strict=True)]  # fmt: skip
        label = one_hot([x for x, _ in pairs], size), one_hot([y for _, y in pairs], size)
    if "labels" in answers:
        known = np.array([x is not None for x in truth["labels"]])[:, None]
        shown, said = (
            (np.array([x or 0 for x in side])[:, None] >> np.arange(size) & 1).astype(bool) & known
            for side in (truth["labels"], answers["labels"])
        )
        labels = shown, said
    names = [name for name in compact["values"] if name in answers]
    if names:
        values = {name: _series(truth[name], answers[name]) for name in names}
    return TaskCases(label, labels, values)


def _series(
    truth: list[float | None], answer: list[float | None]
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """One number per clip, and none where truth or answer is unknown."""
    nothing = np.zeros(0)
    pairs = [(nothing, nothing) if y is None or x is None else (np.array([y]), np.array([x]))
             for y, x in zip(truth, answer, strict=True)]  # fmt: skip
    return [y for y, _ in pairs], [x for _, x in pairs]
