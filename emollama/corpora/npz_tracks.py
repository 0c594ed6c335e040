"""Splits a feature table in one .npz into a folder of `<id>.npy`."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from emollama.base.errors import EmollamaError, did_you_mean
from emollama.base.files import atomic_path, write_json
from emollama.features.external import COLUMNS_FILE
from emollama.manifest.sample import stays_inside


def import_npz(
    npz: Path,
    out_dir: Path,
    *,
    ids_key: str = "ids",
    values_key: str = "values",
    columns_key: str = "columns",
) -> int:
    """Write each row of an .npz table as `out_dir/<id>.npy`, float32 [D] or [T, D].

    The names of the D columns, where the archive has them, go to `out_dir/columns.json`. Everything
    is checked before anything is written; nothing in the archive is unpickled.

    Args:
        npz: archive with ids [N], values [N, D] or [N, T, D] and optionally columns [D].
        out_dir: the folder, created if missing.
        ids_key: name of the ids' array.
        values_key: name of the values' array.
        columns_key: name of the columns' array; only the default name may be absent.

    Returns:
        N, the number of files.

    Raises:
        EmollamaError: no such archive or key, shapes that do not match, a duplicate id or one that
            cannot name a file, or a value that is not finite.
    """
    optional = {columns_key} if columns_key == "columns" else set()
    arrays = _load(npz, (ids_key, values_key, columns_key), optional)
    values = arrays[values_key]
    if values.dtype.kind not in "fiu" or values.ndim not in (2, 3) or values.size == 0:
        raise EmollamaError(
            f"{npz}: '{values_key}' is {values.dtype} of shape {list(values.shape)}; "
            "it must be numbers of shape [N, D] or [N, T, D]"
        )
    ids = _names(npz, ids_key, arrays[ids_key], len(values))
    _check_ids(npz, ids_key, ids)
    with np.errstate(over="ignore"):
        values = values.astype(np.float32)
    finite = np.isfinite(values.reshape(len(values), -1)).all(axis=1)
    if not finite.all():
        bad = ids[int(np.argmin(finite))]
        raise EmollamaError(f"{npz}: '{values_key}' of '{bad}' holds NaN or infinite numbers")
    columns: list[str] | None = None
    if columns_key in arrays:
        columns = _names(npz, columns_key, arrays[columns_key], values.shape[-1])
    write_npy_folder(out_dir, zip(ids, values, strict=True), columns)
    return len(ids)


def write_npy_folder(
    folder: Path, rows: Iterable[tuple[str, np.ndarray]], columns: Sequence[str] | None
) -> None:
    """Write a folder of `<id>.npy` with the names of the columns, as `npy:` streams read it."""
    for name, row in rows:
        with atomic_path(folder / f"{name}.npy") as temporary, temporary.open("wb") as file:
            np.save(file, row, allow_pickle=False)
    if columns is not None:
        write_json(folder / COLUMNS_FILE, list(columns))


def _load(npz: Path, keys: tuple[str, ...], optional: set[str]) -> dict[str, np.ndarray]:
    """The arrays of `keys`; those in `optional` may be missing."""
    arrays: dict[str, np.ndarray] = {}
    key = ""
    try:
        archive = np.load(npz, allow_pickle=False)
        if not isinstance(archive, np.lib.npyio.NpzFile):
            raise EmollamaError(f"{npz}: is a single array; give an .npz archive")
        with archive:
            for key in keys:
                if key in archive.files:
                    arrays[key] = archive[key]
                elif key not in optional:
                    hint = did_you_mean(key, archive.files)
                    raise EmollamaError(f"{npz}: has no array '{key}'{hint}")
    except OSError as error:
        raise EmollamaError(f"{npz}: cannot be read: {error.strerror or error}") from error
    except (ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        what = f"array '{key}' is not" if key else "is not an .npz archive of"
        raise EmollamaError(f"{npz}: {what} plain numbers or strings: {error}") from error
    return arrays


def _names(npz: Path, key: str, array: np.ndarray, count: int) -> list[str]:
    """An array of `count` strings or integers as strings."""
    if array.shape != (count,) or array.dtype.kind not in "USiu":
        raise EmollamaError(
            f"{npz}: '{key}' is {array.dtype} of shape {list(array.shape)}; "
            f"it must be {count} strings, one per row of the values"
        )
    if array.dtype.kind == "S":
        array = np.char.decode(array, "utf-8", "replace")
    return [str(name) for name in array.tolist()]


def _check_ids(npz: Path, key: str, ids: list[str]) -> None:
    seen: set[str] = set()
    for name in ids:
        if not stays_inside(name) or not name.isprintable():
            raise EmollamaError(f"{npz}: '{key}': '{name}' cannot be the name of a file")
        if name in seen:
            raise EmollamaError(f"{npz}: '{key}': '{name}' occurs twice; ids must be distinct")
        seen.add(name)
