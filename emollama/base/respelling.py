"""Keys that had another name in an earlier release: read as the new one, with one notice.

A table is {old dotted key: new name of its last part}; `*` stands for every item of a list:
{"training.save_every": "save_every_steps", "model.streams.*.start": "initial_weights"}.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from typing import Any

from emollama.base.errors import EmollamaError

Table = Mapping[str, str]


def respelled(table: Table, values: Any) -> tuple[Any, list[str]]:
    """A copy of a configuration's values with new names, and a note on each old one.

    Raises:
        EmollamaError: a key is there under both names.
    """
    found = copy.deepcopy(values)
    notes: list[str] = []
    for old, name in table.items():
        *path, last = old.split(".")
        for section in _sections(found, path):
            if last not in section:
                continue
            if name in section:
                raise EmollamaError(f"{old} is the old name of {new_key(old, name)}; give one")
            section[name] = section.pop(last)
            note = _note(old, name)
            notes += [] if note in notes else [note]
    return found, notes


def respelled_key(table: Table, key: str) -> tuple[str, list[str]]:
    """The new name of a dotted key such as "model.streams.0.start", and a note if it had an old.

    A key within a section that had another name is one of the new section.
    """
    parts = key.split(".")
    for old, name in table.items():
        pattern = old.split(".")
        head, rest = parts[: len(pattern)], parts[len(pattern) :]
        if len(head) == len(pattern) and all(
            p in ("*", q) for p, q in zip(pattern, head, strict=True)
        ):
            return ".".join([*head[:-1], name, *rest]), [_note(".".join(head), name)]
    return key, []


def former(table: Table, values: Any) -> Any:
    """A copy of the values with the names of before, for what is known by a digest of them."""
    back = {new_key(old, name): old.rsplit(".", 1)[-1] for old, name in table.items()}
    return respelled(back, values)[0]


def new_key(old: str, name: str) -> str:
    """The whole new key."""
    return ".".join([*old.split(".")[:-1], name])


def _note(old: str, name: str) -> str:
    return f"{old} is now {new_key(old, name)}; the old name will go with the next release"


def _sections(values: Any, path: list[str]) -> Iterable[dict[str, Any]]:
    """The mappings that a path leads to."""
    if not path:
        return [values] if isinstance(values, dict) else []
    first, *rest = path
    if first == "*":
        items = values if isinstance(values, list) else []
        return [section for item in items for section in _sections(item, rest)]
    return _sections(values[first], rest) if isinstance(values, dict) and first in values else []
