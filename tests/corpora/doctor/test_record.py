"""What an earlier run wrote, spoiled: each line is taken whole or is as good as not there."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from emollama.corpora.doctor.look import FACE, MEDIA, FaceFacts, FileFacts, MediaFacts
from emollama.corpora.doctor.record import LOOKS, Record
from emollama.workers.worker import Failure

FILE = FileFacts("d", 10.0, (0.0, 1.5), None, True, False, 8, -20.0, None, 0)
FACTS = MediaFacts(FILE, Failure("missing", "a.wav: does not exist"))
PRINTS = {MEDIA: "1", FACE: "2"}


def line(**changed: Any) -> str:
    row = {"id": "a", "signature": "s", "check": MEDIA, "fingerprint": "1", "facts": asdict(FACTS)}
    return json.dumps({**row, **changed}) + "\n"


def with_file(**changed: Any) -> str:
    return line(facts={"video": {**asdict(FILE), **changed}, "audio": None})


def read(folder: Path, text: str) -> object:
    folder.mkdir(exist_ok=True)
    (folder / LOOKS).write_text(text)
    with Record(folder, PRINTS) as record:
        return record.get("a", "s", MEDIA)


def test_what_is_added_is_read_again(tmp_path: Path) -> None:
    face = FaceFacts(8, 3)
    with Record(tmp_path, PRINTS) as record:
        record.add("a", "s", {MEDIA: FACTS, FACE: face})
        record.add("b", "t", {MEDIA: Failure("worker died", "signal 11")})
    with Record(tmp_path, PRINTS) as record:
        assert record.get("a", "s", MEDIA) == FACTS and record.get("a", "s", FACE) == face
        assert record.get("b", "t", MEDIA) == Failure("worker died", "signal 11")
        assert record.get("a", "other", MEDIA) is None


@pytest.mark.parametrize(
    "spoiled",
    [
        line(facts=[]), line(facts=None), line(facts=asdict(FaceFacts(8, 3))), line(id=3),
        line(id=["a"]), line(signature={}), line(fingerprint="0"), line(facts={"video": "x"}),
        with_file(sound=[]), with_file(sound=["a", "b"]), with_file(sound=[1, 2, 3]),
        with_file(level="loud"), with_file(damaged="x"), with_file(digest=[]),
        with_file(frames=1.5), with_file(stated=float("nan")), with_file(level=float("-inf")),
        "[" * 200_000 + "\n", "1\n", "\n", "null\n", line()[:40] + "\n", line()[:-1],
    ],
)  # fmt: skip
def test_a_line_that_is_none_is_as_good_as_not_there(tmp_path: Path, spoiled: str) -> None:
    assert read(tmp_path / "whole", line()) == FACTS
    assert read(tmp_path / "spoiled", spoiled) is None
    assert read(tmp_path / "behind", spoiled.rstrip("\n") + "\n" + line()) == FACTS
