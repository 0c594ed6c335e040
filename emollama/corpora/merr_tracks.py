"""MERR's annotated units and tone as tracks for a stream, for use without the clips.

`units`: a column for each action unit in the clip and one for each at its peak frame, 1 where it is
listed. `tone`: a column for each word that describes voices, 1 where it is used. One vector per
clip, as `npy:` streams read them.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np

from emollama.base.errors import EmollamaError
from emollama.corpora.npz_tracks import write_npy_folder
from emollama.manifest.action_units import UNIT_NAMES
from emollama.manifest.sample import Sample

Pieces = Callable[[Sample], list[str] | None]
FEWEST = 2
"""Smallest number of clips with a word of the tone for it to get a column."""


def write_merr_tracks(samples: Sequence[Sample], folder: Path) -> dict[str, int]:
    """Write `folder/units` and `folder/tone`; returns the number of clips in each.

    Args:
        samples: of a manifest from `prepare merr`.
        folder: created if missing.

    Raises:
        EmollamaError: no sample has units or a tone.
    """
    words = Counter(word for sample in samples for word in set(_tone(sample) or ()))
    columns = {
        "units": [f"{where}:{unit}" for where in ("clip", "peak") for unit in UNIT_NAMES],
        "tone": sorted(word for word, count in words.items() if count >= FEWEST),
    }
    pieces: dict[str, Pieces] = {"units": _units, "tone": _tone}
    return {name: _write(samples, pieces[name], columns[name], folder / name) for name in pieces}


def _write(samples: Iterable[Sample], pieces: Pieces, columns: list[str], folder: Path) -> int:
    place = {column: i for i, column in enumerate(columns)}
    rows: dict[str, np.ndarray] = {}
    for sample in samples:
        found = pieces(sample)
        if found is None:
            continue
        row = np.zeros(len(columns), np.float32)
        row[[place[piece] for piece in found if piece in place]] = 1
        rows[sample.id] = row
    if not rows or not columns:
        raise EmollamaError(f"{folder}: no sample has annotated {folder.name}")
    write_npy_folder(folder, rows.items(), columns)
    return len(rows)


def _units(sample: Sample) -> list[str] | None:
    """Listed units; None where the annotation has no list."""
    parts = {"clip": sample.truth.get("units"), "peak": sample.truth.get("peak_units")}
    if all(units is None for units in parts.values()):
        return None
    return [f"{where}:{unit}" for where, units in parts.items() for unit in units or ()]


def _tone(sample: Sample) -> list[str] | None:
    tone = sample.truth.get("tone")
    return None if tone is None else re.findall(r"[a-z]+", tone.lower())
