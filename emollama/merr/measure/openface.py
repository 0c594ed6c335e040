"""OpenFace's or py-feat's CSV of a clip: action units per frame.

OpenFace's `FeatureExtraction` writes a row per frame with `frame` (from 1), `timestamp`,
`confidence`, `success` and the intensities `AU01_r` (0 to 5) and presences `AU01_c` (0 or 1);
column names begin with a space in some versions.

py-feat's Fex has `frame` (from 0), `FaceScore` and the probabilities `AU01` (0 to 1), and no time:
it is that of the clip's picture of that number. A frame without a face has empty cells, and a frame
a row for each face (cosanlab/py-feat at 002e8f6a, feat/detector.py).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from emollama.base.csv_rows import Row, finite, read_rows
from emollama.base.errors import EmollamaError, did_you_mean
from emollama.manifest.action_units import UNIT_NAMES

UNIT_SCALE = 5.0
"""A probability or score of 1 is an intensity of 5, OpenFace's highest."""

CONFIDENT = 0.8
_SLACK = 0.5  # seconds that readers of one file may differ by
_UNIT = re.compile(r"(AU\d\d)_r", re.IGNORECASE)
_FEX_UNIT = re.compile(r"AU\d\d")


@dataclass(frozen=True)
class _Seen:
    """A row: number of the frame from 0, seconds, whether a face is sure, intensities."""

    number: int
    time: float
    found: bool
    values: list[float]


def read_openface(
    path: Path, seconds: float | None = None, shown: Sequence[float] = ()
) -> dict[str, Any]:
    """The face row of a clip; frames with low confidence count as frames without a face.

    Args:
        path: the CSV.
        seconds: later frames are left out.
        shown: times of the clip's pictures, where known; py-feat's frames are timed by them.

    Raises:
        EmollamaError: the file is missing or not a CSV, a column is missing, a cell is not a
            number, a frame occurs twice (several faces), or the table continues long after the
            clip's end.
    """
    if not path.is_file():
        raise EmollamaError(f"{path}: does not exist; OpenFace's CSV must be named <clip id>.csv")
    ends = shown[-1] if shown else None
    signs: dict[str, str] = {}
    times: list[float] = []
    numbers: list[int] = []
    found: list[bool] = []
    values: list[list[float]] = []
    fex = False
    for row in read_rows(path, (), ("timestamp", "success", "confidence")):
        if not signs:
            signs, fex = _columns(row, path)
        seen = _of_fex(row, signs, shown, path) if fex else _of_openface(row, signs, len(numbers))
        if seconds is not None and seen.time >= seconds:
            break
        if ends is not None and seen.time > ends + _SLACK:
            raise EmollamaError(
                f"{path}: continues to {seen.time:.1f} s, but the clip ends at {ends:.1f} s; it "
                "may belong to another clip"
            )
        if numbers and seen.number <= numbers[-1]:
            first = 0 if fex else 1
            raise EmollamaError(
                f"{row.where}: frame {seen.number + first} comes after frame "
                f"{numbers[-1] + first}; keep one face per clip, as OpenFace's FeatureExtraction "
                "does"
            )
        numbers.append(seen.number)
        times.append(seen.time)
        found.append(seen.found)
        values.append(seen.values)
    if not times:
        raise EmollamaError(f"{path}: holds no frames")
    return face_row("openface", tuple(signs), numbers, times, np.array(values), np.array(found))


def _columns(row: Row, path: Path) -> tuple[dict[str, str], bool]:
    """The column of each unit, and whether the table is py-feat's."""
    fex = {name: name for name in row.cells if _FEX_UNIT.fullmatch(name) and name in UNIT_NAMES}
    if fex and "timestamp" not in row.cells:
        return fex, True
    for column in ("timestamp", "success"):
        if column not in row.cells:
            hint = did_you_mean(column, list(row.cells)[:12])
            raise EmollamaError(f"{path}: has no column '{column}'{hint}")
    signs = {m[1].upper(): name for name in row.cells if (m := _UNIT.fullmatch(name))}
    if not signs:
        raise EmollamaError(f"{path}: has no column such as AU01_r")
    return signs, False


def _of_openface(row: Row, signs: dict[str, str], default: int) -> _Seen:
    sure = row.number("confidence") if "confidence" in row.cells else 1.0
    return _Seen(
        _frame(row, default),
        row.number("timestamp") or 0.0,
        row.number("success") == 1 and (sure or 0.0) >= CONFIDENT,
        [finite(row.require(name), row.where) for name in signs.values()],
    )


def _of_fex(row: Row, signs: dict[str, str], shown: Sequence[float], path: Path) -> _Seen:
    number = row.number("frame")
    if number is None or number < 0 or number % 1:
        raise EmollamaError(f"{row.where}: frame '{row.get('frame')}' is not a number from 0 on")
    if number >= len(shown):
        raise EmollamaError(
            f"{path}: has frame {int(number)}, but the clip has {len(shown)} pictures (from 0); it "
            "may belong to another clip"
        )
    cells = [row.get(name) for name in signs.values()]
    score = row.number("FaceScore") if "FaceScore" in row.cells else 1.0
    whole = all(cells)
    return _Seen(
        int(number),
        shown[int(number)],
        whole and (score or 0.0) >= CONFIDENT,
        [UNIT_SCALE * finite(cell, row.where) if cell and whole else 0.0 for cell in cells],
    )


def _frame(row: Row, default: int) -> int:
    """Index of a row's frame in the clip; OpenFace counts from 1."""
    cell = row.get("frame")
    if cell is None:
        return default
    if not cell.isdecimal() or int(cell) < 1:
        raise EmollamaError(f"{row.where}: frame '{cell}' is not a number from 1 on")
    return int(cell) - 1


def face_row(
    backend: str,
    signs: tuple[str, ...],
    numbers: Any,
    times: Any,
    values: np.ndarray,
    found: np.ndarray,
) -> dict[str, Any]:
    """A row of stage `units`: names of the signs, and their intensities in each sampled frame.

    A clip without a face in any frame is rejected.
    """
    if not found.any():
        return {
            "status": "rejected",
            "reason": "no face",
            "detail": f"none in {len(found)} frames",
        }
    return {
        "status": "ok",
        "backend": backend,
        "signs": list(signs),
        "frames": [int(n) for n in numbers],
        "times": [round(float(t), 4) for t in times],
        "found": [int(f) for f in found],
        "values": [[round(float(v), 3) for v in row] for row in values],
    }
