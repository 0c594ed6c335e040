"""The labels of CMU-MOSEI in the csd format of the CMU Multimodal SDK: HDF5, a group a video.

`<sequence>/data/<video>/` holds `features` [n, 7] and `intervals` [n, 2] in seconds. The columns
are sentiment, happy, sad, anger, surprise, disgust, fear, in the data's own order; some public
programs swap fear and surprise.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from emollama.base.errors import EmollamaError
from emollama.corpora.csd_tracks import arrays, sequence

EMOTIONS = ("happy", "sad", "anger", "surprise", "disgust", "fear")
NEAR = 0.1
"""Allowed difference, in seconds, between an utterance's start in transcripts and labels."""


@dataclass(frozen=True)
class Labels:
    """Of one video: starts [n] in seconds, and intensities [n, 6] from 0 to 3."""

    starts: np.ndarray
    emotions: np.ndarray


def read_labels(path: Path) -> dict[str, Labels]:
    """{video: labels} of `CMU_MOSEI_Labels.csd`.

    Raises:
        EmollamaError: not an HDF5 file of that form.
    """
    with sequence(path) as videos:
        return {str(v): _labels(g, f"{path}: '{v}'") for v, g in videos.items()}


def emotions_at(labels: Labels | None, start: float) -> dict[str, float] | None:
    """Intensities of the one utterance that starts within `NEAR` of `start`, else None."""
    if labels is None:
        return None
    (near,) = np.nonzero(np.abs(labels.starts - start) <= NEAR)
    if len(near) != 1 or not np.isfinite(labels.emotions[near[0]]).all():
        return None
    # Four digits: the values are thirds and sixths of integers, kept in float32.
    row = labels.emotions[near[0]].astype(float).round(4)
    return dict(zip(EMOTIONS, row.tolist(), strict=True))


def _labels(group: Any, where: str) -> Labels:
    features, intervals = arrays(group, where)
    if features.shape[1] != 1 + len(EMOTIONS):
        raise EmollamaError(f"{where}: features must be [n, 7], not {list(features.shape)}")
    return Labels(intervals[:, 0], features[:, 1:])
