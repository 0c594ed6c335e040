"""`split --scheme lists`: lists as they are published, ids by their stems, what does not fit."""

from __future__ import annotations

from pathlib import Path

import pytest

from emollama.base.errors import EmollamaError
from emollama.cli import app as cli
from emollama.corpora.listed_splits import split_by_lists
from emollama.corpora.split_schemes import write_split
from emollama.manifest.labels import get_label_set
from emollama.manifest.sample import Sample, read_manifest, write_manifest
from emollama.manifest.split_file import read_split_file
from tests.corpora.trees import plant


def samples(*ids: str, folder: str = "clips") -> list[Sample]:
    return [Sample(id=name, video=f"{folder}/{name}.mp4") for name in ids]


def test_lists_as_they_are_published(tmp_path: Path) -> None:
    """A line of MAFW's fold, of DFEW's, of EmoBox's and of AMST's IEMOCAP.

    Formats by ../shared/facts/datasets.md, EmoBox's line by tests/corpora/speech/test_emobox.py.
    """
    root = plant(
        tmp_path,
        {
            "train.txt": "00025.mp4 anger\n00026.mp4 happiness\n",
            "set_1.csv": "video_name,label\n00003,1\n",
            "val.jsonl": '{"key": "emodb-03a01Wa", "wav": "downloads/emodb/wav/03a01Wa.wav"}\n',
            "test.txt": "Ses01M_impro01_F000, neu, 6.77, 8.46 ### Next, please.\n",
        },
    )
    known = samples("00025", "26", "3", "emodb-03a01Wa", "Ses01M_impro01_F000", "more")
    files = {"train": root / "train.txt", "val": root / "val.jsonl", "test": root / "test.txt"}
    split, notes = split_by_lists(known, files)
    assert split == {
        "00025": "train", "26": "train", "3": None, "emodb-03a01Wa": "val",
        "Ses01M_impro01_F000": "test", "more": None,
    }  # fmt: skip
    assert notes == ["2 samples are in no list and get no split, e.g. '3'"]
    # A header is no clip; a named key is what counts; the file's name may be what is listed.
    assert split_by_lists(known, {"test": root / "set_1.csv"})[0]["3"] == "test"
    own = [Sample(id="a", audio="sound/03a01Wa.flac")]
    assert split_by_lists(own, {"test": root / "val.jsonl"}, "wav")[0] == {"a": "test"}


def test_what_is_unmatched_is_counted_and_test_comes_first(tmp_path: Path) -> None:
    root = plant(tmp_path, {"a.csv": "label;name\nx;1\ny;2\nz;9\n", "b.txt": "2\n"})
    files = {"train": root / "a.csv", "test": root / "b.txt"}
    with pytest.raises(EmollamaError, match=r"a\.csv: none of its 4 lines names a sample"):
        split_by_lists(samples("1", "2"), files)
    # Of the one column the header goes; the other list has no columns.
    with pytest.raises(EmollamaError, match=r"b\.txt:1: has no column 'name'"):
        split_by_lists(samples("1", "2"), files, "name")
    plant(root, {"b.txt": "name\n2\n"})
    split, notes = split_by_lists(samples("1", "2"), files, "name")
    assert split == {"1": "train", "2": "test"}
    assert notes == [
        "1 ids are in several lists; they go to test, else to val, e.g. '2'",
        "1 listed ids are not in the manifest, e.g. '9'",
    ]


def test_one_name_for_two_samples_is_an_error(tmp_path: Path) -> None:
    known = [*samples("train_dia0_utt0", folder="a"), *samples("dev_dia0_utt0", folder="b")]
    known = [s.model_copy(update={"video": f"{s.id[:3]}/dia0_utt0.mp4"}) for s in known]
    root = plant(tmp_path, {"a.txt": "dia0_utt0.mp4\n", "b.jsonl": '{"id": ["x"]}\n'})
    with pytest.raises(EmollamaError, match=r"a\.txt:1: 'dia0_utt0\.mp4' names several samples"):
        split_by_lists(known, {"test": root / "a.txt"})
    with pytest.raises(EmollamaError, match=r"b\.jsonl:1: 'id' names no sample"):
        split_by_lists(known, {"test": root / "b.jsonl"})


def test_by_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "m.jsonl"
    write_manifest(path, "mafw", get_label_set("people"), samples("00025", "00026"))
    plant(tmp_path, {"train.txt": "00025.mp4 anger\n", "test.txt": "00026.mp4 anger\n"})
    words = ["split", str(path), "--scheme", "lists", "--out", str(tmp_path / "s.jsonl")]
    lists = ["--train", str(tmp_path / "train.txt"), "--test", str(tmp_path / "test.txt")]
    cli.app([*words, *lists], standalone_mode=False)
    file = read_split_file(tmp_path / "s.jsonl")
    assert file.splits == {"00025": "train", "00026": "test"}
    assert file.options == {"train": "train.txt", "test": "test.txt"}
    manifest = read_manifest(path)
    for scheme, given, told in (
        ("lists", {}, "needs a list: --train, --val or --test"),
        ("lists", {"val": False}, "--no-val: scheme 'lists' does not take it"),
        ("k-fold", {"fold": 0, "val": tmp_path / "train.txt"}, "--val: scheme 'k-fold'"),
        ("official", {"train": tmp_path / "train.txt"}, "--train: scheme 'official'"),
    ):
        with pytest.raises(EmollamaError, match=told):
            write_split(manifest, tmp_path / "t.jsonl", scheme, given)
