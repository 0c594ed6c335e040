"""Names of splits: those that presets look for, and what others write for them."""

from __future__ import annotations

USUAL = ("train", "val", "test")
"""The splits that the presets train on, validate on and test on."""

_OTHERS = {
    "train": ("training", "trainset", "tr"),
    "val": ("valid", "validation", "dev", "development", "devel", "valset", "publictest"),
    "test": ("testing", "testset", "te", "privatetest"),
}
_USUAL = {other: name for name in USUAL for other in (name, *_OTHERS[name])}


def usual_split(name: str) -> str:
    """The name that presets use for a split, e.g. "val" for "Dev"; itself where none is known."""
    return _USUAL.get(name.strip().lower(), name)
