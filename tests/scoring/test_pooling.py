"""Files of several folds: what may differ between them, and what is said of each."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from emollama.base.errors import EmollamaError
from emollama.scoring.metrics.context import Context
from emollama.scoring.predictions.pooling import pooled
from emollama.scoring.predictions.prediction import Prediction
from emollama.scoring.predictions.predictions import Header, read_predictions, write_predictions
from emollama.scoring.report.scoring import score_predictions, write_scores

from .made import MER2023

HEADER = Header(labels=MER2023, corpus="dfew", split="test", model="fold1")


def fold(path: Path, number: int, header: dict[str, Any] | None = None, **row: Any) -> Path:
    rows = [
        Prediction(id=f"{number}-{i}", reference="happy", label="happy", **row) for i in range(4)
    ]
    write_predictions(path / f"{number}.jsonl", HEADER.model_copy(update=header or {}), rows)
    return path / f"{number}.jsonl"


@pytest.mark.parametrize(
    ("header", "row", "message"),
    [
        (
            {},
            {"channels": ("face",)},
            "from 'model' with face, those of .*1.jsonl from 'model' with v",
        ),
        ({}, {"system": "other"}, "from 'other' with"),
        ({"corpus": "meld"}, {}, "has corpus 'meld', but .*1.jsonl has 'dfew'"),
        ({"split": "train"}, {}, "has split 'train', but .*1.jsonl has 'test'"),
    ],
)
def test_a_file_that_is_no_fold_of_the_others_is_refused(
    tmp_path: Path, header: dict[str, Any], row: dict[str, Any], message: str
) -> None:
    paths = [fold(tmp_path, 1), fold(tmp_path, 2, header, **row), fold(tmp_path, 3)]
    with pytest.raises(EmollamaError, match=message) as error:
        pooled([read_predictions(p) for p in paths])
    assert str(error.value).startswith(str(paths[1])) and "\n" not in str(error.value)


def test_each_fold_has_a_model_and_a_split_file_of_its_own(tmp_path: Path) -> None:
    paths = [fold(tmp_path, n, {"model": f"fold{n}", "split_sha256": str(n) * 64}) for n in (1, 2)]
    parts = [read_predictions(p) for p in paths]
    result = score_predictions(pooled(parts), Context(MER2023), ["war_folds"], resamples=100)
    file = result["file"]
    assert file["split_sha256"] is None
    assert [(f["name"], f["sha256"], f["split_sha256"]) for f in file["folds"]] == [
        ("1.jsonl", parts[0].sha256, "1" * 64), ("2.jsonl", parts[1].sha256, "2" * 64),
    ]  # fmt: skip
    write_scores(tmp_path / "out", result)
    page = (tmp_path / "out/metrics.md").read_text()
    assert f"`2.jsonl`: SHA-256 `{parts[1].sha256}`, split file `{'2' * 64}`" in page
    one = score_predictions(parts[0], Context(MER2023), ["uar"], resamples=100)
    write_scores(tmp_path / "one", one)
    kept = json.loads((tmp_path / "one/metrics.json").read_text())
    assert kept["file"]["split_sha256"] == "1" * 64 and "folds" not in kept["file"]
    assert f"split file `{'1' * 64}`" in (tmp_path / "one/metrics.md").read_text()
