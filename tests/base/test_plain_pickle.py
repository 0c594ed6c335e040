"""Pickles that are read without running, or trusting, what they say."""

from __future__ import annotations

import os
import pickle
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from emollama.base.errors import EmollamaError
from emollama.base.plain_pickle import read_pickle


class Runs:
    """What unpickling must never call."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_arrays_and_containers_are_read_and_nothing_is_run(tmp_path: Path, protocol: int) -> None:
    data = {
        "a": np.arange(6, dtype=np.float32).reshape(2, 3).T,
        "b": [np.float64(2.5), "é", b"\xff", b""],
        "c": (None, {1, 2}, np.array(["x", None], object)), "d": np.array(["ab", "c"]),
        "e": np.array([["x", [1]], ["y", np.arange(2)]], object), "f": np.array([b"ab", b"c"]),
        "g": np.array([True, False]), "h": np.zeros((0, 3)), "i": np.array(7, ">i4"),
    }  # fmt: skip
    plain, evil = tmp_path / "plain.pkl", tmp_path / "evil.pkl"
    plain.write_bytes(pickle.dumps(data, protocol))
    read = read_pickle(plain)
    np.testing.assert_array_equal(read["a"], data["a"])
    assert read["b"] == data["b"] and read["c"][1] == {1, 2}
    assert read["c"][2].tolist() == ["x", None] and read["d"].tolist() == ["ab", "c"]
    assert read["e"].shape == (2, 2) and read["e"][0].tolist() == ["x", [1]]
    assert read["e"][1, 1].tolist() == [0, 1] and read["f"].tolist() == [b"ab", b"c"]
    assert read["g"].tolist() == [True, False] and read["h"].shape == (0, 3) and read["i"] == 7
    evil.write_bytes(pickle.dumps([np.zeros(2), Runs(tmp_path / "made")], protocol))
    with pytest.raises(EmollamaError, match=r"names '(posix|nt|os|copy_?reg)\.\w+'; only numpy"):
        read_pickle(evil)
    inside = np.array([Runs(tmp_path / "made")], dtype=object)
    evil.write_bytes(pickle.dumps(inside, protocol))
    with pytest.raises(EmollamaError, match="refused"):
        read_pickle(evil)
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize(
    "value", [OrderedDict(), eval, os.system, Path("x"), np.load, np.ma.masked_array([1])]
)
def test_every_other_name_is_refused(tmp_path: Path, value: object) -> None:
    (tmp_path / "p").write_bytes(pickle.dumps(value))
    with pytest.raises(EmollamaError, match="only numpy arrays and plain containers are read"):
        read_pickle(tmp_path / "p")


def test_codecs_of_bytes_are_latin_1_alone(tmp_path: Path) -> None:
    (tmp_path / "p").write_bytes(b"c_codecs\nencode\n(Vx\nVrot13\ntR.")
    with pytest.raises(EmollamaError, match="codec 'rot13' is not allowed"):
        read_pickle(tmp_path / "p")


def test_damaged_pickles_are_one_line(tmp_path: Path) -> None:
    whole = pickle.dumps({"train": {"id": ["a$_$0"], "audio": np.zeros((2, 3), np.float32)}})
    for cut in range(0, len(whole) - 1, 7):
        (tmp_path / "p").write_bytes(whole[:cut])
        with pytest.raises(EmollamaError):
            read_pickle(tmp_path / "p")
    with pytest.raises(EmollamaError, match="cannot be read"):
        read_pickle(tmp_path / "none")


# An array of objects whose pointers are bytes of the file: the state of its dtype denies them.
OBJECTS = b"cnumpy\ndtype\n(X\x02\x00\x00\x00O8K\x00K\x01tR"
NO_FLAGS = b"(K\x03X\x01\x00\x00\x00|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
FIELDS = (
    b"cnumpy\ndtype\n(X\x02\x00\x00\x00V8K\x00K\x01tR(K\x03X\x01\x00\x00\x00|N(X\x01\x00\x00\x00at}"
    b"X\x01\x00\x00\x00a(" + OBJECTS + b"K\x00tsK\x08K\x01K\x00tb"
)
DOUBLES = b"cnumpy\ndtype\n(X\x02\x00\x00\x00f8K\x00K\x01tR"
BUFFER = b"\x80\x04cnumpy.core.numeric\n_frombuffer\n(C\x10AAAAAAAABBBBBBBB"
ARRAY = b"\x80\x04cnumpy.core.multiarray\n_reconstruct\n(tR(K\x01K\x02\x85"


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (BUFFER + OBJECTS + NO_FLAGS + b"K\x02\x85X\x01\x00\x00\x00CtR.", "objects given as bytes"),
        (ARRAY + OBJECTS + NO_FLAGS + b"\x89C\x10AAAAAAAABBBBBBBBtb.", "objects given as bytes"),
        (BUFFER + FIELDS + b"K\x02\x85X\x01\x00\x00\x00CtR.", "array of 'V8'"),
        (
            BUFFER + DOUBLES + b"J\xff\xff\xff\xff\x85X\x01\x00\x00\x00CtR.",
            r"array of the shape \(-1,\)",
        ),
        (BUFFER + DOUBLES + b"K\x03\x85X\x01\x00\x00\x00CtR.", "damaged: cannot reshape"),
        (b"\x80\x02cnumpy.core.multiarray\nscalar\n(" + FIELDS + b"tR.", "array of 'V8'"),
        (b"\x80\x02cnumpy.core.multiarray\nscalar\n(" + OBJECTS + b"NtR.", "given as bytes"),
        (b"\x80\x02cnumpy\ndtype\n}X\x01\x00\x00\x00aK\x01sb.", "state of a function"),
        (b"\x80\x02cnumpy\nndarray\n.", "a function or a type, not a value"),
        (b"\x80\x02" + DOUBLES + b".", "a function or a type, not a value"),
        (b"\x80\x02}" + DOUBLES + b"K\x01s.", "unhashable"),
        (b"\x80\x02]q\x00h\x00a.", "holds itself"),
    ],
)
def test_what_a_pickle_says_of_arrays_is_not_trusted(
    tmp_path: Path, data: bytes, said: str
) -> None:
    (tmp_path / "p").write_bytes(data)
    with pytest.raises(EmollamaError, match=said):
        read_pickle(tmp_path / "p")


def test_text_beyond_unicode_and_arrays_of_other_kinds_are_refused(tmp_path: Path) -> None:
    for value in (
        np.array([0x110000], "u4").view("U1"), np.array([1j]), np.array(["2020"], "M8[D]"),
        np.zeros(2, "f4,i4"),
    ):  # fmt: skip
        (tmp_path / "p").write_bytes(pickle.dumps([value]))
        with pytest.raises(EmollamaError, match=r"not valid Unicode|holds an? (structured )?array"):
            read_pickle(tmp_path / "p")


def test_what_is_held_often_is_built_once(tmp_path: Path) -> None:
    value: Any = np.zeros(3)
    for _ in range(60):  # 2 ** 60 arrays if each were built
        value = [value, value]
    (tmp_path / "p").write_bytes(pickle.dumps(value))
    read = read_pickle(tmp_path / "p")
    assert read[0] is read[1]
