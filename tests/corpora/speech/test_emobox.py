"""EmoBox's metadata: real lines of five corpora, the oddities among them, and EMO-DB whole.

Every line is of emo-box/EmoBox, commit 08280f279d47fb55d2c614061c70523d0a338d6b, file
data/<corpus>/fold_1/<corpus>_<list>_fold_1.jsonl; the label maps of the same folders.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from emollama.base.errors import EmollamaError
from emollama.corpora.readers.speech.emobox import prepare_emobox
from tests.corpora.trees import plant, samples_of

DATA = Path(__file__).parents[4] / "shared" / "data"

EMODB_MAP = """{"anger": "Angry", "boredem": "Boredom", "disgust": "Disgust", "fear": "Fear",
"happy": "Happy", "Neutral": "Neutral", "sad": "Sad"}"""
EMODB_TRAIN = """
{"key": "emodb-03a01Wa", "dataset": "emodb", "wav": "downloads/emodb/wav/03a01Wa.wav", "type": "raw", "sample_rate": 16000, "num_frame": 30045.0, "task": "category", "length": 1.8778125, "emo": "anger", "channel": 1}
{"key": "emodb-08a05Lc", "dataset": "emodb", "wav": "downloads/emodb/wav/08a05Lc.wav", "type": "raw", "sample_rate": 16000, "num_frame": 67014.0, "task": "category", "length": 4.188375, "emo": "boredem", "channel": 1}
"""  # noqa: E501
EMODB_TEST = """
{"key": "emodb-03a02Nc", "dataset": "emodb", "wav": "downloads/emodb/wav/03a02Nc.wav", "type": "raw", "sample_rate": 16000, "num_frame": 23037.0, "task": "category", "length": 1.4398125, "emo": "neutral", "channel": 1}
"""  # noqa: E501
CASIA = """
{"key": "casia-239-wangzhe-neutral", "dataset": "casia", "wav": "downloads/casia/wangzhe/neutral/239.wav", "type": "raw", "sample_rate": 16000, "num_frame": 25259.0, "task": "category", "length": 1.5786875, "emo": "neutral", "channel": 1}
{"key": "casia-239-wangzhe-angry", "dataset": "casia", "wav": "downloads/casia/wangzhe/angry/239.wav", "type": "raw", "sample_rate": 16000, "num_frame": 33369.0, "task": "category", "length": 2.0855625, "emo": "angry", "channel": 1}
"""  # noqa: E501
OREAU = """
{"key": "oreau-10a02Ja", "dataset": "oreau", "wav": "downloads/oreau/Ore\\u0301auFR_02/f/sessj/10a02Ja.wav", "type": "raw", "sample_rate": 44100, "num_frame": 115776.0, "task": "category", "length": 2.6253061224489795, "emo": "J", "channel": 1}
"""  # noqa: E501
PAVOQUE = """
{"key": "pavoque-m0372-poker", "dataset": "pavoque", "wav": "downloads/pavoque/pavoque-poker.flac", "type": "raw", "sample_rate": 44100, "num_frame": 349272.0000000032, "task": "category", "length": 7.920000000000073, "emo": "poker", "channel": 1, "start_time": 1917.34, "end_time": 1925.26}
"""  # noqa: E501
MER2023 = {
    "train": """
{"key": "mer2023-sample_00002721", "dataset": "mer2023", "wav": "downloads/mer2023/mer2023train/train/sample_00002721.avi", "type": "raw", "sample_rate": 44100, "num_frame": 34560.0, "task": "category", "length": 0.7836734693877551, "emo": "neutral", "channel": 1}
""",  # noqa: E501
    "test": """
{"key": "mer2023-sample_00001998", "dataset": "mer2023", "wav": "downloads/mer2023/test1/sample_00001998.avi", "type": "raw", "sample_rate": 44100, "num_frame": 80640.0, "task": "category", "length": 1.8285714285714285, "emo": "worried", "channel": 1}
""",  # noqa: E501
    "test1": """
{"key": "mer2023-sample_00001998", "dataset": "mer2023", "audio": "downloads/mer2023/test1/sample_00001998.avi", "type": "raw", "sample_rate": 44100, "num_frame": 80640.0, "task": "category", "label": "worried"}
""",  # noqa: E501
    "test2": """
{"key": "mer2023-sample_00005474.mp4", "dataset": "mer2023", "audio": "downloads/mer2023/test2/sample_00005474.mp4", "type": "raw", "sample_rate": 16000, "num_frame": 38912.0, "task": "category", "label": "happy"}
""",  # noqa: E501
}


def metadata(root: Path, corpus: str, words: str, lists: dict[str, str], name: str = "") -> Path:
    """A corpus's folder with its fold 1."""
    files = {f"fold_1/{corpus}_{part}_fold_1.jsonl": text for part, text in lists.items()}
    return plant(root / "data" / corpus, {name or "label_map.json": words, **files})


def emodb(root: Path) -> Path:
    return metadata(root, "emodb", EMODB_MAP, {"train": EMODB_TRAIN, "test": EMODB_TEST})


def test_emodb_whose_map_is_spelled_otherwise(tmp_path: Path) -> None:
    root = emodb(tmp_path)
    plant(tmp_path / "sound", ["audio/03a01Wa.flac", "audio/08a05Lc.flac", "03a02Nc.flac"])
    out = tmp_path / "m.jsonl"
    report = prepare_emobox(root, out, media=tmp_path / "sound", validation=2)
    found = samples_of(out).values()
    assert [(s.id, s.audio, s.split, s.targets.emotion, s.targets.native) for s in found] == [
        ("emodb-03a02Nc", "sound/03a02Nc.flac", "test", "neutral", "neutral"),
        ("emodb-03a01Wa", "sound/audio/03a01Wa.flac", "train", "angry", "anger"),
        ("emodb-08a05Lc", "sound/audio/08a05Lc.flac", "val", "boredom", "boredem"),
    ]  # fmt: skip
    assert report.faults == ("split 'all clips': 3 samples found, 535 expected",)
    with pytest.raises(EmollamaError, match="3 samples found, 535 expected"):
        prepare_emobox(root, out, media=tmp_path / "sound", strict=True)


