"""Presets by name: one way to find them in a wheel, an editable install and a clone."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Literal

from emollama.base.errors import EmollamaError

Kind = Literal["train", "evaluate", "bench", "arena", "deepspeed"]

_FOLDERS: dict[Kind, tuple[str, str]] = {
    "train": ("train_configs", ".yaml"),
    "evaluate": ("eval_configs", ".yaml"),
    "bench": ("train_configs/bench", ".yaml"),
    "arena": ("eval_configs/arena", ".yaml"),
    "deepspeed": ("train_configs/deepspeed", ".json"),
}
_COMMANDS = {
    "train": "emollama train", "evaluate": "emollama evaluate", "bench": "emollama bench",
    "arena": "emollama arena",
}  # fmt: skip
_NO_FILE = "cannot be read: no such file"
_NEAREST = 3  # names that an error offers


def preset_root() -> Path:
    """The folder that holds train_configs/ and eval_configs/."""
    package = Path(__file__).parents[1]
    installed = package / "presets"  # where setup.py puts them in a wheel
    return installed if installed.is_dir() else package.parent


def preset_names(kind: Kind) -> list[str]:
    """The presets of a kind, without their suffix."""
    folder, suffix = _FOLDERS[kind]
    return sorted(path.stem for path in (preset_root() / folder).glob(f"*{suffix}"))


def find_preset(kind: Kind, given: str | Path) -> Path:
    """The file for a path or a preset's name.

    An existing file is used as it is. Otherwise `given` is a name: `quickstart`, `quickstart.yaml`,
    or, as in a clone, `train_configs/quickstart.yaml`.

    Raises:
        EmollamaError: it is neither, naming the nearest presets.
    """
    path = Path(given)
    if path.is_file():
        return path
    folder, suffix = _FOLDERS[kind]
    place, name = path.parent, path.name.removesuffix(suffix)
    if place in (Path(), Path(folder), Path(Path(folder).name)):
        found = preset_root() / folder / f"{name}{suffix}"
        if found.is_file():
            return found
    elif path.is_absolute() or place.is_dir():
        raise EmollamaError(f"{path}: {'is a folder' if path.is_dir() else _NO_FILE}")
    raise EmollamaError(f"{path}: {_neither(kind, name)}")


def _nearest(name: str, names: list[str]) -> list[str]:
    """Names that begin with the word, then those that contain it, then those of like spelling."""
    word = name.lower()
    holding = [x for x in names if word and word in x.lower()]
    holding.sort(key=lambda x: not x.lower().startswith(word))
    alike = difflib.get_close_matches(name, names, n=_NEAREST, cutoff=0.5)
    return list(dict.fromkeys([*holding, *alike]))[:_NEAREST]


def _neither(kind: Kind, name: str) -> str:
    for other, command in _COMMANDS.items():
        if other != kind and name in preset_names(other):  # type: ignore[arg-type]
            return f"{_NO_FILE}, and the preset of that name is for '{command}'"
    names = preset_names(kind)
    near = _nearest(name, names)
    what = "nearest names" if near else "presets"
    return f"{_NO_FILE}, and no preset of that name; {what}: {', '.join(near or names)}"
