"""Reading tracks: by part of a key, from other processes, and what is wrong in one line."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import numpy as np
import pytest

from emollama.base.errors import EmollamaError
from emollama.encoders.base import FeatureTrack
from emollama.features.shards import Entry, Extracted, write_shard
from emollama.features.store import (
    EncoderRecord,
    FeatureStore,
    open_tracks,
    write_index,
    write_record,
)


def store(tmp_path: Path, *keys: str, bad: float = 1.0) -> Path:
    """Folders of two ids, "a" (T = 2) and "b" (absent), by hand; `bad` is one value of "a"."""
    for key in keys:
        folder = tmp_path / "store" / key
        values = np.array([[1, 2, 3], [4, bad, 6]], np.float32)
        items = [
            Extracted(Entry("a", "s", "ok"), FeatureTrack(values, np.array([0.5, 1], np.float32))),
            Extracted(Entry("b", "s", "absent"), None),
        ]
        write_record(folder, EncoderRecord(key, "voice", 3, "f", ("x", "y", "z")))
        write_shard(folder / "0.safetensors", 3, "f", items)
        write_index(folder, [("0.safetensors", ["a", "b"])])
    return tmp_path / "store"


def test_a_track_is_read_as_it_was_written_also_in_another_process(tmp_path: Path) -> None:
    reader = open_tracks(store(tmp_path, "voice+layer=2"), "voice")
    for one in (reader, pickle.loads(pickle.dumps(reader))):
        track = one.get("a")
        assert track is not None
        np.testing.assert_array_equal(track.values, [[1, 2, 3], [4, 1, 6]])
        np.testing.assert_array_equal(track.times, [0.5, 1])
        assert one.get("b") is None and "b" in one and "c" not in one
        assert [one.status(i) for i in "abc"] == ["ok", "absent", "missing"]
        assert (one.ids(), one.width, one.columns) == (["a", "b"], 3, ("x", "y", "z"))


def test_unknown_id_and_nan_are_one_line(tmp_path: Path) -> None:
    reader = open_tracks(store(tmp_path, "voice", bad=float("nan")), "voice")
    with pytest.raises(EmollamaError, match="holds no 'voice' features of sample 'c'; run"):
        reader.get("c")
    with pytest.raises(EmollamaError, match=r"0\.safetensors: sample 'a': holds nan \(step 1, col"):
        reader.get("a")


def test_a_part_of_a_key_must_name_one_encoder(tmp_path: Path) -> None:
    folder = store(tmp_path, "voice+layer=1+n=8", "voice+layer=2+n=8")
    assert open_tracks(folder, "voice+n=8+layer=2").fingerprint == "f"
    with pytest.raises(
        EmollamaError, match=r"'voice' is ambiguous: voice.layer=1.n=8 or voice.layer=2"
    ):
        open_tracks(folder, "voice")
    with pytest.raises(EmollamaError, match=r"no features of 'x'; run: .* --encoders x$"):
        open_tracks(folder, "x")
    with pytest.raises(EmollamaError, match=r"no features of 'vioce.*; did you mean 'voice"):
        open_tracks(folder, "vioce+layer=1")
    with pytest.raises(EmollamaError, match="no such feature store"):
        FeatureStore.open(tmp_path / "nowhere")
    with pytest.raises(EmollamaError, match="need a feature store"):
        open_tracks(None, "voice")


def test_a_shard_of_another_encoder_or_without_its_id_is_not_read(tmp_path: Path) -> None:
    folder = store(tmp_path, "voice") / "voice"
    write_index(folder, [("0.safetensors", ["a", "b", "c"])])
    with pytest.raises(EmollamaError, match="lacks sample 'c'"):
        open_tracks(folder.parent, "voice").get("c")
    write_shard(folder / "0.safetensors", 3, "other", [])
    with pytest.raises(EmollamaError, match="made by another version of 'voice'"):
        open_tracks(folder.parent, "voice").get("a")


def test_external_tracks_are_vectors_or_sequences(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.arange(3.0))
    np.save(tmp_path / "b.npy", np.ones((4, 3), np.float16))
    (tmp_path / "columns.json").write_text(json.dumps({"columns": ["x", "y", "z"]}))
    reader = open_tracks(None, f"npy:{tmp_path}")
    a, b = reader.get("a"), reader.get("b")
    assert a is not None and b is not None
    assert a.values.shape == (1, 3) and b.values.shape == (4, 3)
    assert a.values.dtype == b.values.dtype == np.float32
    assert (reader.ids(), reader.columns, reader.status("c")) == (
        ["a", "b"],
        tuple("xyz"),
        "missing",
    )
    assert "../a" not in reader and str(tmp_path / "a") not in reader
    with pytest.raises(EmollamaError, match=r"has no file c\.npy"):
        reader.get("c")


class Evil:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return print, ("unpickled",)


def test_bad_external_files_are_one_line_and_nothing_is_unpickled(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    np.save(tmp_path / "a.npy", np.arange(3.0))
    np.save(tmp_path / "pickled.npy", np.array([Evil()], dtype=object))
    np.save(tmp_path / "text.npy", np.array(["x"]))
    np.save(tmp_path / "deep.npy", np.zeros((1, 2, 3)))
    np.save(tmp_path / "wide.npy", np.zeros(4))
    np.save(tmp_path / "nan.npy", np.array([1.0, np.nan, 2.0]))
    (tmp_path / "empty.npy").touch()
    reader = open_tracks(None, f"npy:{tmp_path}")
    for sample_id, line in {
        "pickled": "is not a plain .npy array",
        "empty": "is not a plain .npy array",
        "text": r"is <U1 of shape \[1\]; it must be numbers",
        "deep": r"shape \[1, 2, 3\]; it must be numbers of shape",
        "wide": "'wide' is 4 wide, the other files of this folder 3",
        "nan": r"nan\.npy: sample 'nan': holds nan \(step 0, column 1\)",
    }.items():
        with pytest.raises(EmollamaError, match=line):
            reader.get(sample_id)
    assert "unpickled" not in capsys.readouterr().out
