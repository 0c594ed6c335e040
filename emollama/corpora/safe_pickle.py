"""Pickles of arrays and plain containers, read without running any code that they name.

A pickle may name any function and have it called while it is read. Here it can name what rebuilds
numpy arrays, and nothing else; the first other name ends the reading.
"""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy._core import multiarray, numeric

from emollama.errors import EmollamaError


def _encode(text: str, encoding: str = "utf-8") -> bytes:
    """Protocol 2 spells bytes as text in Latin-1; other codecs, some unpack, are not wanted."""
    if encoding not in ("latin1", "latin-1"):
        raise pickle.UnpicklingError(f"codec '{encoding}' is not allowed")
    return text.encode("latin-1")


def _no_bytes() -> bytes:
    """Protocol 2 spells empty bytes as a call; with a number, `bytes` would fill the memory."""
    return b""


# numpy.core became numpy._core in numpy 2; pickles have either name.
_ALLOWED: dict[tuple[str, str], Any] = {
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    ("_codecs", "encode"): _encode,
    **{
        (builtins, name): kind
        for builtins in ("builtins", "__builtin__")
        for name, kind in (("set", set), ("frozenset", frozenset), ("bytes", _no_bytes))
    },
    **{
        (f"numpy.{core}.{module}", name): getattr(source, name)
        for core in ("core", "_core")
        for module, source, name in (
            ("multiarray", multiarray, "_reconstruct"),
            ("multiarray", multiarray, "scalar"),
            ("numeric", numeric, "_frombuffer"),
        )
    },
}


class _Reader(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        try:
            return _ALLOWED[module, name]
        except KeyError:
            raise pickle.UnpicklingError(
                f"names '{module}.{name}'; only numpy arrays and plain containers are read, "
                "since what a pickle names can run code"
            ) from None

    def persistent_load(self, pid: Any) -> NoReturn:
        raise pickle.UnpicklingError("refers to objects outside the file")


def read_pickle(path: Path) -> Any:
    """The value in a pickle of dicts, lists, tuples, sets, numbers, strings and numpy arrays.

    Raises:
        EmollamaError: the file cannot be read, is cut off or no pickle, or names anything else.
    """
    try:
        with path.open("rb") as file:
            # Latin-1 keeps the bytes of arrays that Python 2 wrote.
            return _Reader(file, encoding="latin1").load()
    except OSError as error:
        raise EmollamaError(f"{path}: cannot be read: {error.strerror or error}") from error
    except EOFError as error:
        raise EmollamaError(f"{path}: is cut off, or no pickle") from error
    except pickle.UnpicklingError as error:
        raise EmollamaError(f"{path}: refused or no pickle: {error}") from error
    except (
        ArithmeticError, AttributeError, LookupError, MemoryError, RecursionError, TypeError,
        UnicodeError, ValueError,
    ) as error:  # fmt: skip
        # What a damaged pickle ends in depends on the byte that is wrong.
        raise EmollamaError(f"{path}: is no whole pickle: {error}") from error
