"""The training record of a run, and its messages."""

from __future__ import annotations

import platform
import sys
from collections.abc import Callable, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch
from pydantic import BaseModel

from emollama.base import paths
from emollama.base.files import read_json
from emollama.base.version import __version__
from emollama.manifest.sample import Manifest

RECORD_FILE = paths.RECORD_FILE
CARD_FILE = "README.md"
PACKAGES = (
    "torch", "transformers", "peft", "accelerate", "deepspeed", "tokenizers", "safetensors",
    "numpy", "av", "scikit-learn",
)  # fmt: skip


def versions() -> dict[str, str]:
    """Versions of everything that results may depend on."""
    found = {"emollama": __version__, "python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def read_record(folder: Path) -> dict[str, Any]:
    """The training record of an artefact; {} without one."""
    path = folder / RECORD_FILE
    return dict(read_json(path)) if path.is_file() else {}


def speaker(rank: int) -> Callable[[str], None]:
    """Prints lines on stderr in the first process only."""
    return _say if rank == 0 else _silent


def tell_left_out(left_out: Mapping[str, str], say: Callable[[str], None]) -> None:
    """Report how many samples are left out, with the reason for one of them."""
    if left_out:
        sample_id, why = next(iter(left_out.items()))
        say(
            f"left out {len(left_out)} samples whose features or media are missing or "
            f"unreadable, e.g. {sample_id} ({why})"
        )


def run_record(
    config: BaseModel,
    manifest: Manifest,
    manifest_sha256: str,
    samples: int,
    left_out: Mapping[str, str],
    device: torch.device,
    world: int,
) -> dict[str, Any]:
    """The common part of every training record.

    Args:
        config: effective configuration of the run.
        manifest: with the splits in use.
        manifest_sha256: of the file when it was read.
        samples: training samples.
        left_out: ids of samples that could not be read, and why.
        device: that this process trains on.
        world: number of processes.
    """
    return {
        "config": config.model_dump(mode="json"),
        "versions": versions(),
        "corpus": manifest.corpus,
        "samples": samples,
        "manifest_sha256": manifest_sha256,
        "split_sha256": manifest.split_sha256,
        "left_out": dict(left_out),
        "world_size": world,
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu",
        # Sums are taken in another order with another number of them, at least in bfloat16.
        "threads": torch.get_num_threads(),
    }


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _silent(text: str) -> None:
    del text
