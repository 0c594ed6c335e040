"""The table of metrics: every name, its formula, what it needs, and who published it."""

from __future__ import annotations

from functools import partial

from emollama.scoring.calibration import set_metrics
from emollama.scoring.metrics import (
    continuous,
    formulas,
    label_scores,
    multilabel,
    overlap,
    ranking,
    regression,
    synonyms,
    votes,
)
from emollama.scoring.metrics.context import Build, Metric, Read, over
from emollama.scoring.metrics.measure import Formula
from emollama.scoring.metrics.regression import between, rounded_within, same_class
from emollama.scoring.wheels import wheels
from emollama.scoring.wheels.wheel_words import Corrected, Published

NEEDS: dict[str, str] = {
    "label": "reference",
    "probabilities": "reference and scores",
    "calibration": "reference and scores",
    "as published": "reference",
    "folds": "reference and fold",
    "mer2023": "reference and reference_values.valence",
    "sentiment": "reference_values.sentiment",
    "sentiment as published": "reference_values.sentiment",
    "valence": "reference_values.valence",
    "arousal": "reference_values.arousal",
    "valence and arousal": "reference_values.valence and .arousal",
    "labels": "reference_labels",
    "label scores": "reference_labels and label_scores",
    "votes": "reference_votes and scores",
    "agreement": "reference_votes",
    "hit": "reference, or one word in reference_words",
    "wheel": "reference_words or reference",
    "synonyms": "reference_words, and groups of synonyms",
    "reason": "reference_reason",
}
"""What a row must hold for a metric, by `Metric.needs`."""


def _label(formula: Formula) -> Build:
    return over(lambda rows, c: label_scores.label_cases(rows, c.labels), formula)


def _probabilities(formula: Formula) -> Build:
    return over(lambda rows, c: label_scores.probability_cases(rows, c.labels), formula)


def _calibrated(formula: Formula) -> Build:
    return over(
        lambda rows, c: set_metrics.calibrated_cases(rows, c.labels, c.calibrated()), formula
    )


def _folds(formula: Formula) -> Build:
    return lambda rows, c: label_scores.fold_mean(rows, c.labels, formula)


def _sets(formula: Formula) -> Build:
    return over(lambda rows, c: multilabel.set_cases(rows, c.labels, c.thresholds), formula)


def _ranked(area: ranking.Area) -> Build:
    return lambda rows, c: multilabel.rank_metric(rows, c.labels, area)


def _sign(form: continuous.Sign, formula: Formula) -> Build:
    return over(lambda rows, c: continuous.sign_cases(rows, form), formula)


def _ccc(*names: str) -> Build:
    return lambda rows, c: continuous.concordance(rows, *names)


def _merged(part: synonyms.Part) -> Build:
    return lambda rows, c: synonyms.merged_overlap(rows, c.groups(), part)


def _ew(part: wheels.Part, level: int = 1, mapping: wheels.Mapping = Published) -> Build:
    return lambda rows, c: wheels.open_vocabulary(rows, mapping(c.tables(), level), part)


def _hit(part: wheels.Part, level: int = 1, mapping: wheels.Mapping = Published) -> Build:
    return lambda rows, c: wheels.hit_rate(rows, mapping(c.tables(), level), part)


_NUMBER: Read = lambda rows, c: continuous.one_number(rows)  # noqa: E731
_SENTIMENT: Read = lambda rows, c: continuous.sentiment_cases(rows)  # noqa: E731
_HIT_BESIDE = ("hit_rate_corrected", "hit_precision_corrected")
_EW: dict[wheels.Part, str] = {"precision": "precision", "recall": "recall", "f": "F"}
_CLIPPED: Read = lambda rows, c: continuous.clipped_cases(rows, 1.0)  # noqa: E731
_MMSA, _UNIBENCH, _V2 = "MMSA (ACL 2022)", "AffectGPT MER-UniBench", "Emotion-LLaMA-v2"

