"""Features shipped as one .npz of many clips, unpacked to a folder that `ExternalTracks` reads."""

from __future__ import annotations

import json
import shutil
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from emollama.errors import EmollamaError, did_you_mean
from emollama.features.external import COLUMNS_FILE, stays_inside
from emollama.features.tracks import require_finite


def import_npz(
    npz_path: Path,
    out_dir: Path,
    ids_key: str = "ids",
    values_key: str = "values",
    columns_key: str = "columns",
) -> int:
    """Unpack one .npz of many clips to a folder for `npy:FOLDER`, whole or not at all.

    Returns the number of clips.

    Args:
        npz_path: holds `ids_key` [N] of text and `values_key` [N, D] or [N, T, D] of numbers;
            `columns_key` [D] of text where it is there.
        out_dir: must be new, empty, or an earlier import (it is then replaced).
        ids_key: name of the array of ids.
        values_key: name of the array of features.
        columns_key: name of the optional array of column names.

    Raises:
        EmollamaError: for a file, key, shape, id or value that does not fit, naming it.
    """
    ids, values, columns = _read_npz(npz_path, ids_key, values_key, columns_key)
    if out_dir.exists() and not out_dir.is_dir():
        raise EmollamaError(f"{out_dir}: is a file; give a folder")
    strangers = [
        p.name
        for p in (out_dir.iterdir() if out_dir.is_dir() else ())
        if p.suffix != ".npy" and p.name != COLUMNS_FILE
    ]
    if strangers:
        raise EmollamaError(
            f"{out_dir}: holds other files ({sorted(strangers)[0]}); give a new or empty folder"
        )
    try:
        out_dir.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{out_dir.name}.", dir=out_dir.parent))
        try:
            temporary.chmod(0o755)
            for sample_id, row in zip(ids, values, strict=True):
                np.save(temporary / f"{sample_id}.npy", row.astype(np.float32), allow_pickle=False)
            names = {"columns": list(columns), "source": npz_path.name}
            if columns:
                (temporary / COLUMNS_FILE).write_text(json.dumps(names, indent=2) + "\n")
            if out_dir.is_dir():
                shutil.rmtree(out_dir)
            temporary.replace(out_dir)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    except OSError as error:
        raise EmollamaError(f"{out_dir}: cannot be written: {error.strerror or error}") from error
    return len(ids)


def _read_npz(
    path: Path, ids_key: str, values_key: str, columns_key: str
) -> tuple[list[str], np.ndarray, tuple[str, ...]]:
    try:
        loaded = np.load(path, allow_pickle=False)
        if not isinstance(loaded, np.lib.npyio.NpzFile):
            raise ValueError("it is a single array")
        with loaded as archive:
            for key in (ids_key, values_key):
                if key not in archive.files:
                    raise EmollamaError(
                        f"{path}: has no array '{key}'{did_you_mean(key, archive.files)}"
                    )
            ids_array, values = archive[ids_key], archive[values_key]
            columns = archive[columns_key] if columns_key in archive.files else np.array([], "U1")
    except FileNotFoundError as error:
        raise EmollamaError(f"{path}: no such file") from error
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise EmollamaError(f"{path}: is not an .npz of plain arrays: {error}") from error
    ids = _ids(path, ids_key, ids_array)
    if values.dtype.kind not in "fiu" or values.ndim not in (2, 3) or len(values) != len(ids):
        raise EmollamaError(
            f"{path}: '{values_key}' is {values.dtype} of shape {list(values.shape)}; it must be "
            f"numbers of shape [{len(ids)}, D] or [{len(ids)}, T, D]"
        )
    for sample_id, row in zip(ids, values, strict=True):
        require_finite(np.atleast_2d(row), f"{path}: '{values_key}': id '{sample_id}'")
    if len(columns) and (columns.dtype.kind != "U" or columns.shape != (values.shape[-1],)):
        raise EmollamaError(
            f"{path}: '{columns_key}' must name the {values.shape[-1]} columns of '{values_key}'"
        )
    return ids, values, tuple(str(c) for c in columns)


def _ids(path: Path, key: str, array: np.ndarray) -> list[str]:
    if array.dtype.kind not in "US" or array.ndim != 1 or not len(array):
        raise EmollamaError(
            f"{path}: '{key}' is {array.dtype} of shape {list(array.shape)}; it must be text [N]"
        )
    ids: Sequence[str] = [
        i.decode("utf-8", "replace") if isinstance(i, bytes) else str(i) for i in array.tolist()
    ]
    seen: set[str] = set()
    for sample_id in ids:
        if sample_id in seen:
            raise EmollamaError(f"{path}: '{key}' holds id '{sample_id}' twice")
        if not stays_inside(sample_id) or "/" in sample_id:
            raise EmollamaError(f"{path}: '{key}' holds '{sample_id}', which cannot name a file")
        seen.add(sample_id)
    return list(ids)
