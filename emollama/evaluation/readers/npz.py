"""Arrays of an .npz file of somebody else's, without running what it holds.

Public systems keep names and answers as object arrays, which numpy stores as pickles, and a pickle
is a program. Such an array is read by an unpickler that knows no class at all: numpy's own are
replaced by inert stand-ins, every other name is refused. What comes out is text, numbers, lists
and dictionaries.
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

from emollama.errors import EmollamaError

LARGEST = 512 * 1024 * 1024
"""Bytes of one unpacked array."""

_SCALARS = {"f4", "f8", "f2", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "b1"}


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
        value = _plain(_Inert(stream).load())
    except (pickle.UnpicklingError, EOFError, LookupError, TypeError, ValueError, AttributeError,
            RecursionError, MemoryError, OverflowError) as error:  # fmt: skip
        raise EmollamaError(
            f"{path}: '{name}' is a pickle that holds more than text and numbers, and is not "
            f"unpacked ({' '.join(str(error).split())[:120]}); save it with plain string arrays"
        ) from error
    return value


class _Dtype:
    """Stands for numpy.dtype: keeps its code and does nothing."""

    def __init__(self, code: Any = "", *_: Any) -> None:
        self.code = str(code)

    def __setstate__(self, state: Any) -> None:
        del state


class _Array:
    """Stands for numpy.ndarray of objects: keeps shape and items."""

    def __init__(self) -> None:
        self.shape: tuple[int, ...] = ()
        self.items: list[Any] = []

    def __setstate__(self, state: Any) -> None:
        _, shape, dtype, fortran, items = state
        if not isinstance(items, list):
            if not isinstance(dtype, _Dtype) or dtype.code not in _SCALARS:
                raise ValueError("an array that is not of objects or numbers")
            items = np.frombuffer(items, dtype="<" + dtype.code).tolist()
        if fortran and len(shape) > 1:
            raise ValueError("an array in Fortran order")
        self.shape, self.items = tuple(int(n) for n in shape), items


class _Inert(pickle.Unpickler):
    """Knows numpy's names, as stand-ins, and no others."""

    def find_class(self, module: str, name: str) -> Any:
        known = {
            ("multiarray", "_reconstruct"): lambda *_: _Array(),
            ("multiarray", "scalar"): _scalar,
            ("numpy", "ndarray"): lambda *_: _Array(),
            # A function, so that no state can be set on the class.
            ("numpy", "dtype"): lambda *given: _Dtype(*given),
        }
        found = (
            known.get((module.rsplit(".", 1)[-1], name))
            if module.split(".")[0] == "numpy"
            else None
        )
        if found is None:
            raise pickle.UnpicklingError(f"it names {module}.{name}")
        return found


def _scalar(dtype: Any, data: Any = b"") -> Any:
    if not isinstance(dtype, _Dtype) or dtype.code not in _SCALARS or not isinstance(data, bytes):
        raise ValueError("a number of an unknown kind")
    return np.frombuffer(data, dtype="<" + dtype.code)[0].item()


def _plain(value: Any) -> Any:
    """Stand-ins replaced by lists; anything but plain values is refused."""
    if isinstance(value, _Array):
        items = [_plain(v) for v in value.items]
        if not value.shape:
            return items[0] if len(items) == 1 else items
        # Names and answers are one-dimensional; a further dimension becomes a list of rows.
        for size in reversed(value.shape[1:]):
            if size < 1:
                raise ValueError("an array with an empty dimension")
            items = [items[i : i + size] for i in range(0, len(items), size)]
        return items
    if isinstance(value, dict):
        return {_plain(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    if value is None or isinstance(value, str | int | float | bool):
        return value
    raise ValueError(f"a {type(value).__name__}")
