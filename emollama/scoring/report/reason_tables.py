"""The tables of a report about reasons.

Every table has the same rows: the reasons of the system that is evaluated, the same reasons
assigned to other clips, and those that the report has to compare with (`OF_REASONS`, and the
regression's, which are the template of the measured clues, too).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from emollama.scoring.predictions.systems import JOINT
from emollama.scoring.report.cells import Table, difference_text, score_text

_ASSIGNED = "the same reasons assigned to other clips"
_NAMES = {JOINT: f"{JOINT} + template"}


def reason_tables(report: dict[str, Any]) -> Iterator[Table]:
    """The tables of everything that was measured on reasons."""
    if report["faithfulness"] is not None:
        yield _faithfulness(report)
    if report["hallucination"] is not None:
        yield _hallucination(report)
    if report["label_naming"] is not None:
        yield _naming(report)
    if report["consistency"] is not None:
        yield _consistency(report)
    if "twins" in report:
        yield from twin_tables(report["twins"])


def _rows(report: dict[str, Any], part: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Whose reasons, and their scores in a part of the report."""
    yield "reasons", report[part]["own"]
    yield _ASSIGNED, report[part]["shuffled"]
    for system, its in report.get("reasons_beside", {}).items():
        if its[part] is not None:
            yield _NAMES.get(system, system), its[part]["own"]


def _faithfulness(report: dict[str, Any]) -> Table:
    """Clues in the reasons against those in the clip."""
    found = report["faithfulness"]
    f1 = found["own"]["f1"]
    return Table(
        "Clues in the reasons against the clues in the clip",
        ("", "precision", "recall", "F1"),
        tuple(
            (name, *(score_text(its[m]) for m in ("precision", "recall", "f1")))
            for name, its in _rows(report, "faithfulness")
        ),
        f"Difference in F1: {difference_text(found['difference'])}. "
        f"{f1['n_scored']} of {f1['n_total']} clips; "
        f"{found['without_clue']} reasons name no clue and score 0.",
    )


def _hallucination(report: dict[str, Any]) -> Table:
    """Named clues that are not in the clip."""
    kinds = ("all", "absent", "unit", "opposite", "other")
    return Table(
        "Hallucinated clues: shares of the clues that reasons name",
        ("", "not in the clip", "of an absent channel", "action unit that is not there",
         "opposite of the clip's", "other"),
        tuple(
            (name, *(score_text(its[kind]) for kind in kinds))
            for name, its in _rows(report, "hallucination")
        ),
        "Every named clue counts the same, so the first column is the sum of the others. "
        "Other: e.g. a high pitch where the pitch is ordinary, another kind of sentence.",
    )  # fmt: skip


def _naming(report: dict[str, Any]) -> Table:
    """Whether reasons name the label of their clip."""
    found = report["label_naming"]
    first, *others = [(name, score_text(its)) for name, its in _rows(report, "label_naming")]
    own = found["own"]
    return Table(
        "Reasons that name the clip's label",
        ("", "share"),
        (first, ("reasons that name it and no other label", score_text(found["only"])), *others),
        f"Difference: {difference_text(found['difference'])}. "
        f"{own['n_scored']} of {own['n_total']} clips.",
    )


def _consistency(report: dict[str, Any]) -> Table:
    """Whether reasons come to the answer that was given."""
    found = report["consistency"]
    return Table(
        "Reasons that come to the answer they are given with",
        ("", "share"),
        tuple((name, score_text(its)) for name, its in _rows(report, "consistency")),
        f"Difference: {difference_text(found['difference'])}. The last label that a reason "
        "concludes is compared with its system's own answer, right or wrong.",
    )


def twin_tables(found: dict[str, Any]) -> Iterator[Table]:
    """What becomes of reasons and labels when one cue changes."""
    reasons = {_NAMES.get(system, system): its for system, its in found["reasons"].items()}
    if found["shuffled"] is not None:
        first, *others = reasons.items()
        reasons = dict([first, (_ASSIGNED, found["shuffled"]), *others])
    rows = [
        (name, *(score_text(its[m]) for m in ("recall", "specificity")))
        for name, its in reasons.items()
    ]
    rows += [(f"by what changes: {kind}", score_text(s), "") for kind, s in found["kinds"].items()]
    if rows:
        yield Table(
            "Twins: reasons when one cue changes",
            ("reasons of", "change mentioned", "the rest unchanged"),
            tuple(rows),
            f"Model minus shuffled, changes mentioned: {difference_text(found['difference'])}. "
            "Each pair is two clips that are the same but for one cue.",
        )
    against = found["label_difference"]
    lacking = [s for s in found["labels"].values() if s["n_scored"] < s["n_total"]]
    notes = [f"Model minus {JOINT}: {difference_text(against)}."] if against else []
    if lacking:
        scored, total = (lacking[0][k] for k in ("n_scored", "n_total"))
        notes.append(f"{scored} of {total} pairs: of the others a clip has no answer.")
    yield Table(
        "Twins: labels when one cue changes",
        ("system", "pairs whose labels differ"),
        tuple((system, score_text(s)) for system, s in found["labels"].items()),
        " ".join(notes),
    )
