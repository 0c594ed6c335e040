"""What a report found, in plain sentences: a loss as plainly as a gain."""

from __future__ import annotations

from typing import Any

from emollama.scoring.predictions.prediction import set_name
from emollama.scoring.predictions.systems import JOINT, LATE
from emollama.scoring.report.tables import METRIC_NAMES

_NAMED = {JOINT: JOINT, LATE: f"{LATE} of logistic regressions"}
"""The baselines that a sentence is about."""

FEWEST = 10
"""Samples below which nothing is called better or worse: a bootstrap of so few draws the same
samples again and again, and its interval is too narrow."""


def findings(report: dict[str, Any]) -> list[str]:
    """Sentences about a report's comparisons, each with its numbers."""
    metric = METRIC_NAMES[report["metric"]]
    system = f"the {report['system']}"
    sentences = [
        _compared(
            system,
            f"the {_NAMED[other['system']]} on {set_name(other['channels'])}",
            metric,
            other["difference"],
        )
        for other in report["others"]
        if other["system"] in _NAMED
    ]
    gain = report["modality"]["fusion_gain"].get(report["system"])
    if gain is not None:
        one = f"with its best single channel ({gain['b']})"
        sentences.append(
            _compared(f"{system} with {gain['a']}", one, metric, gain["difference"])
        )  # fmt: skip
    if report["faithfulness"] is not None:
        difference = report["faithfulness"]["difference"]
        others = "the same reasons assigned to other clips"
        sentences.append(_compared("its reasons", others, "clue F1", difference, many=True))
    if report["label_naming"] is not None:
        named = report["label_naming"]
        sentences.append(
            f"Its reasons name the right label in {named['own']['value']:.3f} of clips, the same "
            f"reasons assigned to other clips in {named['shuffled']['value']:.3f}: "
            f"{_numbers(named['difference'])}."
        )
    failed = sum(report["failures"].values())
    if failed:
        n = report["scores"]["accuracy"]["n_scored"]
        sentences.append(f"{failed} of {n} answers named no label and count as wrong.")
    return sentences


def _compared(
    a: str, b: str, metric: str, difference: dict[str, Any], *, many: bool = False
) -> str:  # fmt: skip
    """'The model is better than the majority class in UAR: +0.1 [+0.0, +0.2], p = 0.01, n = 9.'"""
    if difference["n"] < FEWEST:
        text = f"too few samples to compare {a} and {b} in {metric}"
        return f"{text[0].upper()}{text[1:]}: {difference['value']:+.3f}, n = {difference['n']}."
    if difference["ci_low"] <= 0 <= difference["ci_high"]:
        text = f"no significant difference between {a} and {b} in {metric}"
    else:
        better = "better" if difference["ci_low"] > 0 else "worse"
        text = f"{a} {'are' if many else 'is'} {better} than {b} in {metric}"
    return f"{text[0].upper()}{text[1:]}: {_numbers(difference)}."


def _numbers(difference: dict[str, Any]) -> str:
    text = "{value:+.3f} [{ci_low:+.3f}, {ci_high:+.3f}], p = {p:.3f}, n = {n}"
    return text.format(**difference)
