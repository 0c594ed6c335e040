"""Every table on reasons: what counts as hallucinated, and whose reasons stand beside."""

from __future__ import annotations

from pathlib import Path

import pytest

from emollama.evaluation.known_clues import vocabulary_of
from emollama.manifest.labels import LabelSet
from emollama.scoring.metrics.hallucination import hallucination
from emollama.scoring.predictions.prediction import Prediction
from emollama.scoring.predictions.predictions import Header, Predictions
from emollama.scoring.predictions.systems import JOINT, TEMPLATE, WITHOUT_CLUES
from emollama.scoring.report.reason_tables import reason_tables
from emollama.scoring.report.report import build_report

LABELS = LabelSet("two", ("sad", "happy"))
PROBE = vocabulary_of("probe")
HELD = ("AU12", "pitch=low", "words=sad")


def row(name: str, reason: str | None, system: str = "model", **more: object) -> Prediction:
    fields = {"reference": "sad", "label": "sad", "clues": HELD, "reason": reason, **more}
    return Prediction(id=name, system=system, **fields)


def test_named_clues_that_are_not_in_the_clip_by_kind() -> None:
    assert PROBE is not None
    rows = [
        row("a", "lip corners pulled up, a low pitch and a painful loss"),  # all three are there
        row("b", "a high pitch, a dropped jaw and good news"),  # opposite, unit, other
        row("c", "a low pitch", lacks=("voice",)),  # of what the clip has no sound of
        row("d", "It says nothing."),
        row("e", None),
    ]
    found = hallucination(rows, PROBE, resamples=50)
    assert found is not None
    own = found.own
    kinds = (own.all, own.absent, own.unit, own.opposite, own.other)
    assert [s.value for s in kinds] == pytest.approx([4 / 7, *[1 / 7] * 4])
    assert (own.all.n_scored, own.all.n_total) == (4, 5) and own.all.ci_low is not None
    assert hallucination(rows[-2:], PROBE, resamples=50) is None
    silent = [row(n, "It says nothing.") for n in "ab"]
    nothing = hallucination(silent, PROBE, resamples=50)
    assert nothing is not None and nothing.own.all.value is None


def test_every_table_has_the_same_rows() -> None:
    ends = "So the emotion is {}."
    twin = {"pair": "p", "differs": "pitch"}, {"pair": "q", "differs": "pitch"}
    rows = []
    for k, name in enumerate(("p-a", "p-b", "q-a", "q-b")):
        pitch = "low" if k % 2 else "high"
        more = {**twin[k // 2], "clues": (f"pitch={pitch}", "words=sad")}
        mine = ends.format("happy" if k == 3 else "sad")
        rows += [
            row(name, f"A {pitch} pitch. {mine}", **more),
            row(name, f"A {pitch} pitch. {ends.format('sad')}", TEMPLATE, **more),
            row(name, f"A high pitch. {ends.format('sad')}", WITHOUT_CLUES, **more),
            row(name, f"A {pitch} pitch. {ends.format('happy')}", JOINT, **more)
            .model_copy(update={"label": "happy" if k else "sad"}),
        ]  # fmt: skip
    # The regression has a reason for every clip; only those of the model's clips are compared.
    rows += [row("z", None), row("z", ends.format("happy"), JOINT)]
    everything = Predictions(Header(labels=LABELS, corpus="probe"), tuple(rows), Path("p"))
    report = build_report(everything, vocabulary=PROBE, resamples=50)
    assert [o["system"] for o in report["others"]] == [JOINT]
    assert report["consistency"]["own"]["value"] == 3 / 4
    beside = report["reasons_beside"]
    assert beside[JOINT]["consistency"]["own"]["value"] == 3 / 4
    assert beside[JOINT]["label_naming"]["own"]["value"] == 0
    assert beside[WITHOUT_CLUES]["hallucination"]["own"]["opposite"]["value"] == 1 / 2
    assert report["hallucination"]["own"]["all"]["value"] == 0
    tables = {t.title.partition(":")[0]: t for t in reason_tables(report)}
    whose = ["reasons", "the same reasons assigned to other clips", TEMPLATE, WITHOUT_CLUES,
             f"{JOINT} + template"]  # fmt: skip
    for title in ("Clues in the reasons against the clues in the clip", "Hallucinated clues",
                  "Reasons that come to the answer they are given with"):  # fmt: skip
        assert [cells[0] for cells in tables[title].rows] == whose, title
    twins = report["twins"]
    assert list(twins["reasons"]) == ["model", TEMPLATE, WITHOUT_CLUES, JOINT]
    assert twins["reasons"][WITHOUT_CLUES]["recall"]["value"] == 0
    assert list(twins["labels"]) == ["model", JOINT]
    assert twins["label_difference"]["value"] == -1 / 2
