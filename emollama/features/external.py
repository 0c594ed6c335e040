"""Feature tracks made by other tools: a folder of `<id>.npy`, as the field ships them.

OpenFace units, HuBERT or MAE vectors of other groups come in this way. A file holds [D] (one
vector a clip) or [T, D]; `columns.json` beside them, where there is one, names the D columns.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath

import numpy as np

from emollama.encoders.base import FeatureTrack
from emollama.errors import EmollamaError, did_you_mean
from emollama.features.tracks import require_finite
from emollama.files import read_json

COLUMNS_FILE = "columns.json"


class ExternalTracks:
    """A `TrackReader` over a folder of `<id>.npy` files, [D] or [T, D], any float or int type.

    The tools do not say when a step happened, so the times of T steps are 0, 1, ... T - 1, in
    steps and not in seconds.

    Raises:
        EmollamaError: where the folder is missing or holds no .npy file, or `columns.json` does
            not fit the files.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        if not folder.is_dir():
            raise EmollamaError(f"npy:{folder}: no such folder; it should hold <id>.npy files")
        first = next(iter(sorted(folder.glob("*.npy"))), None) or next(folder.rglob("*.npy"), None)
        if first is None:
            raise EmollamaError(f"npy:{folder}: holds no <id>.npy file")
        self.width = _load(first).shape[1]
        self.columns = self._read_columns()

    def _read_columns(self) -> tuple[str, ...]:
        path = self.folder / COLUMNS_FILE
        if not path.is_file():
            return ()
        value = read_json(path)
        names = value.get("columns") if isinstance(value, dict) else value
        if not isinstance(names, list) or len(names) != self.width:
            raise EmollamaError(
                f"{path}: must be a list of {self.width} column names, as wide as the .npy files"
            )
        return tuple(str(name) for name in names)

    @cached_property
    def fingerprint(self) -> str:
        """Identifies width and columns: what is known of the tool that made the numbers."""
        text = json.dumps([self.width, self.columns])
        return f"npy-{hashlib.sha256(text.encode()).hexdigest()[:16]}"

    def _path(self, sample_id: object) -> Path | None:
        if not isinstance(sample_id, str) or not _stays_inside(sample_id):
            return None
        path = self.folder / f"{sample_id}.npy"
        return path if path.is_file() else None

    def __contains__(self, sample_id: object) -> bool:
        return self._path(sample_id) is not None

    def ids(self) -> list[str]:
        """The ids for which there is a file, sorted."""
        return sorted(
            path.relative_to(self.folder).as_posix().removesuffix(".npy")
            for path in self.folder.rglob("*.npy")
        )

    def status(self, sample_id: str) -> str:
        """'ok' or 'missing'; the file is not opened."""
        return "ok" if sample_id in self else "missing"

    def get(self, sample_id: str) -> FeatureTrack | None:
        """The track of an id; never None.

        Raises:
            EmollamaError: where the file is missing, of another width or shape, or holds NaN.
        """
        path = self._path(sample_id)
        if path is None:
            raise EmollamaError(f"{self.folder}: has no file {sample_id}.npy for this sample")
        values = _load(path)
        if values.shape[1] != self.width:
            raise EmollamaError(
                f"{path}: sample '{sample_id}' is {values.shape[1]} wide, the other files of this "
                f"folder {self.width}"
            )
        require_finite(values, f"{path}: sample '{sample_id}'")
        return FeatureTrack(values, np.arange(len(values), dtype=np.float32))


def _stays_inside(sample_id: str) -> bool:
    """Whether `<id>.npy` lies inside the folder it is looked up in."""
    path = PurePosixPath(sample_id)
    return not (path.is_absolute() or ".." in path.parts or "\0" in sample_id or not path.parts)


def _load(path: Path) -> np.ndarray:
    """The float32 [T, D] array of a .npy file."""
    try:
        values = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise EmollamaError(f"{path}: is not a plain .npy array: {error}") from error
    if not isinstance(values, np.ndarray):
        raise EmollamaError(f"{path}: is an .npz archive under the name .npy; use one .npy a clip")
    if values.dtype.kind not in "fiu" or values.ndim not in (1, 2) or values.size == 0:
        raise EmollamaError(
            f"{path}: is {values.dtype} of shape {list(values.shape)}; "
            "it must be numbers of shape [D] or [T, D]"
        )
    return np.atleast_2d(values).astype(np.float32)


@dataclass(frozen=True)
class NpzImport:
    """What `import_npz` wrote."""

    folder: Path
    clips: int
    width: int
    columns: tuple[str, ...]


def import_npz(
    npz_path: Path,
    out_dir: Path,
    ids_key: str = "ids",
    values_key: str = "values",
    columns_key: str = "columns",
) -> NpzImport:
    """Unpack one .npz of many clips to a folder for `npy:FOLDER`, whole or not at all.

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
            os.replace(temporary, out_dir)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    except OSError as error:
        raise EmollamaError(f"{out_dir}: cannot be written: {error.strerror or error}") from error
    return NpzImport(out_dir, len(ids), values.shape[-1], columns)


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
        if not _stays_inside(sample_id) or "/" in sample_id:
            raise EmollamaError(f"{path}: '{key}' holds '{sample_id}', which cannot name a file")
        seen.add(sample_id)
    return list(ids)
