"""Result files of public systems, made here in their layouts, faults included."""

from __future__ import annotations

import os
import pickle
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest

from emollama.base.errors import EmollamaError
from emollama.scoring.metrics.scores import evaluate
from emollama.scoring.readers.npz import read_npz
from emollama.scoring.readers.public import read_public

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
    assert [r.parse_failure for r in rows][1:] == ["several labels named", "empty answer"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("clip,label\na,sad\n", ":1: has no column of clip names"),
        ("name,mood\na,sad\n", ":1: has no column with answers"),
        ("name,label\na,sad\na,sad\n", ":3: 'a' is already on line 2"),
        ("name,label\n,sad\n", ":2: 'name' is empty"),
        ("name,valence\na,high\n", ":2: valence 'high' is not a number"),
        ("name,valence\na,nan\n", ":2: valence 'nan' is not finite"),
        ("name,label\na,sad\nb", ":3: has 1 cells, the header 2; the file may be cut off"),
        ("name,reason\na,He smiles, so he is glad.\n", ":2: has 3 cells, the header 2"),
        ('name,reason\na,"He smiles.\nb,He frowns.\n', ":2: is not a valid CSV row"),
        ("name,Discrete,discrete\na,sad,happy\n", ":1: column 'discrete' occurs twice"),
        ("name,Name,label\na,b,sad\n", ":1: column 'name' occurs twice"),
        ("", ":1: has no column of clip names"),
    ],
)
def test_a_bad_csv_is_one_line(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "r.csv"
    path.write_text(text)
    with pytest.raises(EmollamaError, match=message) as error:
        read_public(path, "emotion-llama", MER2023)
    assert str(error.value).startswith(str(path)) and "\n" not in str(error.value)


def test_a_reference_that_was_cut_is_refused(tmp_path: Path) -> None:
    path, truth = tmp_path / "r.csv", tmp_path / "t.csv"
    path.write_text("name,label\na,sad\nb,sad\n")
    truth.write_text("name,discrete\na,sad\nb")
    with pytest.raises(EmollamaError, match=r"t\.csv:3: has 1 cells"):
        read_public(path, "emotion-llama", MER2023, truth)


def test_a_txt_is_read_in_time_linear_in_its_length(tmp_path: Path) -> None:
    path = tmp_path / "r.txt"
    for text in ("[" + "1" * 30 + " x", "[" + "1 " * 30 + "x", "[" * 20_000):
        path.write_text(text)
        begun = time.process_time()
        with pytest.raises(EmollamaError, match="no confusion matrix"):
            read_public(path, "emotion-llama", MER2023)
        assert time.process_time() - begun < 2
    for count, message in (("9" * 5000, "is above 1,000,000"), ("400000", "counts 14,400,000")):
        path.write_text(f"[{' '.join([count] * 6)}]\n" * 6)
        with pytest.raises(EmollamaError, match=message):
            read_public(path, "emotion-llama", MER2023)


def test_arrays_that_are_none_are_one_line(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("filenames.npy", b"not an array, allow_pickle or no")
    with pytest.raises(EmollamaError, match=r"'filenames\.npy' is not an array") as error:
        read_public(path, "openset", MER2023)
    assert "\n" not in str(error.value)
    ragged = np.empty(2, dtype=object)
    ragged[:] = [[1.0, 2.0], [1.0]]
    np.savez(path, names=np.array(["a", "b"]), emo_probs=ragged)
    with pytest.raises(EmollamaError, match="'emoprobs' must hold numbers"):
        read_public(path, "mertools", MER2023)
    for code in (2.7, 6, -1):
        np.savez(path, emo_probs=np.eye(6)[:1], emo_labels=np.array([code]))
        with pytest.raises(EmollamaError, match=f"emo_labels: 'row000000' has class {code:g}"):
            read_public(path, "mertools", MER2023)


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
    with pytest.raises(EmollamaError, match="'a' occurs twice"):
        read_public(path, "mertools", MER2023)
    np.savez(path, other=logits, args=np.array(Evals(), dtype=object))
    with pytest.raises(EmollamaError, match="holds neither emo_probs nor val_preds"):
        read_public(path, "mertools", MER2023)


def test_results_without_names_are_in_the_order_of_the_labels_file(tmp_path: Path) -> None:
    path, truth = tmp_path / "test1.npz", tmp_path / "label-6way.npz"
    logits = np.eye(6, dtype=np.float32)[[2, 3, 0]]
    # Beside the scores stand the program's own arguments, pickled; they are not touched.
    np.savez_compressed(path, emo_probs=logits, args=np.array(Evals(), dtype=object))
    corpora = {
        "train_corpus": {"x": {"emo": "sad", "val": 0.5}},
        "test1_corpus": {
            "b": {"emo": "happy", "val": -1.5},
            "a": {"emo": "sad", "val": ""},
            "c": {"emo": "angry", "val": -10},
        },
    }
    np.savez_compressed(truth, **corpora)
    rows = read_public(path, "mertools", MER2023, truth).rows
    assert [(r.id, r.label, r.reference) for r in rows] == [
        ("b", "happy", "happy"), ("a", "sad", "sad"), ("c", "neutral", "angry"),
    ]  # fmt: skip
    assert [r.reference_values for r in rows] == [{"valence": -1.5}, None, None]
    np.savez(path, emo_probs=logits[:2])
    with pytest.raises(EmollamaError, match=r"have no clip names, .* tables of 1, 3"):
        read_public(path, "mertools", MER2023, truth)
    np.savez(path, names=np.array(["a", "zz"]), emo_probs=logits[:2])
    assert [r.reference for r in read_public(path, "mertools", MER2023, truth).rows] == [
        "sad",
        None,
    ]
    for bad, message in (
        ({"test1_corpus": {"a": {"emo": "bored"}}}, "'a': 'bored' is not in label set"),
        ({"test1_corpus": {"a": {"val": "high"}}}, "'a': 'val' is not a number"),
        ({"test1_corpus": {"a": 3}}, "'a': must be a dictionary"),
        ({"names": np.array(["a"])}, "holds no <split>_corpus"),
    ):
        np.savez(truth, **bad)
        with pytest.raises(EmollamaError, match=message):
            read_public(path, "mertools", MER2023, truth)


def test_name2reason_is_read_without_unpickling(tmp_path: Path) -> None:
    path = tmp_path / "r.npz"
    np.savez_compressed(path, name2reason={"a": "He smiles. 他很高兴", "b": ""})
    a, b = read_public(path, "mertools", MER2023).rows
    assert (a.id, a.reason, b.reason) == ("a", "He smiles. 他很高兴", None)


def test_openset(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
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
    assert "2 of 3 results are of clips that it does not name, e.g. 'b'" in capsys.readouterr().err
    truth.write_text("name,discrete\na,sad\nb,sad\nc,sad\nd,sad\n")
    rows = read_public(path, "openset", MER2023, truth).rows
    assert [r.parse_failure for r in rows] == ["no label in the file"] * 2 + ["no words"]
    assert "1 of its 4 clips have no result and are not scored, e.g. 'd'" in capsys.readouterr().err
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
            with pytest.raises(
                EmollamaError, match="a pickle with more than text and numbers"
            ) as error:
                read_npz(path)
            assert "\n" not in str(error.value) and not planted.exists()


def test_preferences_have_labels_of_their_own(tmp_path: Path) -> None:
    path, truth = tmp_path / "p.csv", tmp_path / "track3_emoprefer.csv"
    path.write_text("preference,name\na2,x\nA1 is better,y\nneither,z\n")
    truth.write_text("name,a1,a2,preference\nx,He smiles.,He frowns.,a2\ny,A,B,a2\nz,A,B,a1\n")
    found = read_public(path, "preference", MER2023, truth)
    assert found.header.labels.labels == ("a1", "a2")
    assert [(r.label, r.reference) for r in found.rows] == [
        ("a2", "a2"),
        ("a1", "a2"),
        (None, "a1"),
    ]
    assert found.rows[2].parse_failure == "no label named"


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
