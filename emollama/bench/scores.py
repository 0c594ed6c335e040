"""Scores of every row over all folds together, with spread over seeds and bootstrap intervals."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from emollama.base.errors import EmollamaError, did_you_mean
from emollama.fusion.training.validation import AUTO
from emollama.scoring.metrics.bootstrap import interval, resample, two_sided_p
from emollama.scoring.metrics.metrics import METRICS
from emollama.scoring.metrics.multilabel import set_statistic

Statistic = Callable[[np.ndarray], dict[str, np.ndarray]]
"""Weights [r, n] (how often each clip counts) to values [r] of every metric."""

LOWER_IS_BETTER = ("mse",)


def scored(compact: Mapping[str, Any]) -> dict[str, Any]:
    """What bench.json holds, from the compact answers alone.

    A row's value is the mean over seeds of the metric over all folds' clips together; its interval
    is of that mean, clips (or groups) drawn again. Differences, to the baseline and to the row that
    all are compared with, are of the same draws.

    Raises:
        EmollamaError: a metric that the task has not; groups that are asked for and not there.
    """
    task, names = compact["task"], compact["values"]
    metric = compact["metric"]
    units = _units(compact)
    done: dict[str, dict[str, np.ndarray]] = {}
    rows: list[dict[str, Any]] = []
    for row in compact["rows"]:
        statistics = [_statistic(compact, seed, task, names) for seed in row["seeds"].values()]
        one = np.ones((1, len(units)))
        each = [{k: float(v[0]) for k, v in s(one).items()} for s in statistics]
        drawn = _resampled(statistics, list(each[0]), units, compact["bootstrap"])
        done[row["name"]] = drawn
        if metric == "auto":
            metric = AUTO[task] if AUTO[task] in each[0] else next(iter(each[0]))
        scores = {}
        for name, values in drawn.items():
            found = [e[name] for e in each]
            low, high = interval(values)
            scores[name] = {
                "value": float(np.mean(found)),
                "spread": float(np.std(found, ddof=1)) if len(found) > 1 else None,
                "ci_low": float(low),
                "ci_high": float(high),
                "by_seed": dict(zip(row["seeds"], found, strict=True)),
            }
        rows.append({k: v for k, v in row.items() if k != "seeds"} | {"scores": scores})
    known = {name for row in rows for name in row["scores"]}
    if metric not in known:
        raise EmollamaError(f"metric '{metric}'{did_you_mean(metric, known)}")
    for row in rows:
        row["difference"] = _difference(row, rows, done, metric, row["against"])
        if "compare" in compact and row["name"] != compact["compare"]:
            row["compared"] = _difference(row, rows, done, metric, compact["compare"])
    sign = 1 if metric in LOWER_IS_BETTER else -1
    rows.sort(key=lambda r: sign * r["scores"][metric]["value"] if metric in r["scores"] else 9e9)
    return {
        "corpus": compact["corpus"],
        "task": task,
        "metric": metric,
        "metrics": [m for m in _ORDER if m in known],
        "clips": len(compact["ids"]),
        "groups": len(set(compact["group"])) if None not in compact["group"] else None,
        "folds": [f | {"clips": compact["fold"].count(k)} for k, f in enumerate(compact["folds"])],
        **({"compare": compact["compare"]} if "compare" in compact else {}),
        "by": compact["by"],
        "bootstrap": compact["bootstrap"],
        "rows": rows,
    }


_ORDER = (
    "uar", "weighted_f1", "accuracy", "macro_f1", "micro_f1", "ccc", "mse", "mer2023",
)  # fmt: skip


def _resampled(
    statistics: list[Statistic], names: list[str], units: np.ndarray, resamples: int
) -> dict[str, np.ndarray]:
    """By metric: values [R] of the mean over seeds."""

    def mean(weights: np.ndarray) -> np.ndarray:
        found = [s(weights) for s in statistics]
        return np.stack([np.mean([f[n] for f in found], axis=0) for n in names], axis=1)

    drawn = resample(mean, units, resamples)
    return {name: drawn[:, k] for k, name in enumerate(names)}


def _difference(
    row: Mapping[str, Any],
    rows: list[dict[str, Any]],
    done: Mapping[str, Mapping[str, np.ndarray]],
    metric: str,
    against: str | None,
) -> dict[str, Any] | None:
    if against is None or metric not in done[against]:
        return None
    other = next(r for r in rows if r["name"] == against)
    drawn = done[row["name"]][metric] - done[against][metric]
    low, high = interval(drawn)
    return {
        "against": against,
        "value": row["scores"][metric]["value"] - other["scores"][metric]["value"],
        "ci_low": float(low),
        "ci_high": float(high),
        "p": two_sided_p(drawn),
    }


def _units(compact: Mapping[str, Any]) -> np.ndarray:
    if compact["by"] == "sample":
        return np.arange(len(compact["ids"]))
    for name, group in zip(compact["ids"], compact["group"], strict=True):
        if group is None:
            raise EmollamaError(f"by: group: id '{name}' has no group; draw samples instead")
    return np.unique(np.array(compact["group"], dtype=str), return_inverse=True)[1]


def _statistic(
    compact: Mapping[str, Any], answers: Mapping[str, Any], task: str, names: list[str]
) -> Statistic:
    truth, size = compact["reference"], len(compact["labels"]["labels"])
    parts: list[Statistic] = []
    if "label" in answers:
        parts.append(_of_label(truth["label"], answers["label"], size))
    if "labels" in answers:
        parts.append(_of_labels(truth["labels"], answers["labels"], size))
    if names and names[0] in answers:
        parts.append(_of_values([(truth[n], answers[n]) for n in names]))

    def every(weights: np.ndarray) -> dict[str, np.ndarray]:
        found = {k: v for part in parts for k, v in part(weights).items()}
        if task == "label+values" and "mse" in found:
            found["mer2023"] = found["weighted_f1"] - 0.25 * found["mse"]
        return found

    return every


def _of_label(truth: list[int | None], answer: list[int | None], size: int) -> Statistic:
    """An answer that is none counts as wrong; a clip without reference counts for nothing."""
    cells = np.zeros((len(truth), size * (size + 1)))
    for i, (x, y) in enumerate(zip(truth, answer, strict=True)):
        if x is not None:
            cells[i, x * (size + 1) + (size if y is None else y)] = 1

    def statistic(weights: np.ndarray) -> dict[str, np.ndarray]:
        confusion = (weights @ cells).reshape(-1, size, size + 1)
        return {name: function(confusion) for name, function in METRICS.items()}

    return statistic


def _of_labels(truth: list[int | None], answer: list[int | None], size: int) -> Statistic:
    known = np.array([x is not None for x in truth])[:, None]
    bits = np.arange(size)
    shown = (np.array([x or 0 for x in truth])[:, None] >> bits & 1) * known
    said = (np.array([x or 0 for x in answer])[:, None] >> bits & 1) * known

    each = {
        "macro_f1": set_statistic(shown, said, "macro_f1_multilabel"),
        "micro_f1": set_statistic(shown, said, "micro_f1"),
    }
    return lambda weights: {name: statistic(weights) for name, statistic in each.items()}


def _of_values(pairs: list[tuple[list[float | None], list[float | None]]]) -> Statistic:
    """CCC (Lin 1989, population variances) and mean squared error, means over the values."""
    held = []
    for truth, answer in pairs:
        y, x = (np.array([np.nan if v is None else v for v in c]) for c in (truth, answer))
        known = ~np.isnan(x) & ~np.isnan(y)
        held.append((np.where(known, y, 0.0), np.where(known, x, 0.0), known.astype(float)))

    def statistic(weights: np.ndarray) -> dict[str, np.ndarray]:
        ccc, mse = [], []
        for y, x, known in held:
            count = np.maximum(weights @ known, 1e-12)
            my, mx = weights @ y / count, weights @ x / count
            vy, vx = weights @ y**2 / count - my**2, weights @ x**2 / count - mx**2
            shared = weights @ (x * y) / count - mx * my
            bottom = vy + vx + (mx - my) ** 2
            ccc.append(np.divide(2 * shared, bottom, out=np.zeros_like(bottom), where=bottom > 0))
            mse.append(weights @ (x - y) ** 2 / count)
        return {"ccc": np.mean(ccc, axis=0), "mse": np.mean(mse, axis=0)}

    return statistic
