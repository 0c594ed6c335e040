"""People that a user asked to store: one file each below $EMOLLAMA_HOME, for its owner's eyes only.

A file holds means, deviations and the number of clips; no recording and no feature of a single
clip. Nothing is stored unasked.
"""

from __future__ import annotations

import re
from pathlib import Path

from emollama.assets.cache import asset_home
from emollama.base.errors import EmollamaError, did_you_mean
from emollama.inputs.person import Person
from emollama.inputs.person_file import read_person, write_person

SUFFIX = ".safetensors"
LONGEST_NAME = 64
"""Characters."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*", re.ASCII)


def people_folder() -> Path:
    """Where people are stored: `people` below $EMOLLAMA_HOME, else below ~/.cache/emollama."""
    return asset_home() / "people"


def require_person_name(name: str) -> None:
    """Raise an error unless a name can be that of a stored person.

    Raises:
        EmollamaError: it is empty, too long, or has other characters than letters, digits, `_`,
            `.` and `-`.
    """
    if len(name) > LONGEST_NAME or not _NAME.fullmatch(name):
        raise EmollamaError(
            f"{name[:LONGEST_NAME]!r} cannot be a person's name: use 1 to {LONGEST_NAME} of the "
            "letters a-z and A-Z, digits, '_', '.' and '-', beginning with a letter or digit"
        )


def stored_people() -> list[str]:
    """Names of all stored people, sorted.

    Raises:
        EmollamaError: the folder cannot be read.
    """
    folder = people_folder()
    try:
        found = [p.name.removesuffix(SUFFIX) for p in folder.glob(f"*{SUFFIX}") if p.is_file()]
    except OSError as error:
        raise EmollamaError(f"{folder}: cannot be read: {error.strerror or error}") from error
    return sorted(name for name in found if _NAME.fullmatch(name))


def stored_file(name: str) -> Path:
    """The file of a stored person.

    Raises:
        EmollamaError: nobody is stored by that name, or it cannot be a name.
    """
    require_person_name(name)
    path = people_folder() / f"{name}{SUFFIX}"
    if not path.is_file():
        known = stored_people()
        hint = did_you_mean(name, known) if known else "; nobody is stored yet (see --save-person)"
        raise EmollamaError(f"no person '{name}' is stored{hint}")
    return path


def load_person(name: str) -> Person:
    """A stored person.

    Raises:
        EmollamaError: nobody is stored by that name, or the file is corrupt.
    """
    return read_person(stored_file(name))


def require_free(name: str) -> None:
    """Raise an error unless a person can be stored by that name.

    Raises:
        EmollamaError: somebody is stored by it already, or it cannot be a name.
    """
    require_person_name(name)
    if (people_folder() / f"{name}{SUFFIX}").exists():
        raise EmollamaError(
            f"a person '{name}' is stored already; remove them first with: "
            f"emollama person remove {name}"
        )


def save_person(person: Person, name: str) -> Path:
    """Store a person, in a file of mode 0600 in a folder of mode 0700; returns the file.

    Raises:
        EmollamaError: see `require_free`; or the folder cannot be written.
    """
    require_free(name)
    folder = people_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o700)
    except OSError as error:
        raise EmollamaError(f"{folder}: cannot be written: {error.strerror or error}") from error
    path = folder / f"{name}{SUFFIX}"
    write_person(person, path)
    return path


def remove_person(name: str) -> Path:
    """Remove a stored person, whether the file can be read or not; returns where it was.

    Raises:
        EmollamaError: nobody is stored by that name, or the file cannot be removed.
    """
    path = stored_file(name)
    try:
        path.unlink()
    except OSError as error:
        raise EmollamaError(f"{path}: cannot be removed: {error.strerror or error}") from error
    return path
