"""Metrics under a publisher's name, against numbers that the publisher's own code gave.

golden/published.json holds small inputs and what each publisher's functions returned for them on
this project's machine; `source` names repository, commit, path and function. None of that code is
here. The tables of the wheels are those of `wheel_made`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from emollama.manifest.labels import get_label_set
from emollama.scoring.metrics.context import Context
from emollama.scoring.metrics.overlap import rating
from emollama.scoring.metrics.registry import METRICS
from emollama.scoring.predictions.parsing import parse_again
from emollama.scoring.predictions.prediction import Prediction
from emollama.scoring.readers.public import read_public
from emollama.scoring.wheels.wheel_tables import read_wheel_tables

from .wheel_made import write_tables

CASES: list[dict[str, Any]] = json.loads(
    (Path(__file__).parent / "golden" / "published.json").read_text(encoding="utf-8")
)
NO_CODE = {"Brier (1950)", "Guo et al. (2017)", "Lin (1989)", "Lin (1991)"}
"""Papers that give a formula: held against scikit-learn and numpy in
`test_metrics`, `test_measures` and `test_votes`."""


def rows_of(case: dict[str, Any], folder: Path) -> list[Prediction]:
    if "jsonl" in case:
        path = folder / f"{case['file']}.jsonl"
        path.write_text("\n".join(json.dumps(line) for line in case["jsonl"]))
        found = read_public(path, "emotion-llama-v2", split="test")
        return parse_again(found.rows, found.header.labels, "exact")
    rows = []
    for number, given in enumerate(case["rows"]):
        fields: dict[str, Any] = {"id": given.get("id", f"{number:03d}"), "fold": given.get("fold")}
        if "label" in given:
            fields |= dict(zip(("reference", "label"), given["label"], strict=True))
        if "answer" in given:
            fields |= dict(zip(("reference", "answer"), given["answer"], strict=True))
        for name in ("sentiment", "valence"):
            if name in given:
                for side, value in zip(("reference_values", "values"), given[name], strict=True):
                    fields |= {side: {name: value} if value is not None else None}
        if "words" in given:
            true, said = given["words"]
            fields |= {"reference_words": tuple(true), "words": tuple(said)}
        rows.append(Prediction(**fields))
    if "answer" in case["rows"][0]:
        rows = parse_again(rows, get_label_set("mer2023"), "upstream")
    return rows


@pytest.mark.parametrize("case", [c for c in CASES if "values" in c], ids=lambda c: c["source"])
def test_the_publishers_code_gave_these_numbers(case: dict[str, Any], tmp_path: Path) -> None:
    rows = rows_of(case, tmp_path)
    labels = get_label_set(case.get("labels", "mer2023"))
    if case.get("file") == "labels":
        labels = read_public(tmp_path / "labels.jsonl", "emotion-llama-v2").header.labels
    wheel = read_wheel_tables(write_tables(tmp_path), case["wheel"]) if "wheel" in case else None
    context = Context(labels, wheel, synonyms=case.get("synonyms"))
    for name, value in case["values"].items():
        assert METRICS[name].build(rows, context).value() == pytest.approx(value, abs=1e-12), name


def test_every_metric_with_a_publishers_name_has_a_case() -> None:
    held = {name for case in CASES for name in case.get("values", ())}
    named = {n for n, m in METRICS.items() if m.publisher and m.publisher not in NO_CODE}
    assert named - held == set()


def test_a_judges_mark_is_read_as_published() -> None:
    (case,) = [c for c in CASES if "marks" in c]
    assert [rating(text) for text, _ in case["marks"]] == [mark for _, mark in case["marks"]]


def test_v2_answers_in_a_file_are_its_sentiment(tmp_path: Path) -> None:
    """The same numbers through the reader as from the numbers themselves."""
    (case,) = [c for c in CASES if c.get("file") == "sentiment"]
    told = {k: v for k, v in case.items() if k not in ("jsonl", "file")}
    context = Context(get_label_set("mvsa"))
    for name in case["values"]:
        one, two = (METRICS[name].build(rows_of(c, tmp_path), context) for c in (case, told))
        assert one.value() == two.value()
        assert sum(one.failures.values()) == sum(two.failures.values()) == 2
