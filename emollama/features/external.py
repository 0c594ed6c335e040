"""Feature tracks from other tools: a folder of `<id>.npy`, the field's usual format.

This is the way to use OpenFace units, or HuBERT or MAE vectors of other groups. A file holds [D]
(one vector per clip) or [T, D]; an optional `columns.json` beside them names the D columns.
"""

from __future__ import annotations

import hashlib
import json
from functools import cached_property
from pathlib import Path

import numpy as np

from emollama.base.errors import EmollamaError
from emollama.base.files import read_json
from emollama.encoders.base import FeatureTrack
from emollama.features.tracks import require_finite
from emollama.manifest.sample import stays_inside

COLUMNS_FILE = "columns.json"


class ExternalTracks:
    """A `TrackReader` over a folder of `<id>.npy` files, [D] or [T, D], any float or int type.

    These files hold no times, so the times of T steps are 0, 1, ... T - 1, in steps and not in
    seconds.

    Raises:
        EmollamaError: the folder is missing or holds no .npy file, or `columns.json` does not match
            the files.
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
        """Identifies width and columns, all that is known about the tool."""
        text = json.dumps([self.width, self.columns])
        return f"npy-{hashlib.sha256(text.encode()).hexdigest()[:16]}"

    def _path(self, sample_id: object) -> Path | None:
        if not isinstance(sample_id, str) or not stays_inside(sample_id):
            return None
        path = self.folder / f"{sample_id}.npy"
        try:
            return path if path.is_file() else None
        except OSError:  # a name longer than this file system allows
            return None

    def __contains__(self, sample_id: object) -> bool:
        return self._path(sample_id) is not None

    def ids(self) -> list[str]:
        """The ids that have a file, sorted."""
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
            EmollamaError: the file is missing, has another width or shape, or holds NaN.
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


def _load(path: Path) -> np.ndarray:
    """The float32 [T, D] array of a .npy file."""
    try:
        values = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise EmollamaError(f"{path}: is not a plain .npy array: {error}") from error
    if not isinstance(values, np.ndarray):
        raise EmollamaError(f"{path}: is an .npz archive named .npy; use one .npy per clip")
    if values.dtype.kind not in "fiu" or values.ndim not in (1, 2) or values.size == 0:
        raise EmollamaError(
            f"{path}: is {values.dtype} of shape {list(values.shape)}; "
            "it must be numbers of shape [D] or [T, D]"
        )
    return np.atleast_2d(values).astype(np.float32)