METRICS: dict[str, Metric] = {
    "weighted_f1": Metric(
        "weighted F1", "label", _label(formulas.weighted_f1),
        "F1 of each label, weighted by its true support", "MER challenges (WAF), MELD",
    ),
    "accuracy": Metric(
        "accuracy (WAR)", "label", _label(formulas.accuracy), "share of right answers",
        short="accuracy",
    ),
    "uar": Metric(
        "UAR (macro recall)", "label", _label(formulas.uar),
        "mean recall of the labels that the truth holds", short="UAR",
    ),
    "macro_f1": Metric(
        "macro F1", "label", _label(formulas.macro_f1),
        "mean F1 of the labels that the truth holds",
    ),
    "macro_f1_union": Metric(
        "macro F1, truth or answers", "as published", _label(formulas.macro_f1_union),
        "mean F1 of the labels that truth or answers hold", "EmoBox", beside=("macro_f1",),
    ),
    "nll": Metric(
        "negative log-likelihood", "probabilities", _probabilities(formulas.nll),
        "mean of minus the log of the true label's probability", lower_is_better=True,
    ),
    "brier": Metric(
        "Brier score (0 to 2)", "probabilities", _probabilities(formulas.brier),
        "sum over labels of the squared error of the probabilities", "Brier (1950)", True,
    ),
    "ece": Metric(
        "calibration error (ECE)", "probabilities", _probabilities(formulas.ece),
        "distance between confidence and accuracy, over 15 bins", "Guo et al. (2017)", True,
    ),
    "coverage": Metric(
        "coverage of the sets of labels", "calibration",
        lambda rows, c: set_metrics.covered(rows, c.labels, c.calibrated()),
        "share of clips whose set of labels holds the true one",
    ),
    "set_size": Metric(
        "labels in a set, mean", "calibration",
        lambda rows, c: set_metrics.set_size(rows, c.labels, c.calibrated()),
        "mean number of labels in the set of a clip", lower_is_better=True,
    ),
    "abstained": Metric(
        "abstained", "calibration",
        lambda rows, c: set_metrics.abstained(rows, c.labels, c.calibrated()),
        "share of clips whose set holds more than half of the labels", lower_is_better=True,
    ),
    "nll_calibrated": Metric(
        "negative log-likelihood, calibrated", "calibration", _calibrated(formulas.nll),
        "nll after the temperature", "Guo et al. (2017)", True, beside=("nll",),
    ),
    "ece_calibrated": Metric(
        "calibration error (ECE), calibrated", "calibration", _calibrated(formulas.ece),
        "ece after the temperature", "Guo et al. (2017)", True, beside=("ece",),
    ),
    "weighted_f1_upstream": Metric(
        "weighted F1, unread is neutral", "as published",
        over(lambda rows, c: label_scores.upstream_cases(rows, c.labels), formulas.weighted_f1),
        "weighted F1 where an answer that names no label counts as neutral", "Emotion-LLaMA",
        beside=("weighted_f1",),
    ),
    "war_folds": Metric(
        "WAR, mean over folds", "folds", _folds(formulas.accuracy),
        "mean over folds of the accuracy within each", "DFER-CLIP", beside=("accuracy",),
    ),
    "uar_folds": Metric(
        "UAR, mean over folds", "folds", _folds(formulas.uar),
        "mean over folds of the UAR within each", "DFER-CLIP", beside=("uar",),
    ),
    "mer2023": Metric(
        "MER2023: F1 - 0.25 MSE", "mer2023",
        lambda rows, c: label_scores.mer2023_combined(rows, c.labels),
        "weighted F1 minus a quarter of the squared error of valence", "MER2023, MULTI and NOISE",
        short="weighted F1 - 0.25 MSE",
    ),
    "acc2_nonneg": Metric(
        "Acc-2, negative / non-negative", "sentiment", _sign("nonneg", formulas.accuracy),
        "share of clips on the same side of 0, 0 being non-negative", _MMSA,
    ),
    "f1_nonneg": Metric(
        "F1, negative / non-negative", "sentiment", _sign("nonneg", formulas.weighted_f1),
        "weighted F1 of the same two classes", _MMSA,
    ),
    "acc2_pos": Metric(
        "Acc-2, negative / positive", "sentiment", _sign("pos", formulas.accuracy),
        "share of clips on the same side of 0, those with a true 0 left out", _MMSA,
    ),
    "f1_pos": Metric(
        "F1, negative / positive", "sentiment", _sign("pos", formulas.weighted_f1),
        "weighted F1 of the same two classes", _MMSA,
    ),
    "acc2_affectgpt": Metric(
        "AffectGPT: Acc-2", "sentiment as published", _sign("affectgpt", formulas.accuracy),
        "as acc2_pos, a clip without an answer having answered 0", _UNIBENCH,
        beside=("acc2_pos",),
    ),
    "f1_affectgpt": Metric(
        "AffectGPT: WAF", "sentiment as published", _sign("affectgpt", formulas.weighted_f1),
        "as f1_pos, a clip without an answer having answered 0", _UNIBENCH, beside=("f1_pos",),
    ),
    "acc2_emotion_llama_v2": Metric(
        "Emotion-LLaMA-v2: Acc-2", "sentiment as published",
        _sign("emotion-llama-v2", formulas.accuracy),
        "as acc2_pos, and an answer of 0 or none is wrong", _V2,
    ),
    "f1_emotion_llama_v2": Metric(
        "Emotion-LLaMA-v2: F1", "sentiment as published",
        _sign("emotion-llama-v2", formulas.weighted_f1),
        "as f1_pos, and an answer of 0 or none is wrong", _V2,
    ),
    **{
        f"acc{2 * bound + 1}": Metric(
            f"Acc-{2 * bound + 1}", "sentiment",
            over(_SENTIMENT, partial(same_class, graded=rounded_within(bound))),
            f"share of clips with the same grade from -{bound} to {bound}", _MMSA,
        )
        for bound in (1, 2, 3)
    },
    "mae": Metric(
        "MAE", "sentiment", over(_NUMBER, regression.mae), "mean absolute error", _MMSA, True,
    ),
    "pearson": Metric(
        "Pearson r", "sentiment", over(_NUMBER, regression.pearson), "linear correlation", _MMSA,
    ),
    "sims_acc2": Metric(
        "SIMS: Acc-2", "sentiment as published", _sign("sims", formulas.accuracy),
        "share of clips on the same side of 0, 0 being negative", _MMSA,
    ),
    "sims_f1": Metric(
        "SIMS: F1", "sentiment as published", _sign("sims", formulas.weighted_f1),
        "weighted F1 of the same two classes", _MMSA,
    ),
    "sims_acc3": Metric(
        "SIMS: Acc-3", "sentiment as published",
        over(_SENTIMENT, partial(same_class, graded=between(-0.1, 0.1))),
        "share of clips between the same of two cuts", _MMSA,
    ),
    "sims_acc5": Metric(
        "SIMS: Acc-5", "sentiment as published",
        over(_SENTIMENT, partial(same_class, graded=between(-0.7, -0.1, 0.1, 0.7))),
        "share of clips between the same of four cuts", _MMSA,
    ),
    "sims_mae": Metric(
        "SIMS: MAE", "sentiment as published", over(_CLIPPED, regression.mae),
        "mean absolute error, truth and answers clipped to -1..1", _MMSA, True, beside=("mae",),
    ),
    "sims_pearson": Metric(
        "SIMS: Pearson r", "sentiment as published", over(_CLIPPED, regression.pearson),
        "linear correlation, truth and answers clipped to -1..1", _MMSA, beside=("pearson",),
    ),
    "ccc_valence": Metric(
        "CCC, valence", "valence", _ccc("valence"),
        "concordance correlation over all frames of all clips", "Lin (1989)",
    ),
    "ccc_arousal": Metric(
        "CCC, arousal", "arousal", _ccc("arousal"),
        "concordance correlation over all frames of all clips", "Lin (1989)",
    ),
    "ccc_mean": Metric(
        "CCC, mean of both", "valence and arousal", _ccc("valence", "arousal"),
        "mean of the CCC of valence and of arousal, by which ABAW ranks", "Lin (1989)",
    ),
    "micro_f1": Metric(
        "micro F1", "labels", _sets(formulas.micro_f1), "F1 of all labels' counts together",
    ),
    "macro_f1_multilabel": Metric(
        "macro F1 over labels", "labels", _sets(formulas.macro_f1_multilabel),
        "mean F1 over all labels", short="macro F1",
    ),
    "samples_f1": Metric(
        "samples F1", "labels", _sets(formulas.samples_f1),
        "mean over samples of the F1 of the answered set",
    ),
    "jaccard": Metric(
        "Jaccard", "labels", _sets(formulas.jaccard),
        "mean over samples of common labels to labels in either set",
    ),
    "map": Metric(
        "mAP", "label scores", _ranked(ranking.average_precision),
        "mean over labels of the average precision of their scores",
    ),
    "auc": Metric(
        "AUC", "label scores", _ranked(ranking.roc_auc),
        "mean over labels of the area under the ROC curve",
    ),
    **votes.METRICS,
    "hit_rate": Metric(
        "hit rate", "hit", _hit("hit_rate"),
        "share of clips whose one true category is among the answered ones", _UNIBENCH,
        beside=_HIT_BESIDE,
    ),
    "m_score": Metric(
        "m-score", "hit", _hit("m_score"), "hits divided by the number of answered categories",
        _UNIBENCH, beside=_HIT_BESIDE,
    ),
    "hit_rate_level2": Metric(
        "hit rate, level 2", "hit", _hit("hit_rate", 2), "hit rate on the middle ring",
    ),
    "m_score_level2": Metric(
        "m-score, level 2", "hit", _hit("m_score", 2), "m-score on the middle ring",
    ),
    "hit_rate_corrected": Metric(
        "hit rate, corrected", "hit", _hit("hit_rate", 1, Corrected),
        "hit rate with the corrected mapping of words",
    ),
    "hit_precision_corrected": Metric(
        "its precision, corrected", "hit", _hit("m_score", 1, Corrected),
        "hits divided by the number of answered categories, with the corrected mapping",
    ),
    "ew_score": Metric(
        "EW score of the challenge", "wheel", lambda rows, c: wheels.headline(rows, c.tables()),
        "what the challenge of the tables' year ranks by", "MER2025, MER2026",
        beside=("ew_f_corrected",),
    ),
    "ew_precision": Metric(
        "EW precision", "wheel", _ew("precision"),
        "mean share of the answered categories that are true", "MER2025, MER2026",
        beside=("ew_precision_corrected",),
    ),
    "ew_recall": Metric(
        "EW recall", "wheel", _ew("recall"), "mean share of the true categories that are answered",
        "MER2025, MER2026", beside=("ew_recall_corrected",),
    ),
    "ew_f": Metric(
        "EW F", "wheel", _ew("f"), "harmonic mean of EW precision and EW recall",
        "MER2025, MER2026", beside=("ew_f_corrected",),
    ),
    **{
        f"ew_{part}_level2": Metric(
            f"EW {title}, level 2", "wheel", _ew(part, 2), f"EW {title} on the middle ring",
            "MER2025",
        )
        for part, title in _EW.items()
    },
    **{
        f"ew_{part}_corrected": Metric(
            f"EW {title}, corrected", "wheel", _ew(part, 1, Corrected),
            f"EW {title} with the corrected mapping of words",
        )
        for part, title in _EW.items()
    },
    "mer2024_ov": Metric(
        "MER2024-OV: mean of both", "synonyms", _merged("mean"),
        "mean of set accuracy and set recall", "MER2024",
        beside=("mer2024_ov_accuracy", "mer2024_ov_recall"),
    ),
    "mer2024_ov_accuracy": Metric(
        "MER2024-OV: set accuracy", "synonyms", _merged("accuracy"),
        "mean share of the answered words that are true, synonyms merged", "MER2024",
    ),
    "mer2024_ov_recall": Metric(
        "MER2024-OV: set recall", "synonyms", _merged("recall"),
        "mean share of the true words that are answered, synonyms merged", "MER2024",
    ),
    "clue_overlap": Metric(
        "clue overlap", "reason", lambda rows, c: overlap.overlap(rows, c.asked(), "clue"),
        "a judge's mark, 1 to 10, for the clues that two descriptions share, as in EMER",
    ),
    "label_overlap": Metric(
        "label overlap", "reason", lambda rows, c: overlap.overlap(rows, c.asked(), "label"),
        "a judge's mark, 1 to 10, for the emotions that two descriptions share, as in EMER",
    ),
}  # fmt: skip

REPORTED = ("weighted_f1", "accuracy", "uar", "macro_f1", "nll", "brier", "ece")
"""What a report gives."""
JUDGED = ("clue_overlap", "label_overlap")
"""What a judge is asked for."""
COMPARED = REPORTED[:4]
"""What a report can compare systems and channels by."""
