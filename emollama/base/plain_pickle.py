"""Pickles of arrays and plain containers, read without running any code that they name.

A pickle may name any function and have it called while it is read, and it sets the state of the
objects it builds. numpy's own functions trust that state: a wrong one turns bytes of the file into
pointers. So a pickle is read with inert stand-ins for them, any other name is an error, and arrays
are built afterwards, from plain numbers, text and containers only.
"""

from __future__ import annotations

import pickle
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

import numpy as np

from emollama.base.errors import EmollamaError

_CODE = re.compile(r"(b1|[iu][1248]|f[248]|[SU]\d{1,9})|(O[48]?)")
_HIGHEST = 0x10FFFF  # the last code point of Unicode


class _Dtype:
    """Stands for a numpy.dtype of plain numbers or text, or (`plain` is None) of objects."""

    __slots__ = ("order", "plain")
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, code: Any = None, *_: Any) -> None:
        found = _CODE.fullmatch(code) if isinstance(code, str) else None
        if found is None:
            raise pickle.UnpicklingError(
                f"holds an array of {str(code)[:40]!r}; only numbers, text and objects are read"
            )
        self.plain: str | None = found[1]
        self.order = "="

    def __setstate__(self, state: Any) -> None:
        """(version, byte order, subarray, names, fields, size, alignment, flags, ...).

        Size, alignment and flags follow from the code and are not taken from the file.
        """
        _, order, *structure = state[:5]
        if order not in ("<", ">", "|", "=") or structure != [None, None, None]:
            raise pickle.UnpicklingError("holds a structured array; only plain ones are read")
        self.order = order

    def read(self, data: Any) -> np.ndarray:
        """The plain items of `data` [n], which must be complete."""
        if self.plain is None:
            raise pickle.UnpicklingError("holds an array of objects given as bytes")
        if isinstance(data, str):  # Python 2 wrote bytes as text
            data = data.encode("latin-1")
        if not isinstance(data, bytes | bytearray):
            raise pickle.UnpicklingError("holds an array with missing bytes")
        values = np.frombuffer(data, np.dtype(self.order + self.plain))
        if self.plain[0] == "U" and values.size:
            points = np.frombuffer(data, np.dtype(self.order + "u4"))
            if points.max() > _HIGHEST:
                raise pickle.UnpicklingError("holds text that is not valid Unicode")
        return values


class _Array:
    """Stands for a numpy.ndarray: the parts it is built from."""

    __slots__ = ("dtype", "fortran", "items", "shape")
    __hash__ = None  # type: ignore[assignment]

    def __init__(self) -> None:
        self.shape: tuple[int, ...] = (0,)
        self.dtype = _Dtype("f8")
        self.fortran = False
        self.items: Any = b""

    def __setstate__(self, state: Any) -> None:
        """(version, shape, dtype, Fortran order, bytes or a list of objects)."""
        _, shape, dtype, self.fortran, self.items = state
        if not isinstance(dtype, _Dtype) or not isinstance(shape, tuple):
            raise pickle.UnpicklingError("holds an array of an unknown form")
        # A shape of -1 would be whatever fits.
        if not all(type(n) is int and n >= 0 for n in shape):
            raise pickle.UnpicklingError(f"holds an array of the shape {str(shape)[:40]}")
        self.shape, self.dtype = shape, dtype


class _Named:
    """Stands for a function or class that a pickle may name; it can be called and nothing else."""

    __slots__ = ("_call",)
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, call: Callable[..., Any]) -> None:
        self._call = call

    def __call__(self, *given: Any) -> Any:
        return self._call(*given)

    def __setstate__(self, state: Any) -> NoReturn:
        raise pickle.UnpicklingError("sets the state of a function")


def _reconstruct(*_: Any) -> _Array:
    return _Array()


def _frombuffer(data: Any, dtype: Any, shape: Any, order: Any) -> _Array:
    array = _Array()
    array.__setstate__((1, shape, dtype, order == "F", data))
    return array


def _scalar(dtype: Any, data: Any = b"") -> Any:
    if not isinstance(dtype, _Dtype):
        raise pickle.UnpicklingError("holds a number of an unknown kind")
    values = dtype.read(data)
    if len(values) != 1:
        raise pickle.UnpicklingError(f"holds {len(values)} numbers where one is expected")
    return values[0]


