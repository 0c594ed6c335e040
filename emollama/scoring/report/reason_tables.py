"""The tables of a report about reasons."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from emollama.scoring.predictions.systems import JOINT
from emollama.scoring.report.cells import Table, difference_text, score_text

_ASSIGNED = "the same reasons assigned to other clips"


def faithfulness_table(report: dict[str, Any]) -> Table:
    """Clues in the reasons, in the same shuffled, and in the template's."""
    found = report["faithfulness"]
    rows = [
        (name, *(score_text(found[key][m]) for m in ("precision", "recall", "f1")))
        for name, key in (
            ("reasons", "own"),
            (_ASSIGNED, "shuffled"),
        )
    ]
    if (template := report.get("template")) is not None:
        its = template["own"]
        cells = (score_text(its[m]) for m in ("precision", "recall", "f1"))
        rows.append((f"{JOINT}, template of the measured clues", *cells))
    f1 = found["own"]["f1"]
    return Table(
        "Clues in the reasons against the clues in the clip",
        ("", "precision", "recall", "F1"),
        tuple(rows),
        f"Difference in F1: {difference_text(found['difference'])}. "
        f"{f1['n_scored']} of {f1['n_total']} clips; "
        f"{found['without_clue']} reasons name no clue and score 0.",
    )


def naming_table(report: dict[str, Any]) -> Table:
    """Whether reasons name the label of their clip."""
    found = report["label_naming"]
    rows = (
        ("reasons", score_text(found["own"])),
        (_ASSIGNED, score_text(found["shuffled"])),
        ("reasons that name it and no other label", score_text(found["only"])),
    )
    own = found["own"]
    return Table(
        "Reasons that name the clip's label",
        ("", "share"),
        rows,
        f"Difference: {difference_text(found['difference'])}. "
        f"{own['n_scored']} of {own['n_total']} clips.",
    )


def twin_tables(found: dict[str, Any]) -> Iterator[Table]:
    """What becomes of reasons and labels when one cue changes."""
    reasons = dict(found["reasons"])
    if found["shuffled"] is not None:
        reasons[_ASSIGNED] = found["shuffled"]
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
    lacking = [s for s in found["labels"].values() if s["n_scored"] < s["n_total"]]
    yield Table(
        "Twins: labels when one cue changes",
        ("system", "pairs whose labels differ"),
        tuple((system, score_text(s)) for system, s in found["labels"].items()),
        f"{lacking[0]['n_scored']} of {lacking[0]['n_total']} pairs: of the others a clip has no "
        "answer." if lacking else "",
    )  # fmt: skip
