"""Priors and people as safetensors files."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from emollama.base.errors import EmollamaError
from emollama.base.files import atomic_path
from emollama.base.paths import PRIOR_FILE as PRIOR_FILE
from emollama.inputs.person import Person, PersonPrior

_PRIOR = ("mean", "deviation", "within", "noise", "habit", "spread", "classes", "weights", "bias")
_PERSON = ("mean", "deviation")


def write_prior(prior: PersonPrior, path: Path) -> None:
    """Write a prior; it is read back as the float32 of what it was."""
    # A list, for its order is that of the columns.
    about = {
        "widths": list(prior.widths.items()),
        "labels": list(prior.labels),
        "noisiest": prior.noisiest,
    }
    write_arrays(path, {name: getattr(prior, name) for name in _PRIOR}, about)


def read_prior(path: Path, faces: tuple[str, ...]) -> PersonPrior:
    """Read the prior of an artefact.

    Args:
        path: its file, which does not tell channels.
        faces: the inputs that show the face.

    Raises:
        EmollamaError: the file is missing or corrupt.
    """
    arrays, about = read_arrays(path, _PRIOR, "a prior of people")
    try:
        widths = {str(name): int(width) for name, width in about["widths"]}
        labels = tuple(map(str, about["labels"]))
        noisiest = float(about.get("noisiest", 1.0))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise EmollamaError(f"{path}: is not a prior of people: {error!r}") from error
    columns, count = sum(widths.values()), len(labels)
    for name, values in arrays.items():
        wanted = {"classes": (count, columns), "weights": (count, columns), "bias": (count,)}
        if values.shape != wanted.get(name, (columns,)):
            raise EmollamaError(
                f"{path}: {name} is {values.shape}, expected {wanted.get(name, (columns,))}"
            )
    return PersonPrior(widths, labels, **arrays, noisiest=noisiest, faces=faces)


def write_person(person: Person, path: Path) -> None:
    """Write a person for their eyes only: mode 0600."""
    about = {"clips": person.clips, "prior": person.prior, "variety": person.variety}
    write_arrays(path, {"mean": person.mean, "deviation": person.deviation}, about, mode=0o600)


def read_person(path: Path) -> Person:
    """Read a stored person.

    Raises:
        EmollamaError: the file is missing or corrupt.
    """
    arrays, about = read_arrays(path, _PERSON, "a stored person")
    try:
        return Person(
            clips=int(about["clips"]),
            mean=arrays["mean"],
            deviation=arrays["deviation"],
            prior=str(about["prior"]),
            variety=float(about["variety"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise EmollamaError(f"{path}: is not a stored person: {error!r}") from error


def write_arrays(
    path: Path, arrays: dict[str, Any], about: dict[str, Any], mode: int = 0o666
) -> None:
    """Write arrays as float32 (float16 stays), with their description as metadata."""
    values = {
        name: np.ascontiguousarray(v, np.float16 if v.dtype == np.float16 else np.float32)
        for name, v in arrays.items()
    }
    with atomic_path(path, mode) as draft:
        save_file(values, draft, metadata={"emollama": json.dumps(about, sort_keys=True)})


def read_arrays(
    path: Path, names: tuple[str, ...] | None, what: str
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Arrays as float64 by name (None: all that there are), and their description.

    Raises:
        EmollamaError: the file is missing or corrupt; `what` says what was expected.
    """
    if not path.is_file():
        raise EmollamaError(f"{path}: does not exist; expected {what}")
    try:
        with safe_open(os.fspath(path), framework="numpy") as file:
            about = json.loads((file.metadata() or {})["emollama"])
            arrays = {
                name: file.get_tensor(name).astype(np.float64) for name in names or file.keys()
            }
    except (SafetensorError, OSError, KeyError, ValueError) as error:
        raise EmollamaError(f"{path}: is not {what}: {error}") from error
    if not isinstance(about, dict) or not all(np.isfinite(v).all() for v in arrays.values()):
        raise EmollamaError(f"{path}: is not {what}: holds NaN, infinity or no description")
    return arrays, about
