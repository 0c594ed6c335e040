"""Every metric of `emollama score --metric`, by name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from emollama.base.errors import EmollamaError, did_you_mean
from emollama.endpoints.judge import Judge
from emollama.manifest.labels import LabelSet
from emollama.scoring.metrics import continuous, label_scores, multilabel, overlap, synonyms
from emollama.scoring.metrics.measure import Measure
from emollama.scoring.metrics.synonyms import Groups
from emollama.scoring.predictions.prediction import Prediction
from emollama.scoring.wheels import wheels
from emollama.scoring.wheels.wheel_tables import WheelTables
from emollama.scoring.wheels.wheel_words import Corrected, Published

Rows = Sequence[Prediction]


@dataclass(frozen=True)
class Context:
    """What metrics need beside the rows.

    Attributes:
        labels: the file's label set.
        wheel: emotion-wheel tables, for the wheel metrics.
        thresholds: of each label, fitted on validation rows.
        judge: who marks explanations.
        synonyms: of each clip, groups of words that mean the same there.
    """

    labels: LabelSet
    wheel: WheelTables | None = None
    thresholds: dict[str, float] | None = None
    judge: Judge | None = None
    synonyms: Groups | None = None

    def tables(self) -> WheelTables:
        """The wheel tables, or what to do about it."""
        if self.wheel is None:
            raise EmollamaError(
                "the emotion-wheel metrics need --wheel DIR, the folder of their tables "
                "(format.csv, synonym.xlsx, wheel1..5.xlsx, as MERTools publishes them)"
            )
        return self.wheel

    def groups(self) -> Groups:
        """The groups of synonyms, or what to do about it."""
        if self.synonyms is None:
            raise EmollamaError(
                "MER2024-OV needs --synonyms PATH: the folder of <name>.npy files that MERTools "
                "stores, or JSON {name: [[word, ...], ...]}"
            )
        return self.synonyms

    def asked(self) -> Judge:
        """The judge, or what to do about it."""
        if self.judge is None:
            raise EmollamaError(
                "clue and label overlap need a judge: --judge-url URL and --judge-model NAME, or "
                "--judge-folder DIR"
            )
        return self.judge


class Build(Protocol):
    """Rows to a metric over them."""

    def __call__(self, rows: Rows, context: Context) -> Measure:
        """Bind the metric to rows."""


@dataclass(frozen=True)
class Metric:
    """How a metric is shown, computed, and what stands beside it.

    Attributes:
        title: for tables.
        family: what it needs of the rows, a key of `NEEDS`.
        build: rows to the metric over them.
        beside: names shown with it whenever it is asked for.
    """

    title: str
    family: str
    build: Build
    beside: tuple[str, ...] = ()


def _label(title: str, name: str) -> Metric:
    return Metric(
        title, "label", lambda rows, context: label_scores.label_metric(rows, context.labels, name)
    )


def _folds(title: str, name: str) -> Metric:
    return Metric(
        title,
        "folds",
        lambda rows, context: label_scores.fold_mean(rows, context.labels, name),
        (name,),
    )


def _sets(title: str, name: multilabel.SetMetric) -> Metric:
    return Metric(
        title,
        "labels",
        lambda rows, context: multilabel.set_metric(rows, context.labels, name, context.thresholds),
    )


def _sign(title: str, name: str, form: continuous.Sign, family: str = "sentiment") -> Metric:
    return Metric(title, family, lambda rows, context: continuous.sign_metric(rows, name, form))


def _grade(title: str, bound: int) -> Metric:
    return Metric(title, "sentiment", lambda rows, context: continuous.grade_accuracy(rows, bound))


def _sims(title: str, *cuts: float) -> Metric:
    return Metric(title, "sims", lambda rows, context: continuous.step_accuracy(rows, cuts))


def _merged(title: str, part: synonyms.Part, *beside: str) -> Metric:
    return Metric(
        title,
        "synonyms",
        lambda rows, context: synonyms.merged_overlap(rows, context.groups(), part),
        beside,
    )


def _ccc(title: str, family: str, *names: str) -> Metric:
    return Metric(title, family, lambda rows, context: continuous.ccc(rows, *names))


def _ew(title: str, part: wheels.Part, level: int = 1, corrected: bool = False) -> Metric:
    kind = Corrected if corrected else Published
    beside = () if corrected or level == 2 else (f"ew_{part}_corrected",)
    return Metric(
        title,
        "wheel",
        lambda rows, context: wheels.open_vocabulary(rows, kind(context.tables(), level), part),
        beside,
    )


def _hit(title: str, part: wheels.Part, level: int = 1, corrected: bool = False) -> Metric:
    kind = Corrected if corrected else Published
    beside = () if corrected or level == 2 else ("hit_rate_corrected", "hit_precision_corrected")
    return Metric(
        title,
        "hit",
        lambda rows, context: wheels.hit_rate(rows, kind(context.tables(), level), part),
        beside,
    )


METRICS: dict[str, Metric] = {
    "weighted_f1": _label("weighted F1", "weighted_f1"),
    "accuracy": _label("accuracy (WAR)", "accuracy"),
    "uar": _label("UAR (macro recall)", "uar"),
    "macro_f1": _label("macro F1", "macro_f1"),
    "weighted_f1_upstream": Metric(
        "weighted F1, unread is neutral",
        "upstream",
        lambda rows, context: label_scores.upstream_f1(rows, context.labels),
        ("weighted_f1",),
    ),
    "war_folds": _folds("WAR, mean over folds", "accuracy"),
    "uar_folds": _folds("UAR, mean over folds", "uar"),
    "mer2023": Metric(
        "MER2023: F1 - 0.25 MSE",
        "mer2023",
        lambda rows, context: label_scores.mer2023_combined(rows, context.labels),
    ),
    "acc2_nonneg": _sign("Acc-2, negative / non-negative", "accuracy", "nonneg"),
    "f1_nonneg": _sign("F1, negative / non-negative", "weighted_f1", "nonneg"),
    "acc2_pos": _sign("Acc-2, negative / positive", "accuracy", "pos"),
    "f1_pos": _sign("F1, negative / positive", "weighted_f1", "pos"),
    "acc2_affectgpt": _sign("Acc-2, 0 is no answer", "accuracy", "affectgpt"),
    "f1_affectgpt": _sign("F1, 0 is no answer", "weighted_f1", "affectgpt"),
    "acc3": _grade("Acc-3", 1),
    "acc5": _grade("Acc-5", 2),
    "acc7": _grade("Acc-7", 3),
    "mae": Metric("MAE", "sentiment", lambda rows, context: continuous.mae(rows)),
    "pearson": Metric("Pearson r", "sentiment", lambda rows, context: continuous.pearson(rows)),
    "sims_acc2": _sign("SIMS: Acc-2", "accuracy", "sims", "sims"),
    "sims_f1": _sign("SIMS: F1", "weighted_f1", "sims", "sims"),
    "sims_acc3": _sims("SIMS: Acc-3", -0.1, 0.1),
    "sims_acc5": _sims("SIMS: Acc-5", -0.7, -0.1, 0.1, 0.7),
    "ccc_valence": _ccc("CCC, valence", "valence", "valence"),
    "ccc_arousal": _ccc("CCC, arousal", "arousal", "arousal"),
    "ccc_mean": _ccc("CCC, mean of both", "valence and arousal", "valence", "arousal"),
    "micro_f1": _sets("micro F1", "micro_f1"),
    "macro_f1_multilabel": _sets("macro F1 over labels", "macro_f1_multilabel"),
    "samples_f1": _sets("samples F1", "samples_f1"),
    "jaccard": _sets("Jaccard", "jaccard"),
    "map": Metric(
        "mAP",
        "label scores",
        lambda rows, context: multilabel.rank_metric(rows, context.labels, "map"),
    ),
    "auc": Metric(
        "AUC",
        "label scores",
        lambda rows, context: multilabel.rank_metric(rows, context.labels, "auc"),
    ),
    "hit_rate": _hit("hit rate", "hit_rate"),
    "m_score": _hit("m-score", "m_score"),
    "hit_rate_level2": _hit("hit rate, level 2", "hit_rate", 2),
    "m_score_level2": _hit("m-score, level 2", "m_score", 2),
    "hit_rate_corrected": _hit("hit rate, corrected", "hit_rate", corrected=True),
    "hit_precision_corrected": _hit("its precision, corrected", "m_score", corrected=True),
    "ew_score": Metric(
        "EW score of the challenge",
        "wheel",
        lambda rows, context: wheels.headline(rows, context.tables()),
        ("ew_f_corrected",),
    ),
    "ew_precision": _ew("EW precision", "precision"),
    "ew_recall": _ew("EW recall", "recall"),
    "ew_f": _ew("EW F", "f"),
    "ew_precision_level2": _ew("EW precision, level 2", "precision", 2),
    "ew_recall_level2": _ew("EW recall, level 2", "recall", 2),
    "ew_f_level2": _ew("EW F, level 2", "f", 2),
    "ew_precision_corrected": _ew("EW precision, corrected", "precision", corrected=True),
    "ew_recall_corrected": _ew("EW recall, corrected", "recall", corrected=True),
    "ew_f_corrected": _ew("EW F, corrected", "f", corrected=True),
    "mer2024_ov": _merged(
        "MER2024-OV: mean of both", "mean", "mer2024_ov_accuracy", "mer2024_ov_recall"
    ),
    "mer2024_ov_accuracy": _merged("MER2024-OV: set accuracy", "accuracy"),
    "mer2024_ov_recall": _merged("MER2024-OV: set recall", "recall"),
    "clue_overlap": Metric(
        "clue overlap",
        "reason",
        lambda rows, context: overlap.overlap(rows, context.asked(), "clue"),
    ),
    "label_overlap": Metric(
        "label overlap",
        "reason",
        lambda rows, context: overlap.overlap(rows, context.asked(), "label"),
    ),
}

NEEDS: dict[str, str] = {
    "label": "reference",
    "upstream": "reference",
    "folds": "reference and fold",
    "mer2023": "reference and reference_values.valence",
    "sentiment": "reference_values.sentiment",
    "sims": "reference_values.sentiment",
    "valence": "reference_values.valence",
    "arousal": "reference_values.arousal",
    "valence and arousal": "reference_values.valence and .arousal",
    "labels": "reference_labels",
    "label scores": "reference_labels and label_scores",
    "hit": "reference, or one word in reference_words",
    "wheel": "reference_words or reference",
    "synonyms": "reference_words, and groups of synonyms",
    "reason": "reference_reason",
}
"""What a row must hold for a metric of each family."""


def chosen(names: Sequence[str]) -> list[str]:
    """Names as asked for, each followed by what stands beside it; every name once.

    Raises:
        EmollamaError: an unknown name.
    """
    found: list[str] = []
    for name in names:
        if name not in METRICS:
            raise EmollamaError(f"metric '{name}' is unknown{did_you_mean(name, METRICS)}")
        found += [name, *METRICS[name].beside]
    return list(dict.fromkeys(found))


def fitting(rows: Rows, context: Context) -> list[str]:
    """The metrics that rows have the truth for, when none is asked for by name.

    Those of a judge cost time or money, those of SIMS and of the released Emotion-LLaMA are for
    whoever compares with them: all of these are computed only by name.
    """
    truths = {k for r in rows for k in r.reference_values or ()}
    one = any(r.reference is not None for r in rows)
    words = any(r.reference_words is not None for r in rows)
    has = {
        "label": one,
        "folds": one and len({r.fold for r in rows}) > 1 and all(r.fold for r in rows),
        "mer2023": one and "valence" in truths,
        "sentiment": "sentiment" in truths,
        "valence": "valence" in truths and not one,
        "arousal": "arousal" in truths,
        "valence and arousal": {"valence", "arousal"} <= truths,
        "labels": any(r.reference_labels is not None for r in rows),
        "label scores": any(r.reference_labels and r.label_scores for r in rows),
        "synonyms": context.synonyms is not None and words,
        "hit": context.wheel is not None and one and not words,
        "wheel": context.wheel is not None and words,
    }
    return [name for name, metric in METRICS.items() if has.get(metric.family)]