def _encode(text: str, encoding: str = "utf-8") -> bytes:
    """Protocol 2 spells bytes as Latin-1 text; other codecs are refused, some decompress."""
    if encoding not in ("latin1", "latin-1"):
        raise pickle.UnpicklingError(f"codec '{encoding}' is not allowed")
    return text.encode("latin-1")


def _no_bytes() -> bytes:
    """Protocol 2 spells empty bytes as a call; with a number, `bytes` would fill the memory."""
    return b""


# numpy.core became numpy._core in numpy 2; pickles have either name.
_ALLOWED: dict[tuple[str, str], Callable[..., Any]] = {
    ("numpy", "ndarray"): _reconstruct,
    ("numpy", "dtype"): _Dtype,
    ("_codecs", "encode"): _encode,
    **{
        (builtins, name): kind
        for builtins in ("builtins", "__builtin__")
        for name, kind in (("set", set), ("frozenset", frozenset), ("bytes", _no_bytes))
    },
    **{
        (f"numpy.{core}.{module}", name): call
        for core in ("core", "_core")
        for module, name, call in (
            ("multiarray", "_reconstruct", _reconstruct),
            ("multiarray", "scalar", _scalar),
            ("numeric", "_frombuffer", _frombuffer),
        )
    },
}


class _Reader(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        try:
            return _Named(_ALLOWED[module, name])
        except KeyError:
            raise pickle.UnpicklingError(
                f"names '{module}.{name}'; only numpy arrays and plain containers are "
                "read, since names in a pickle can run "
                "code"
            ) from None

    def persistent_load(self, pid: Any) -> NoReturn:
        raise pickle.UnpicklingError("refers to objects outside the file")


_PLAIN = (str, bytes, bytearray, bool, int, float, np.generic)
_OPEN = object()  # stands for a container while what it holds is built


class _Builder:
    """Replaces stand-ins by arrays; a shared object is built once."""

    def __init__(self) -> None:
        self._built: dict[int, Any] = {}

    def build(self, value: Any) -> Any:
        # Sets and keys hold nothing but plain values: stand-ins have no hash.
        if value is None or isinstance(value, (*_PLAIN, set, frozenset)):
            return value
        key = id(value)  # read values all live until the last is built
        if key not in self._built:
            self._built[key] = _OPEN
            self._built[key] = self._container(value)
        elif self._built[key] is _OPEN:
            raise pickle.UnpicklingError("holds a container that holds itself")
        return self._built[key]

    def _container(self, value: Any) -> Any:
        if isinstance(value, _Array):
            return self._array(value)
        if isinstance(value, dict):
            return {k: self.build(v) for k, v in value.items()}
        if isinstance(value, list):
            return [self.build(v) for v in value]
        if isinstance(value, tuple):
            return tuple([self.build(v) for v in value])
        raise pickle.UnpicklingError("holds a function or a type, not a value")

    def _array(self, array: _Array) -> np.ndarray:
        if array.dtype.plain is None and isinstance(array.items, list):
            flat = np.empty(len(array.items), dtype=object)
            for i, item in enumerate(array.items):
                flat[i] = self.build(item)
        else:
            flat = array.dtype.read(array.items)
        return flat.reshape(array.shape, order="F" if array.fortran else "C")


def load_plain(file: BinaryIO) -> Any:
    """The value of a pickle of dicts, lists, tuples, sets, numbers, text and numpy arrays.

    Arrays are of plain numbers or text, or of objects that are any of these.

    Raises:
        UnpicklingError: it is cut off, damaged or not a pickle, or names or builds anything else.
    """
    try:
        # Latin-1 keeps the bytes of arrays that Python 2 wrote.
        return _Builder().build(_Reader(file, encoding="latin1").load())
    except (OSError, pickle.UnpicklingError):
        raise
    except EOFError as error:
        raise pickle.UnpicklingError("it is cut off, or is not a pickle") from error
    except Exception as error:  # which one depends on the byte that is wrong
        raise pickle.UnpicklingError(f"it is damaged: {error}") from error


def read_pickle(path: Path) -> Any:
    """`load_plain` of a file.

    Raises:
        EmollamaError: the file cannot be read, is cut off or not a pickle, or holds anything else.
    """
    try:
        with path.open("rb") as file:
            return load_plain(file)
    except OSError as error:
        raise EmollamaError(f"{path}: cannot be read: {error.strerror or error}") from error
    except pickle.UnpicklingError as error:
        raise EmollamaError(f"{path}: refused or not a pickle: {error}") from error
