"""Reads arrays of other people's .npz files without running any code in them.

Public systems keep names and answers as object arrays, which numpy stores as pickles, and a pickle
is a program. Such an array is read without running any (see `plain_pickle`). What comes out is
text, numbers, lists and dictionaries.
"""

from __future__ import annotations

import io
import pickle
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from emollama.base.errors import EmollamaError
from emollama.base.plain_pickle import load_plain

LARGEST = 512 * 1024 * 1024
"""Bytes of one unpacked array."""


def read_npz(
    path: Path, wanted: Callable[[str], bool] = lambda name: True
) -> dict[str, Any]:  # fmt: skip
    """Arrays by name; an object array comes as nested lists, one without dimensions as its value.

    Arrays that are not `wanted` are not looked at: real files hold the arguments of their program
    beside the numbers, pickled.

    Raises:
        EmollamaError: no file, not an .npz file, too large, or a pickle that holds more than text,
            numbers, lists and dictionaries.
    """
    found: dict[str, Any] = {}
    try:
        with zipfile.ZipFile(path) as archive:
            names = [n for n in archive.namelist() if n.endswith(".npy")]
            for name in names:
                if not wanted(name.removesuffix(".npy")):
                    continue
                with archive.open(name) as part:
                    data = part.read(LARGEST + 1)
                if len(data) > LARGEST:
                    raise EmollamaError(f"{path}: '{name}' is larger than {LARGEST} bytes")
                found[name.removesuffix(".npy")] = _array(path, name, data)
    except OSError as error:
        raise EmollamaError(f"{path}: cannot be read: {error.strerror or error}") from error
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise EmollamaError(f"{path}: is not an .npz file: {error}") from error
    if not names:
        raise EmollamaError(f"{path}: holds no arrays")
    return found


def array_names(path: Path) -> list[str]:
    """Names of the arrays of an .npz file, none of which is read.

    Raises:
        EmollamaError: no file, or not an .npz file.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except OSError as error:
        raise EmollamaError(f"{path}: cannot be read: {error.strerror or error}") from error
    except zipfile.BadZipFile as error:
        raise EmollamaError(f"{path}: is not an .npz file: {error}") from error
    return [n.removesuffix(".npy") for n in names if n.endswith(".npy")]


def _array(path: Path, name: str, data: bytes) -> Any:
    try:
        return np.load(io.BytesIO(data), allow_pickle=False)
    except ValueError as error:
        if "allow_pickle" not in str(error):
            raise EmollamaError(f"{path}: '{name}' is not an array: {error}") from error
    stream = io.BytesIO(data)
    try:
        major, _ = np.lib.format.read_magic(stream)
        read = (
            np.lib.format.read_array_header_1_0
            if major == 1
            else np.lib.format.read_array_header_2_0
        )
        read(stream)
    except ValueError as error:
        raise EmollamaError(
            f"{path}: '{name}' is not an array: {' '.join(str(error).split())[:120]}"
        ) from error
    try:
        value = _plain(load_plain(stream))
    except (pickle.UnpicklingError, TypeError, ValueError, RecursionError, MemoryError) as error:
        raise EmollamaError(
            f"{path}: '{name}' is a pickle with more than text and numbers, and is not "
            f"loaded ({' '.join(str(error).split())[:120]}); save it with plain string arrays"
        ) from error
    return value


def _plain(value: Any) -> Any:
    """Arrays and tuples as lists, numbers as Python's; what is none of these is refused."""
    if isinstance(value, np.ndarray):
        # An array without dimensions is its value, which may be a dictionary.
        return _plain(value.tolist())
    if isinstance(value, np.generic):
        return _plain(value.item())
    if isinstance(value, dict):
        return {_plain(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    if value is None or isinstance(value, str | int | float | bool):
        return value
    raise ValueError(f"a {type(value).__name__}")
