"""Result files of public systems, made here in their layouts, faults included."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import numpy as np
import pytest

from emollama.errors import EmollamaError
from emollama.evaluation.metrics import evaluate
from emollama.evaluation.readers.npz import read_npz
from emollama.evaluation.readers.public import read_public

from .made import MER2023
from .test_metrics import RELEASED


def test_emotion_llama_txt_gives_the_released_scores(tmp_path: Path) -> None:
    path = tmp_path / "MER2023.txt"
    path.write_text(f"accuracy 0.9053\n{np.array(RELEASED)}\n")
    found = read_public(path, "emotion-llama", MER2023)
    scores = evaluate(found.rows, MER2023, resamples=100)
    assert scores["weighted_f1"].value == pytest.approx(0.90358, abs=5e-6)
    assert scores["uar"].value == pytest.approx(0.8069, abs=5e-5) and len(found.rows) == 834
    path.write_text("accuracy 0.9\n[[1 2]\n [3 4]]\n")
    with pytest.raises(EmollamaError, match="no confusion matrix of 6 rows"):
        read_public(path, "emotion-llama", MER2023)


def test_emotion_llama_csv_with_references(tmp_path: Path) -> None:
    path, truth = tmp_path / "r.csv", tmp_path / "t.csv"
    path.write_bytes('\ufeffnames,chi_reasons\r\na,"He smiles,\nso he is glad."\r\nb,\r\n'.encode())
    truth.write_text("english,name,discrete,valence\nGlad.,a,happy,-10\nSad.,b,sadness,-2.5\n")
    a, b = read_public(path, "emotion-llama", MER2023, truth).rows
    assert a.reason == "He smiles,\nso he is glad." and a.reference_reason == "Glad."
    assert (a.reference, a.reference_values) == ("happy", None) and b.reason is None
    assert (b.reference, b.reference_values) == ("sad", {"valence": -2.5})
    path.write_text("name,label\na,HAPPINESS\nb,he is sad or angry\nc,\n")
    rows = read_public(path, "emotion-llama", MER2023).rows
    assert [r.label for r in rows] == ["happy", None, None]
    assert [r.parse_failure for r in rows][1:] == ["no one label in the answer", "empty"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("clip,label\na,sad\n", ":1: has no column of clips"),
        ("name,mood\na,sad\n", ":1: has no column of values"),
        ("name,label\na,sad\na,sad\n", ":3: 'a' is already on line 2"),
        ("name,label\n,sad\n", ":2: 'name' is empty"),
        ("name,valence\na,high\n", ":2: valence 'high' is not a number"),
        ("name,valence\na,nan\n", ":2: valence 'nan' is not finite"),
    ],
)
def test_a_bad_csv_is_one_line(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "r.csv"
    path.write_text(text)
    with pytest.raises(EmollamaError, match=message) as error:
        read_public(path, "emotion-llama", MER2023)
    assert str(error.value).startswith(str(path)) and "\n" not in str(error.value)


def test_mertools_scores_and_valence(tmp_path: Path) -> None:
    logits = np.array([[0, 0, 5, 0, 0, 0], [3, 0, 0, 0, 0, 0]], dtype=np.float32)
    path = tmp_path / "m.npz"
    np.savez(
        path, names=np.array(["a", "b"], dtype=object), emo_probs=logits,
        emo_labels=np.array([2, 3]), val_preds=np.array([[1.5], [0.0]]),
        val_labels=np.array([2.0, -10]),
    )  # fmt: skip
    a, b = read_public(path, "mertools", MER2023).rows
    assert (a.label, a.reference, a.id) == ("happy", "happy", "a") and b.label == "neutral"
    assert sum(a.scores.values()) == pytest.approx(1) and a.scores["happy"] > 0.9
    assert (a.values, a.reference_values) == ({"valence": 1.5}, {"valence": 2.0})
    assert b.reference == "sad" and b.reference_values is None
    np.savez(path, emo_probs=logits[:, :4])
    with pytest.raises(EmollamaError, match=r"shape \(2, 4\); 'mer2023' has 6 labels"):
        read_public(path, "mertools", MER2023)
    np.savez(path, names=np.array(["a", "a"]), emo_probs=logits)
    with pytest.raises(EmollamaError, match="'a' stands twice"):
        read_public(path, "mertools", MER2023)
    np.savez(path, other=logits)
    with pytest.raises(EmollamaError, match="holds neither emo_probs nor val_preds"):
        read_public(path, "mertools", MER2023)


def test_name2reason_is_read_without_unpickling(tmp_path: Path) -> None:
    path = tmp_path / "r.npz"
    np.savez_compressed(path, name2reason={"a": "He smiles. 他很高兴", "b": ""})
    a, b = read_public(path, "mertools", MER2023).rows
    assert (a.id, a.reason, b.reason) == ("a", "He smiles. 他很高兴", None)


def test_openset(tmp_path: Path) -> None:
    path = tmp_path / "x-openset.npz"
    names = np.array(["a", "b", "c"])
    np.savez(path, filenames=names, fileitems=np.array(["[sad, angry]", "['let down']", "[]"]))
    rows = read_public(path, "openset", MER2023).rows
    assert [r.words for r in rows] == [("sad", "angry"), ("let down",), ()]
    assert [r.parse_failure for r in rows] == [None, None, "no words"]
    ragged = np.empty(3, dtype=object)
    ragged[:] = [["sad", "angry"], ["glad"], []]
    np.savez(path, filenames=names, fileitems=ragged)
    assert read_public(path, "openset", MER2023).rows[0].words == ("sad", "angry")
    truth = tmp_path / "t.csv"
    truth.write_text('name,openset\na,"sad, hurt"\n')
    rows = read_public(path, "openset", MER2023, truth).rows
    assert rows[0].reference_words == ("sad", "hurt") and rows[1].reference_words is None
    truth.write_text("name,openset\nz,sad\n")
    with pytest.raises(EmollamaError, match="no name in common"):
        read_public(path, "openset", MER2023, truth)
    np.savez(path, filenames=names)
    with pytest.raises(EmollamaError, match="holds no 'fileitems'"):
        read_public(path, "openset", MER2023)


class Runs:
    """Makes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple:
        return os.mkdir, (str(self.path),)


