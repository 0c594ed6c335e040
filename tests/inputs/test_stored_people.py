"""People stored on request: private files, safe names, one line for each mistake."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import numpy as np
import pytest

from emollama.base.errors import EmollamaError
from emollama.inputs.person import Person
from emollama.inputs.stored_people import (
    load_person,
    people_folder,
    remove_person,
    save_person,
    stored_people,
)

PERSON = Person(4, np.linspace(-1, 1, 6), np.linspace(0.5, 2, 6), "0123456789abcdef", 0.5)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("EMOLLAMA_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("mask", [0o000, 0o022, 0o077])
def test_a_stored_person_is_for_its_owner_only(home: Path, mask: int) -> None:
    before = os.umask(mask)
    try:
        path = save_person(PERSON, "ann.b-1_2")
    finally:
        os.umask(before)
    assert path.parent == home / "people" == people_folder()
    assert mode(path) == 0o600 and mode(path.parent) == 0o700
    found = load_person("ann.b-1_2")
    assert (found.clips, found.prior, found.variety) == (4, PERSON.prior, 0.5)
    assert np.allclose(found.mean, PERSON.mean) and np.allclose(found.deviation, PERSON.deviation)
    assert sorted(p.name for p in path.parent.iterdir()) == [path.name]


def test_a_folder_that_was_open_is_closed(home: Path) -> None:
    people_folder().mkdir(parents=True)
    people_folder().chmod(0o755)
    save_person(PERSON, "ann")
    assert mode(people_folder()) == 0o700


def test_people_are_listed_and_removed(home: Path) -> None:
    assert stored_people() == []
    with pytest.raises(EmollamaError, match=r"^no person 'ann' is stored; nobody is stored yet"):
        load_person("ann")
    for name in ("bob", "ann"):
        save_person(PERSON, name)
    (people_folder() / "notes.txt").touch()
    assert stored_people() == ["ann", "bob"]
    with pytest.raises(EmollamaError, match=r"^no person 'anne' is stored; did you mean 'ann'"):
        remove_person("anne")
    with pytest.raises(EmollamaError, match=r"'ann' is stored already; remove them first"):
        save_person(PERSON, "ann")
    remove_person("ann")
    assert stored_people() == ["bob"]


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", "../ann", "a/b", "a\\b", "/etc/passwd", ".hidden", "-x", "a b", "ä", "a\n",
     "a\0", "x" * 65],
)  # fmt: skip
def test_a_name_never_leaves_the_folder(name: str) -> None:
    for use in (load_person, remove_person, lambda name: save_person(PERSON, name)):
        with pytest.raises(EmollamaError, match="cannot be a person's name"):
            use(name)
    assert not people_folder().exists()


def test_a_broken_file_is_one_line_and_can_be_removed(home: Path) -> None:
    path = save_person(PERSON, "ann")
    path.write_bytes(b"nothing")
    with pytest.raises(EmollamaError, match=r"ann\.safetensors: is not a stored person"):
        load_person("ann")
    remove_person("ann")
    assert stored_people() == []
