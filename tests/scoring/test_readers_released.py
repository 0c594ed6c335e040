"""Files as the public systems release them: real names, labels and orders, with their sources.

MERTools is github.com/zeroQiaoba/MERTools at 89120b7, Emotion-LLaMA-v2
github.com/ooochen-30/Emotion-LLaMA-v2 at 5f0a408.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from emollama.base.errors import EmollamaError
from emollama.cli.app import app
from emollama.manifest.labels import get_label_set
from emollama.scoring.readers.class_orders import CLASS_ORDERS
from emollama.scoring.readers.public import read_public
from emollama.scoring.readers.recognise import recognise

from .wheel_made import write_tables

CORPORA: dict[str, Any] = {
    # MERBench/dataset/meld-process/label.npz; MELD's own table says surprise, anger, neutral.
    "meld": {"test_corpus": {
        "test_dia0_utt0": {"emo": 6, "val": -10}, "test_dia0_utt1": {"emo": 0, "val": -10},
        "test_dia0_utt2": {"emo": 3, "val": -10},
    }},
    # MERBench/dataset/iemocap-process/label_4way.npz and label_6way.npz.
    "iemocap4": {"whole_corpus": {
        "Ses01F_impro01_F000": {"emo": 2, "val": -10}, "Ses01F_impro01_F001": {"emo": 2, "val": -10}
    }},
    "iemocap6": {"whole_corpus": {
        "Ses01F_impro01_F000": {"emo": 2, "val": -10}, "Ses01F_impro01_M000": {"emo": 5, "val": -10}
    }},
}  # fmt: skip
TRUE = {
    "meld": ["surprise", "anger", "neutral"],
    "iemocap4": ["neutral", "neutral"],
    "iemocap6": ["neutral", "frustrated"],
}
COUNTS = {
    # Of each class number in MERTools' label files, and of the corpora: MELD's train table has
    # 1,109 anger, 1,743 joy, 683 sadness, 4,710 neutral, 271 disgust, 268 fear, 1,205 surprise.
    "meld": (1109, 1743, 683, 4710, 271, 268, 1205),
    # 5,531 of IEMOCAP: 595 happy and 1,041 excited, 1,084 sad, 1,708 neutral, 1,103 angry.
    "iemocap4": (595 + 1041, 1084, 1708, 1103),
}
REAL = {
    "meld": {"anger": 1109, "joy": 1743, "sadness": 683, "neutral": 4710, "disgust": 271,
             "fear": 268, "surprise": 1205},
    "iemocap4": {"happy": 1636, "sad": 1084, "neutral": 1708, "angry": 1103},
}  # fmt: skip


def run(*words: Any) -> dict[str, Any]:
    call = ["score", *map(str, words), "--bootstrap", "100", "--format", "json"]
    result = CliRunner().invoke(app, call)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return json.loads(result.stdout)


@pytest.mark.parametrize("name", CORPORA)
def test_class_numbers_are_in_the_order_of_the_corpus(name: str, tmp_path: Path) -> None:
    truth, path = tmp_path / "label.npz", tmp_path / "result.npz"
    np.savez_compressed(truth, **CORPORA[name])
    codes = [clip["emo"] for clip in next(iter(CORPORA[name].values())).values()]
    np.savez_compressed(path, emo_probs=np.eye(len(CLASS_ORDERS[name]))[codes])
    rows = read_public(path, "mertools", get_label_set(name), truth).rows
    assert [r.reference for r in rows] == TRUE[name] == [r.label for r in rows]
    assert [r.reference_values for r in rows] == [None] * len(rows)
    np.savez(path, names=["a"], emo_probs=np.eye(len(CLASS_ORDERS[name]))[:1], emo_labels=[0])
    (row,) = read_public(path, "mertools", get_label_set(name)).rows
    assert row.reference == row.label == CLASS_ORDERS[name][0]
    assert list(row.scores or ()) == list(get_label_set(name).labels)


@pytest.mark.parametrize("name", COUNTS)
def test_the_declared_orders_give_the_corpora_their_counts(name: str) -> None:
    assert dict(zip(CLASS_ORDERS[name], COUNTS[name], strict=True)) == REAL[name]


def test_class_numbers_of_no_declared_corpus_say_what_to_give(tmp_path: Path) -> None:
    truth, path = tmp_path / "label.npz", tmp_path / "result.npz"
    np.savez(truth, **CORPORA["iemocap6"])
    np.savez(path, emo_probs=np.eye(6)[[2, 5]])
    with pytest.raises(EmollamaError, match=r"class numbers, 2 to 5; say .* --labels .*iemocap6"):
        read_public(path, "mertools", None, truth)
    np.savez(path, emo_probs=np.eye(4)[[2, 2]])
    with pytest.raises(EmollamaError, match=r"choose with --labels iemocap4 \(happy, sad"):
        read_public(path, "mertools", None, truth)


def test_filled_classes_are_none_and_val_is_sentiment(tmp_path: Path) -> None:
    truth, path = tmp_path / "label.npz", tmp_path / "r.npz"
    # MERBench/dataset/sims-process/label.npz.
    clips: Any = {
        "video_0003_0006": {"emo": 0, "val": -1.0},
        "video_0010_0038": {"emo": 0, "val": -0.8},
    }
    np.savez_compressed(truth, test_corpus=clips)
    np.savez(path, names=list(clips), val_preds=[-1.4, 0.1])
    none: dict[str, Any] = {}
    for widthless in (none, {"emo_probs": np.zeros((2, 0)), "emo_labels": np.zeros(2, int)}):
        np.savez(path, names=list(clips), val_preds=[-1.4, 0.1], **widthless)
        rows = read_public(path, "mertools", None, truth).rows
        assert [r.reference for r in rows] == [None, None]
        assert [r.reference_values for r in rows] == [{"sentiment": -1.0}, {"sentiment": -0.8}]
        assert [r.values for r in rows] == [{"sentiment": -1.4}, {"sentiment": 0.1}]
    found = run(path, "--reference", truth, "--metric", "sims_mae")["results"]
    assert [r["value"] for r in found] == pytest.approx([(0 + 0.9) / 2, (0.4 + 0.9) / 2])
    np.savez(path, emo_probs=np.zeros((2, 0)))
    with pytest.raises(EmollamaError, match=r"width 0.* its answers are not in the file"):
        read_public(path, "mertools", None, truth)


def test_one_word_a_clip_is_the_hit_rates_truth(tmp_path: Path) -> None:
    truth, path = tmp_path / "gt_meld_emotion_test.npz", tmp_path / "meld_emotion.jsonl"
    # evaluation/hitrate_gt/gt_meld_emotion_test.npz: an array without dimensions for each clip.
    np.savez(truth, test_dia0_utt0="surprise", test_dia0_utt1="anger", test_dia0_utt2="neutral")
    said = {"test_dia0_utt0": "surprise, joy", "test_dia0_utt1": "Anger", "test_dia0_utt2": "sad"}
    lines = [{"video_id": k, "mode": "test", "response": v} for k, v in said.items()]
    path.write_text("\n".join(map(json.dumps, lines)))
    rows = read_public(path, "emotion-llama-v2", get_label_set("meld"), truth).rows
    assert [r.reference_words for r in rows] == [("surprise",), ("anger",), ("neutral",)]
    assert rows[0].words == ("surprise", "joy") and rows[1].reference == rows[1].label == "anger"
    openset = tmp_path / "x-openset.npz"
    np.savez(openset, filenames=list(said), fileitems=list(said.values()))
    rows = read_public(openset, "openset", None, truth).rows
    assert {r.reference for r in rows} == {None} and rows[2].reference_words == ("neutral",)
    with pytest.raises(EmollamaError, match=r"test_dia0_utt1.*'disgust' is not in label set"):
        np.savez(truth, test_dia0_utt1="disgust")
        read_public(path, "emotion-llama-v2", None, truth)


def test_nothing_of_a_file_in_the_tables_is_a_dash_and_a_note(tmp_path: Path) -> None:
    truth, path = tmp_path / "gt.npz", tmp_path / "m.jsonl"
    np.savez(truth, a="neutral", b="neutral")
    path.write_text(
        '{"video_id": "a", "response": "neutral"}\n{"video_id": "b", "response": "sad"}'
    )
    call = (path, "--reference", truth, "--wheel", write_tables(tmp_path / "w"))
    found = {r["metric"]: r for r in run(*call)["results"]}
    assert found["accuracy"]["value"] == 0.5 and found["hit_rate_corrected"]["value"] is not None
    assert found["hit_rate"]["value"] is None and found["hit_rate"]["n_scored"] == 0
    assert (
        "none of the true words (neutral) of 2 samples is in the wheel" in found["hit_rate"]["note"]
    )
    both = run(*call, "--compare", path, "--metric", "hit_rate", "--metric", "accuracy")
    assert both["differences"][0]["metric"] == "hit_rate" and both["differences"][0]["n"] == 0
    zeros = tmp_path / "z.jsonl"
    zeros.write_text('{"video_id": "a", "answer": "neutral", "response": "positive"}')
    found = {r["metric"]: r for r in run(zeros)["results"]}
    assert found["acc2_pos"]["note"] == "nothing to score: every true sentiment is 0"
    assert found["mae"]["value"] == 1 and found["acc2_pos"]["value"] is None
    with pytest.raises(EmollamaError, match="hit_rate needs reference"):
        run(path, "--wheel", tmp_path / "w", "--metric", "hit_rate")


def test_v2_answers_of_several_labels_and_splits(tmp_path: Path) -> None:
    path = tmp_path / "mafw_multi.jsonl"
    rows = [
        ("a", "test", "anger, Disgust", "disgust; bored"), ("b", "test", "sadness", "Sadness"),
        ("a", "val", "sadness", "sadness"),
    ]  # fmt: skip
    keys = ("video_id", "mode", "answer", "response")
    path.write_text("\n".join(json.dumps(dict(zip(keys, r, strict=True))) for r in rows))
    one, two = read_public(path, "emotion-llama-v2", split="test").rows
    assert one.reference_labels == ("anger", "disgust") and one.labels == ("disgust",)
    assert two.labels == two.reference_labels == ("sadness",)
    for split, said in (
        (None, "already on line 1; choose one .* test, val"),
        ("dev", "mode 'dev'"),
    ):
        with pytest.raises(EmollamaError, match=said):
            read_public(path, "emotion-llama-v2", split=split)
    for line, said in (
        ({"response": "sad"}, ":1: has no clip name"), ({"id": "a"}, ":1: has no 'response'"),
        ({"id": "a", "response": 3}, ":1: 'response' must be text, not 3"),
        ({"id": "a", "response": "x", "answer": "y"}, "a-llama"),
    ):  # fmt: skip
        path.write_text(json.dumps(line))
        if said == "a-llama":
            assert recognise(path) == "emotion-llama-v2"
            continue
        with pytest.raises(EmollamaError, match=said):
            read_public(path, "emotion-llama-v2")


def test_files_are_recognised_or_say_what_to_do(tmp_path: Path) -> None:
    csv, txt, npz = tmp_path / "r.csv", tmp_path / "MER2023.txt", tmp_path / "x.npz"
    csv.write_text("names,chi_reasons\na,He smiles.\n")
    txt.write_text("[[1 0]\n [0 1]]")
    assert recognise(csv) == recognise(txt) == "emotion-llama"
    csv.write_text("name,preference\na,a1\n")
    assert recognise(csv) == "preference"
    arrays: Any
    for arrays, name in (({"fileitems": []}, "openset"), ({"emoProbs": []}, "mertools")):
        np.savez(npz, **arrays)
        assert recognise(npz) == name
    for arrays, said in (
        ({"test_corpus": []}, "true labels, not answers; give it as --reference"),
        ({"features": []}, "its arrays: features; true labels go with --reference"),
    ):
        np.savez(npz, **arrays)
        with pytest.raises(EmollamaError, match=said):
            recognise(npz)
    csv.write_text("clip;mood\n")
    with pytest.raises(EmollamaError, match="it has clip, mood"):
        recognise(csv)
    txt.write_text("nothing")
    with pytest.raises(EmollamaError, match="name its kind with --reader: emotion-llama, "):
        recognise(txt)


def test_a_foreign_file_names_no_channels(tmp_path: Path) -> None:
    path = tmp_path / "dfew.jsonl"
    path.write_text('{"video_id": "1", "mode": "test", "answer": "happy", "response": "Happy "}')
    call = ["score", str(path), "--metric", "accuracy", "--format", "markdown"]
    result = CliRunner().invoke(app, [*call, "--bootstrap", "100", "--split", "test"])
    assert result.stdout.startswith("## test: emotion-llama-v2\n"), result.output
    assert "read as the output of emotion-llama-v2 (--reader)" in result.stderr


def test_tables_as_spreadsheets_save_them_are_answers(tmp_path: Path) -> None:
    truth, path = tmp_path / "truth.csv", tmp_path / "a.csv"
    truth.write_text("name;discrete\r\n甲;happy\r\nb;sad\r\n", "gbk")
    path.write_text("name\tdiscrete\n甲\thappy\nb\tangry\n", "utf-16")
    rows = read_public(path, recognise(path) or "", None, truth).rows
    assert [(r.id, r.label, r.reference) for r in rows] == [
        ("甲", "happy", "happy"), ("b", "angry", "sad"),
    ]  # fmt: skip
    path.write_text("name,discrete\na,0\nb,2\n")
    with pytest.raises(EmollamaError, match=r"a.csv:2: '0' is a number.*mer2023': neutral, angry"):
        read_public(path, "emotion-llama")


def test_scores_without_valence_beside_true_valence(tmp_path: Path) -> None:
    truth, path = tmp_path / "label.npz", tmp_path / "r.npz"
    # MERTools' label files of MER2023 hold both; many results only one.
    clips: Any = {"a": {"emo": "happy", "val": 2.1}, "b": {"emo": "sad", "val": -1.5}}
    np.savez(truth, test1_corpus=clips)
    np.savez(path, emo_probs=np.eye(6)[[2, 3]])
    found = {r["metric"]: r["value"] for r in run(path, "--reference", truth)["results"]}
    assert found["accuracy"] == 1 and "mer2023" not in found


def test_what_is_no_file_of_answers_is_told_as_what_it_is(tmp_path: Path) -> None:
    for name, text, told in (
        ("m.jsonl", '{"manifest": {"version": 1}}', "is a manifest, not predictions"),
        ("l.json", '[\n {"video_id": "a"}]', "is a JSON list; write JSON Lines"),
        ("p.jsonl", '{"id": "a", "prediction": "sad"}', "it has id, prediction"),
    ):
        (tmp_path / name).write_text(text, "utf-8")
        with pytest.raises(EmollamaError, match=told):
            recognise(tmp_path / name)
