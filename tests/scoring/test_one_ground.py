"""Metrics are computed in one place, scored and paired in one way, and named in one table."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache, partial
from pathlib import Path

import numpy as np
import pytest

from emollama.scoring.metrics import formulas, ranking, regression
from emollama.scoring.metrics.context import Context, Metric, over
from emollama.scoring.metrics.label_scores import probability_cases
from emollama.scoring.metrics.registry import COMPARED, METRICS, NEEDS, REPORTED
from emollama.scoring.metrics.tasks import TITLES
from emollama.scoring.predictions.predictions import Header, Predictions
from emollama.scoring.report.scoring import score_predictions

from .made import MER2023, random_predictions

PACKAGE = Path(__file__).parents[2] / "emollama"
FORMULAS = ("formulas", "regression", "ranking", "thresholds")
"""The modules of scoring/metrics that hold formulas."""
GRADIENTS = {"fusion/tasks.py": "ccc_loss"}
"""A loss needs torch; a test holds it against the formula."""
WORDS = ("f1", "recall", "precision", "ccc", "concordance", "uar", "auc", "mse", "mae", "jaccard")


@cache
def trees() -> dict[str, ast.Module]:
    paths = sorted(PACKAGE.rglob("*.py"))
    return {str(p.relative_to(PACKAGE)): ast.parse(p.read_text(encoding="utf-8")) for p in paths}


def elsewhere() -> Iterator[tuple[str, ast.AST]]:
    """Every node of the package outside the formulas."""
    own = {f"scoring/metrics/{name}.py" for name in FORMULAS}
    for name, tree in trees().items():
        if name not in own:
            for node in ast.walk(tree):
                yield name, node


def takes_metrics_of_scikit_learn(node: ast.AST) -> bool:
    if isinstance(node, ast.Import):
        return any(f"{alias.name}.".startswith("sklearn.metrics.") for alias in node.names)
    if isinstance(node, ast.ImportFrom):
        full = [f"{node.module}.{alias.name}." for alias in node.names]
        return any(name.startswith("sklearn.metrics.") for name in full)
    return isinstance(node, ast.Attribute) and ast.unparse(node) == "sklearn.metrics"


def test_no_module_takes_metrics_from_scikit_learn() -> None:
    found = {n for n, t in trees().items() for x in ast.walk(t) if takes_metrics_of_scikit_learn(x)}
    assert found == set()


@pytest.mark.parametrize(
    "code",
    ["from sklearn import metrics", "from sklearn.metrics import f1_score",
     "import sklearn.metrics.cluster as m", "import sklearn; sklearn.metrics.f1_score(a, b)"],
)  # fmt: skip
def test_metrics_of_scikit_learn_are_seen(code: str) -> None:
    assert any(takes_metrics_of_scikit_learn(node) for node in ast.walk(ast.parse(code)))


def is_harmonic(node: ast.AST) -> bool:
    """2 * ... / (... + ...): F1 of counts, of precision and recall, or concordance."""
    if not (isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div)):
        return False
    top, bottom = node.left, node.right
    if not (isinstance(bottom, ast.BinOp) and isinstance(bottom.op, ast.Add)):
        return False
    return any(isinstance(n, ast.Constant) and n.value == 2 for n in ast.walk(top))


def test_formulas_stand_in_the_modules_of_formulas_alone() -> None:
    """No F1 or concordance written out, and no function that bears a metric's name and computes.

    What reads rows for a formula (`label_scores`, `continuous`, ...) calls it by name.
    """
    assert [name for name, node in elsewhere() if is_harmonic(node)] == list(GRADIENTS)
    named = {
        (name, node.name)
        for name, node in elsewhere()
        if isinstance(node, ast.FunctionDef)
        and any(word in WORDS for word in node.name.split("_"))
        and any(isinstance(n, ast.BinOp) and isinstance(n.op, ast.Div) for n in ast.walk(node))
    }
    assert named == set(GRADIENTS.items())


def callers(name: str) -> set[str]:
    """The functions of scoring/metrics that call a function, and modules elsewhere that import it.

    Others may have a function of that name: sound is resampled, too.
    """
    found = set()
    for path, tree in trees().items():
        if path.startswith("scoring/metrics/"):
            for function in ast.walk(tree):
                if isinstance(function, ast.FunctionDef) and any(
                    isinstance(n, ast.Call) and getattr(n.func, "id", "") == name
                    for n in ast.walk(function)
                ):
                    found.add(f"{Path(path).stem}.{function.name}")
        elif any(
            isinstance(n, ast.ImportFrom)
            and n.module == "emollama.scoring.metrics.bootstrap"
            and name in {alias.name for alias in n.names}
            for n in ast.walk(tree)
        ):
            found.add(path)
    return found


def test_weights_intervals_and_p_are_each_drawn_by_one_function() -> None:
    assert callers("resample") == {"measure.estimates"}
    assert callers("interval") == {"measure.difference_from", "measure.ends"}
    assert callers("two_sided_p") == {"measure.difference_from"}
    quantiles = {
        name
        for name, tree in trees().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr == "nanquantile"
    }
    assert quantiles == {"scoring/metrics/bootstrap.py"}


def test_every_metric_is_described_once() -> None:
    assert {m.needs for m in METRICS.values()} == set(NEEDS)
    assert len({m.title for m in METRICS.values()}) == len(METRICS)
    for name, metric in METRICS.items():
        assert metric.what and not metric.what.endswith("."), name
        assert all(other in METRICS for other in metric.beside), name
    assert {n for n, m in METRICS.items() if m.lower_is_better} == {
        "nll", "brier", "ece", "mae", "sims_mae", "set_size", "abstained", "nll_calibrated",
        "ece_calibrated", "soft_cross_entropy", "jensen_shannon",
    }  # fmt: skip
    assert set(COMPARED) < set(REPORTED) < set(METRICS)
    assert TITLES["uar"] == "UAR" and TITLES["macro_f1"] == METRICS["macro_f1"].title


def top_two(truth: np.ndarray, scores: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Share of rows whose true label is one of the two most probable."""
    best = np.argsort(-scores, axis=1)[:, :2]
    hits = np.take_along_axis(truth, best, axis=1).any(axis=1)
    return formulas.mean(hits.astype(float), weights)