class Evals:
    def __reduce__(self) -> tuple:
        return eval, ("1/0",)


def test_no_code_of_a_file_runs(tmp_path: Path) -> None:
    path, planted = tmp_path / "bad.npz", tmp_path / "planted"
    for bad in (Runs(planted), Evals(), np.float64, pickle.Pickler):
        for held in ({"a": bad}, [bad, "x"]):
            value = np.empty((), dtype=object)
            value[()] = held
            np.savez(path, name2reason=value)
            with pytest.raises(EmollamaError, match="holds more than text and numbers") as error:
                read_npz(path)
            assert "\n" not in str(error.value) and not planted.exists()


def test_numbers_inside_objects_and_broken_files(tmp_path: Path) -> None:
    path = tmp_path / "n.npz"
    value = {"a": np.float32(0.5), "b": np.array([1, 2]), "c": [None, True, 3]}
    np.savez(path, one=value, two=np.array([["x", 1], ["y", 2]], dtype=object))
    assert read_npz(path) == {
        "one": {"a": 0.5, "b": [1, 2], "c": [None, True, 3]},
        "two": [["x", 1], ["y", 2]],
    }
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(EmollamaError, match=r"is not an \.npz file"):
        read_npz(path)
    with pytest.raises(EmollamaError, match="cannot be read"):
        read_npz(tmp_path / "none.npz")
    with pytest.raises(EmollamaError, match="did you mean 'mertools'"):
        read_public(path, "mertool", MER2023)
