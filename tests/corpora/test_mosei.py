"""CMU-MOSEI in miniature: a pickle that runs nothing, transcripts, csd labels."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from emollama.base.errors import EmollamaError
from emollama.corpora.readers.opinions.mosei import prepare_mosei
from tests.corpora.trees import plant, samples_of


def part(*names: str, sentiment: float = 1.5) -> dict[str, Any]:
    n = len(names)
    return {
        "id": list(names),
        "raw_text": np.array([f"  words of {name}\n" for name in names], dtype=object),
        "regression_labels": np.full(n, sentiment, np.float32),
        "annotations": ["Positive"] * n,
        "audio": np.zeros((n, 2, 3), np.float32),
        "text_bert": np.zeros((n, 3, 2)),
    }


@pytest.fixture
def root(tmp_path: Path) -> Path:
    data = {"train": part("-a_b$_$0", "-a_b$_$1"), "valid": part("c$_$0"), "test": part("d$_$12")}
    root = plant(
        tmp_path / "mosei",
        {
            "aligned_50.pkl": pickle.dumps(data),
            "Raw/Transcript/Segmented/Combined/-a_b.txt": (
                "-a_b___0___0.0___4.57___first\n-a_b___1___4.57___9.5___second___word\n"
            ),
            "Raw/Transcript/Segmented/Combined/c.txt": "c___0___1.25___2.5___third\n",
            "Raw/Videos/Full/Combined/-a_b.mp4": b"x",
        },
    )
    with h5py.File(root / "CMU_MOSEI_Labels.csd", "w") as file:
        group = file.create_group("All Labels/data/-a_b")
        group["intervals"] = np.array([[4.56, 9.5], [30.0, 31.0]])
        group["features"] = np.array(
            [[1.5, 0, 0.3333333, 0.6666667, 1, 2, 3], [0] * 7], np.float32
        )  # fmt: skip
        file.create_group("All Labels/metadata")
    return root


def test_sentiment_words_spans_and_emotions(root: Path, tmp_path: Path) -> None:
    with pytest.raises(EmollamaError, match="no sample of split 'val' is usable"):
        prepare_mosei(root, tmp_path / "m.jsonl")
    plant(root, ["Raw/Videos/Full/Combined/c.mp4", "Raw/Videos/Full/Combined/d.avi"])
    plant(root, {"Raw/Transcript/Segmented/Combined/d.txt": "d___12___0___2___fourth\n"})
    (root / "Raw/Transcript/Segmented/Combined/-a_b.txt").write_text(
        "-a_b___1___4.57___9.5___second___word\n"
    )
    report = prepare_mosei(root, tmp_path / "m.jsonl")
    samples = samples_of(tmp_path / "m.jsonl")
    assert list(samples) == ["-a_b_1", "c_0", "d_12"]
    second, third, fourth = samples.values()
    assert third.targets.emotions is None and fourth.start == 0.0
    assert second.targets.emotions == {
        "happy": 0.0, "sad": 0.3333, "anger": 0.6667, "surprise": 1.0, "disgust": 2.0, "fear": 3.0,
    }  # fmt: skip
    assert (second.start, second.end, second.group) == (4.57, 9.5, "-a_b")
    assert second.text == "words of -a_b$_$1" and second.targets.sentiment == 1.5
    assert second.video == "mosei/Raw/Videos/Full/Combined/-a_b.mp4"
    assert second.targets.native == "Positive" and second.targets.emotion is None
    assert report.rejected == {"-a_b_0": "not in the raw transcripts"}
    assert "2 have no emotions within 0.1 s of their start" in report.notes
    assert "split 'train': 2 samples found, 16326 expected" in report.faults
    with pytest.raises(EmollamaError, match="split 'val': 1 samples found, 1871 expected"):
        prepare_mosei(root, tmp_path / "m.jsonl", strict=True)


def test_the_pickle_alone_and_mosi(root: Path, tmp_path: Path) -> None:
    alone = plant(tmp_path / "alone", {"aligned_50.pkl": (root / "aligned_50.pkl").read_bytes()})
    report = prepare_mosei(alone, tmp_path / "m.jsonl", corpus="mosi")
    assert report.splits == {"train": 2, "val": 1, "test": 1}
    assert "split 'test': 1 samples found, 686 expected" in report.faults
    assert samples_of(tmp_path / "m.jsonl")["d_12"].video is None
    with pytest.raises(EmollamaError, match=r"has none of label.csv, unaligned_50"):
        prepare_mosei(tmp_path, tmp_path / "m.jsonl")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"valid": {}}, "valid: 'id' must be a list"),
        ({"valid": part("-a_b$_$0")}, r"valid\[0\]: id '-a_b_0' is already at .*train\[0\]"),
        ({"test": part("d12")}, r"test\[0\]: id 'd12' must have the form"),
        ({"test": part("d$_$1", sentiment=4)}, r"test\[0\]: sentiment 4 is not from -3 to 3"),
        ({"test": part("d$_$1", sentiment=np.nan)}, "regression_labels: 'nan' is not a number"),
        ({"test": {**part("d$_$1"), "raw_text": []}}, "test: 0 of 'raw_text', 1 of 'id'"),
        ({"test": None}, "has no part 'test'"),
    ],
)
def test_pickles_of_another_form(tmp_path: Path, change: dict[str, Any], said: str) -> None:
    data = {"train": part("-a_b$_$0"), "valid": part("c$_$0"), "test": part("d$_$1"), **change}
    plant(tmp_path, {"aligned_50.pkl": pickle.dumps(data)})
    with pytest.raises(EmollamaError, match=said):
        prepare_mosei(tmp_path, tmp_path / "m.jsonl")


def test_transcripts_and_csd_of_another_form(root: Path, tmp_path: Path) -> None:
    (root / "CMU_MOSEI_Labels.csd").write_bytes(b"no HDF5")
    with pytest.raises(EmollamaError, match="is not a csd file"):
        prepare_mosei(root, tmp_path / "m.jsonl")
    with h5py.File(root / "CMU_MOSEI_Labels.csd", "w") as file:
        file.create_group("x/data/v").update({"features": [[1.0]], "intervals": [[0, 1]]})
    with pytest.raises(EmollamaError, match=r"'v': features must be \[n, 7\], not \[1, 1\]"):
        prepare_mosei(root, tmp_path / "m.jsonl")
    (root / "CMU_MOSEI_Labels.csd").unlink()
    plant(root, {"Raw/Transcript/Segmented/Combined/c.txt": "c___0___2.5___1.25___third\n"})
    with pytest.raises(EmollamaError, match=r"c.txt:1: 2.5 to 1.25 s is not a valid span"):
        prepare_mosei(root, tmp_path / "m.jsonl")
    plant(root, {"Raw/Transcript/Segmented/Combined/c.txt": "c___0___2.5\n"})
    with pytest.raises(EmollamaError, match=r"c.txt:1: must hold id___segment"):
        prepare_mosei(root, tmp_path / "m.jsonl")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"raw_text": ["a", ["b", "c"]]}, r"train\[1\]: raw_text: must be text, is \['b', 'c'\]"),
        ({"raw_text": [None, "b"]}, r"train\[0\]: raw_text: must be text, is None"),
        ({"id": [["v$_$1"], ["v$_$2"]]}, r"train\[0\]: id: must be text, is \['v\$_\$1'\]"),
        (
            {"id": np.array([["v", "1"], ["v", "2"]])},
            "'id' must be a list with one value per sample",
        ),
        ({"id": np.array("v$_$1")}, "'id' must be a list with one value per sample"),
        ({"annotations": [1, 2]}, r"train\[0\]: annotations: must be text, is 1"),
        ({"regression_labels": [[1.0], 2.0]}, r"regression_labels: '\[1.0\]' is not a number"),
    ],
)
def test_values_that_are_no_text_are_told(
    tmp_path: Path, change: dict[str, Any], said: str
) -> None:
    data = {"train": {**part("v$_$1", "v$_$2"), **change}, "valid": part("c$_$0")}
    plant(tmp_path, {"aligned_50.pkl": pickle.dumps({**data, "test": part("d$_$1")})})
    with pytest.raises(EmollamaError, match=said):
        prepare_mosei(tmp_path, tmp_path / "m.jsonl")


def test_columns_may_be_arrays_of_text_or_of_one_column(tmp_path: Path) -> None:
    given = {
        "id": np.array(["v$_$1", "v$_$2"], object), "raw_text": np.array([" a", "b"]),
        "regression_labels": np.array([[0.1], [-3]], np.float32),
    }  # fmt: skip
    data = {"train": {**part("v$_$1", "v$_$2"), **given}, "valid": part("c$_$0")}
    plant(tmp_path, {"aligned_50.pkl": pickle.dumps({**data, "test": part("d$_$1")})})
    prepare_mosei(tmp_path, tmp_path / "m.jsonl")
    first, second, *_ = samples_of(tmp_path / "m.jsonl").values()
    assert (first.id, first.text, first.targets.sentiment) == ("v_1", "a", 0.1)
    assert (second.id, second.targets.sentiment) == ("v_2", -3.0)


def test_a_csd_of_datasets_where_groups_belong(root: Path, tmp_path: Path) -> None:
    path = root / "CMU_MOSEI_Labels.csd"
    for made, said in (
        ({"x/data": np.zeros(3)}, "must hold one sequence with a group 'data'"),
        ({"x/data/v": np.zeros(3)}, "'v': must be a group of 'features' and 'intervals'"),
        ({"x/data/v/features/a": np.zeros(3)}, "'v': has no array 'features'"),
        ({"x/data/v/features": np.zeros((1, 7))}, "'v': has no array 'intervals'"),
        (
            {"x/data/v/features": np.zeros((1, 7)), "x/data/v/intervals": [[b"a", b"b"]]},
            r"intervals must be numbers \[1, 2\]",
        ),
    ):
        with h5py.File(path, "w") as file:
            file.update(made)
        with pytest.raises(EmollamaError, match=said):
            prepare_mosei(root, tmp_path / "m.jsonl")