def test_a_metric_is_a_function_and_a_row_of_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    build = over(lambda rows, context: probability_cases(rows, context.labels), top_two)
    row = Metric("top-2 accuracy", "probabilities", build, "share of rows among the two")
    monkeypatch.setitem(METRICS, "top_two", row)
    rows = random_predictions(60)
    header = Header(labels=MER2023)
    made = Predictions(header, tuple(rows))
    result = score_predictions(made, Context(MER2023), ["top_two"], made, resamples=100)
    (found,), (difference,) = result["results"], result["differences"]
    by_hand = [
        r.reference in sorted(r.scores or {}, key=lambda x: -(r.scores or {})[x])[:2] for r in rows
    ]
    assert found["value"] == pytest.approx(np.mean(by_hand)) and found["n_scored"] == 60
    assert found["ci_low"] < found["value"] < found["ci_high"]
    assert (difference["metric"], difference["value"], difference["p"]) == ("top_two", 0, 1)


LABELS = (*COMPARED, "micro_f1", "macro_f1_multilabel", "samples_f1", "jaccard")


@pytest.mark.parametrize("name", LABELS)
def test_a_weight_is_a_number_of_copies(name: str) -> None:
    """What makes a bootstrap right: weight 2 is the row twice, weight 0 the row left out."""
    draw = np.random.default_rng(0)
    truth = formulas.one_hot(draw.integers(4, size=30), 4)
    answer = formulas.one_hot(draw.integers(5, size=30), 4)
    assert_weighted(getattr(formulas, name), truth, answer)


@pytest.mark.parametrize("name", ["nll", "brier", "ece"])
def test_a_weight_is_a_number_of_copies_of_probabilities(name: str) -> None:
    draw = np.random.default_rng(0)
    truth = formulas.one_hot(draw.integers(4, size=30), 4)
    assert_weighted(getattr(formulas, name), truth, draw.dirichlet(np.ones(4), size=30))


@pytest.mark.parametrize("name", ["ccc", "pearson", "mae", "mse"])
def test_a_weight_is_a_number_of_copies_of_series(name: str) -> None:
    draw = np.random.default_rng(0)
    truth = draw.normal(size=(30, 3))
    answer = truth + draw.normal(size=truth.shape)
    assert_weighted(getattr(regression, name), truth, answer)


@pytest.mark.parametrize("name", ["average_precision", "roc_auc"])
def test_a_weight_is_a_number_of_copies_of_scores(name: str) -> None:
    draw = np.random.default_rng(0)
    truth = draw.random((30, 4)) < 0.4
    formula = partial(ranking.mean_over_labels, getattr(ranking, name))
    assert_weighted(formula, truth, np.round(draw.random((30, 4)), 1))


def assert_weighted(formula, truth: np.ndarray, answer: np.ndarray) -> None:  # type: ignore[no-untyped-def]
    weights = np.random.default_rng(1).integers(0, 4, size=(6, len(truth)))
    found = formula(truth, answer, weights.astype(float))
    assert found.shape == (6,)
    for value, row in zip(found, weights, strict=True):
        copied = np.repeat(np.arange(len(truth)), row)
        every = np.ones((1, len(copied)))
        assert value == pytest.approx(formula(truth[copied], answer[copied], every)[0], abs=1e-9)
