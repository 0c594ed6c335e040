"""What every training run keeps in its output folder, and what it says on the way."""

from __future__ import annotations

import platform
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import yaml
from pydantic import BaseModel

from emollama import __version__
from emollama.base.errors import EmollamaError
from emollama.base.files import read_text, write_text

CONFIG_FILE = "config.yaml"
PACKAGES = (
    "torch", "transformers", "peft", "accelerate", "deepspeed", "tokenizers", "safetensors",
    "numpy", "av", "scikit-learn",
)  # fmt: skip


def versions() -> dict[str, str]:
    """Versions of everything a number may depend on."""
    found = {"emollama": __version__, "python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def speaker(rank: int) -> Callable[[str], None]:
    """Lines on stderr from the first process, nothing from the others."""
    return _say if rank == 0 else _silent


def tell_left_out(left_out: Mapping[str, str], say: Callable[[str], None]) -> None:
    """Say how many samples are left out, and why one of them is."""
    if left_out:
        sample_id, why = next(iter(left_out.items()))
        say(
            f"left out {len(left_out)} samples whose features or media are not there or cannot be "
            f"read, e.g. {sample_id} ({why})"
        )


def write_configuration(output: Path, config: BaseModel) -> None:
    """Write the effective configuration."""
    values = yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False)
    write_text(output / CONFIG_FILE, values)


def require_same_configuration(
    output: Path, config: BaseModel, may_change: Sequence[tuple[str, str]]
) -> None:
    """Refuse to go on from checkpoints of another configuration than `config`.

    Args:
        output: of the run; it holds checkpoints.
        config: of this run.
        may_change: (section, key) of settings that may differ.
    """
    path = output / CONFIG_FILE
    if not path.is_file():
        raise EmollamaError(f"{output}: holds checkpoints but no {CONFIG_FILE}")
    before = yaml.safe_load(read_text(path))
    now = config.model_dump(mode="json")
    for section, key in may_change:
        for values in (before, now):
            values.get(section, {}).pop(key, None)
    if before != now:
        raise EmollamaError(
            f"{output}: holds checkpoints of another configuration (see {path}); "
            "choose another output, or training.resume=never to start anew"
        )


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _silent(text: str) -> None:
    del text