def test_a_name_that_stands_in_several_folders_is_not_mixed_up(tmp_path: Path) -> None:
    words = '{"neutral": "Neutral", "angry": "Angry"}'
    first, second = CASIA.strip().split("\n")
    root = metadata(tmp_path, "casia", words, {"train": first, "test": second})
    # Without its folder, 239 could be any of six recordings.
    plant(tmp_path / "own", ["elsewhere/239.wav", "wangzhe/angry/239.flac"])
    report = prepare_emobox(root, tmp_path / "m.jsonl", media=tmp_path / "own")
    (sample,) = samples_of(tmp_path / "m.jsonl").values()
    assert (sample.targets.emotion, sample.audio) == ("angry", "own/wangzhe/angry/239.flac")
    assert report.rejected == {"casia-239-wangzhe-neutral": "file is missing"}
    plant(tmp_path / "own", ["copy/wangzhe/angry/239.flac"])
    with pytest.raises(EmollamaError, match="fit equally"):
        prepare_emobox(root, tmp_path / "m.jsonl", media=tmp_path / "own")


def test_spans_accents_and_emoboxs_own_downloads(tmp_path: Path) -> None:
    root = metadata(
        tmp_path, "pavoque", '{"poker": "Poker"}', {"train": PAVOQUE, "test": OREAU}
    )  # fmt: skip
    plant(root, {"label_map.json": '{"poker": "Poker", "J": "Happy"}'})
    names = ["pavoque/pavoque-poker.flac", "oreau/Oréau" + "FR_02/f/sessj/10a02Ja.wav"]
    plant(tmp_path / "downloads", names)
    prepare_emobox(root, tmp_path / "m.jsonl")
    found = samples_of(tmp_path / "m.jsonl")
    poker = found["pavoque-m0372-poker"]
    assert (poker.start, poker.end, poker.targets.emotion) == (1917.34, 1925.26, "poker")
    assert found["oreau-10a02Ja"].targets.emotion == "happy"


def test_older_lists_of_further_tests(tmp_path: Path) -> None:
    words = '{"neutral": "Neutral", "happy": "Happy", "worried": "Worried"}'
    root = metadata(tmp_path, "mer2023", words, MER2023, "label_dict.json")
    plant(
        tmp_path / "clips",
        ["train/sample_00002721.avi", "test1/sample_00001998.avi", "test2/sample_00005474.mp4"],
    )
    prepare_emobox(root, tmp_path / "m.jsonl", media=tmp_path / "clips")
    found = samples_of(tmp_path / "m.jsonl").values()
    assert [(s.split, s.targets.emotion) for s in found] == [
        ("test", "worried"), ("train", "neutral"), ("test2", "happy"),
    ]  # fmt: skip
    assert all(s.video and not s.audio for s in found)


def test_mistakes_are_one_line(tmp_path: Path) -> None:
    root, out = emodb(tmp_path), tmp_path / "m.jsonl"
    plant(tmp_path / "sound", ["03a01Wa.flac"])
    with pytest.raises(EmollamaError, match="there are folds 1"):
        prepare_emobox(root, out, fold=6, media=tmp_path / "sound")
    with pytest.raises(EmollamaError, match=r"give the folder of one corpus, e\.g\. data/emodb"):
        prepare_emobox(root.parent, out, media=tmp_path / "sound")
    with pytest.raises(EmollamaError, match="own files with --media"):
        prepare_emobox(root, out)
    # An altered word is no label; an altered key no clip.
    changed = EMODB_TEST.replace('"neutral"', '"neutrl"')
    plant(root, {"fold_1/emodb_test_fold_1.jsonl": changed})
    report = prepare_emobox(root, out, media=tmp_path / "sound")
    assert report.rejected["emodb-03a02Nc"] == "emo 'neutrl' is not in label_map.json"
    plant(root, {"fold_1/emodb_test_fold_1.jsonl": EMODB_TEST.replace('"key"', '"ky"')})
    with pytest.raises(EmollamaError, match=r"emodb_test_fold_1\.jsonl:2: has no 'key'"):
        prepare_emobox(root, out, media=tmp_path / "sound")
    (root / "label_map.json").unlink()
    with pytest.raises(EmollamaError, match=r"has no label_map\.json"):
        prepare_emobox(root, out, media=tmp_path / "sound")


@pytest.mark.skipif(not (DATA / "real_files" / "emobox").is_dir(), reason="EmoBox is not here")
def test_the_real_folds_of_emodb(tmp_path: Path) -> None:
    tested: list[str] = []
    for fold in range(1, 6):
        report = prepare_emobox(
            DATA / "real_files" / "emobox" / "emodb", tmp_path / "m.jsonl", fold=fold,
            media=DATA / "emodb" / "audio", strict=True,
        )  # fmt: skip
        assert report.splits == {"train": 428, "test": 107} and not report.rejected
        found = samples_of(tmp_path / "m.jsonl").values()
        tested += [s.id for s in found if s.split == "test"]
        letters = {"anger": "W", "boredem": "L", "disgust": "E", "fear": "A", "happy": "F",
                   "neutral": "N", "sad": "T"}  # fmt: skip
        assert all(letters[str(s.targets.native)] == s.id[-2] for s in found)
    assert len(set(tested)) == 535
