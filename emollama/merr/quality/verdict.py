"""Whether one may train on a set, in words, from stated thresholds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

LEAST_AGREEMENT, GOOD_AGREEMENT = 0.4, 0.6
"""Of face and voice: below the first no set is trained on unread, from the second on as it is."""
LEAST_CLIPS = 100
MOST_OF_A_LABEL = 0.6
MOST_REJECTED = 0.2
LEAST_TRUE = 0.5
_PAIR = "face and voice"


def verdict(report: Mapping[str, Any]) -> list[str]:
    """The sentences of a report's head: the verdict first, then what speaks against the set.

    Args:
        report: as `run_report` makes it.
    """
    against, read = [], False
    pair = next((row for row in report["agreement"] if row["pair"] == _PAIR), None)
    if pair is None:
        against.append(f"{_PAIR} cannot be compared, so nothing vouches for a label")
    else:
        told = f"{_PAIR} agree in {100 * pair['equal']:.0f} % of {pair['clips']} clips"
        read = pair["equal"] < GOOD_AGREEMENT
        if pair["equal"] < LEAST_AGREEMENT:
            against.append(f"{told} (at least {100 * LEAST_AGREEMENT:.0f} % are wanted)")
    right = _accuracy(report.get("against the truth", {}))
    if right is not None and right < LEAST_TRUE:
        against.append(
            f"the label is the true one in {100 * right:.0f} % "
            f"(at least {100 * LEAST_TRUE:.0f} % are wanted)"
        )
    labels = report["labels"]
    total = sum(labels.values())
    most = max(labels, key=lambda name: labels[name], default=None)
    if most is not None and labels[most] > MOST_OF_A_LABEL * total:
        against.append(f"{100 * labels[most] / total:.0f} % of the clips are {most}")
    rejected = report["refinement"]["rejected"]
    if rejected is not None and rejected > MOST_REJECTED:
        against.append(f"{100 * rejected:.0f} % of the reasons were rejected")
    if total < LEAST_CLIPS:
        against.append(f"there are {total} clips (at least {LEAST_CLIPS} are wanted)")
    if (distinct := report["diversity of reasons"].get("distinct texts", 1.0)) < 1:
        against.append(f"{100 * (1 - distinct):.0f} % of the reasons stand in the set twice")
    if against:
        first, *rest = against
        found = [f"{first[0].upper()}{first[1:]}: do not train on this unread."]
        return found + [f"{one[0].upper()}{one[1:]}." for one in rest]
    ending = "read a sample before training on this" if read else "this may be trained on"
    return [f"{told[0].upper()}{told[1:]}: {ending}."]


def _accuracy(truth: Mapping[str, Any]) -> float | None:
    """The share of true labels among the final ones, as `against.compare` stores it."""
    found = truth.get("final label", {}).get("accuracy")
    return None if found is None else float(found)
