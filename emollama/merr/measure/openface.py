"""OpenFace's CSV of a clip: action units per frame.

`FeatureExtraction` writes a row per frame with `frame` (from 1), `timestamp`, `confidence`,
`success` and the intensities `AU01_r` (0 to 5) and presences `AU01_c` (0 or 1); column names may
begin with a space.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np

from emollama.base.csv_rows import Row, finite, read_rows
from emollama.base.errors import EmollamaError

CONFIDENT = 0.8
_SLACK = 0.5  # seconds that readers of one file may differ by
_UNIT = re.compile(r"(AU\d\d)_r", re.IGNORECASE)


def read_openface(
    path: Path, seconds: float | None = None, ends: float | None = None
) -> dict[str, Any]:
    """The face row of a clip; frames with low confidence count as frames without a face.

    Args:
        path: the CSV.
        seconds: later frames are left out.
        ends: time of the clip's last picture, if known.

    Raises:
        EmollamaError: the file is missing or not a CSV, a column is missing, a cell is not a
            number, a frame occurs twice (several faces), or the table continues long after the
            clip's end.
    """
    if not path.is_file():
        raise EmollamaError(f"{path}: does not exist; OpenFace's CSV must be named <clip id>.csv")
    signs: dict[str, str] = {}
    times: list[float] = []
    numbers: list[int] = []
    found: list[bool] = []
    values: list[list[float]] = []
    for row in read_rows(path, ("timestamp", "success"), ("frame", "confidence")):
        if not signs:
            signs = {m[1].upper(): name for name in row.cells if (m := _UNIT.fullmatch(name))}
            if not signs:
                raise EmollamaError(f"{path}: has no column such as AU01_r")
        time = row.number("timestamp") or 0.0
        if seconds is not None and time >= seconds:
            break
        if ends is not None and time > ends + _SLACK:
            raise EmollamaError(
                f"{path}: continues to {time:.1f} s, but the clip ends at {ends:.1f} s; it may "
                "belong to another clip"
            )
        number = _frame(row, len(numbers))
        if numbers and number <= numbers[-1]:
            raise EmollamaError(
                f"{row.where}: frame {number + 1} comes after frame {numbers[-1] + 1}; "
                "keep one face per clip, as OpenFace's FeatureExtraction does"
            )
        numbers.append(number)
        sure = row.number("confidence") if "confidence" in row.cells else 1.0
        times.append(time)
        found.append(row.number("success") == 1 and (sure or 0.0) >= CONFIDENT)
        values.append([finite(row.require(name), row.where) for name in signs.values()])
    if not times:
        raise EmollamaError(f"{path}: holds no frames")
    return face_row("openface", tuple(signs), numbers, times, np.array(values), np.array(found))


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
