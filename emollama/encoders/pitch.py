"""Pitch as it is drawn: without the octave errors of the frame-wise measure.

YIN takes twice or half the period where a voice is hoarse or begins, often for longer than a median
removes. What is drawn is the path through each voiced frame's octaves that moves least (Viterbi,
after Boersma 1993). The columns of `prosody`, which models were trained on, are left as they are.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from emollama.encoders.prosody import HIGHEST, LOWEST, Contour, measure

_OCTAVES = np.array([-1.0, 0.0, 1.0])
_ELSEWHERE = 0.3  # cost of another octave than the one that was measured
_FAR = 1.0  # an octave, for each beyond the first from the middle of the voice
_STEP = 5.5  # an octave between neighbours; a leap of more costs no more than one
_MEMORY = 0.1  # seconds apart after which a step costs 1/e of that


def drawn_contour(audio: np.ndarray) -> Contour:
    """`measure` with its pitch mended.

    Measured on 147 real clips of three corpora: 13 leaps of .7 octaves or more instead of 198, and
    1.1 instead of 2.6 % of voiced frames an octave away from Praat's pitch.
    """
    contour = measure(audio)
    return replace(contour, f0=without_octave_errors(contour.times, contour.f0))


def without_octave_errors(times: np.ndarray, f0: np.ndarray) -> np.ndarray:
    """Pitch float64 [N] in Hz, 0 where unvoiced, each frame in the octave that fits its neighbours.

    Args:
        times: float64 [N] seconds.
        f0: float64 [N] Hz, 0 where unvoiced.
    """
    voiced = np.flatnonzero(f0 > 0)
    if not len(voiced):
        return f0
    heard = np.log2(f0[voiced])
    choices = heard[:, None] + _OCTAVES
    away = np.abs(choices - np.median(heard))
    costs = _ELSEWHERE * np.abs(_OCTAVES) + _FAR * np.maximum(away - 1, 0)
    costs[(choices < np.log2(LOWEST)) | (choices > np.log2(HIGHEST))] = np.inf
    gaps = np.diff(times[voiced])
    steps = np.minimum(np.abs(choices[1:, None, :] - choices[:-1, :, None]), 1)
    steps *= (_STEP * np.exp(-gaps / _MEMORY))[:, None, None]
    total, before = costs[0], np.zeros((len(voiced), 3), int)
    for i, step in enumerate(steps, start=1):
        paths = total[:, None] + step
        before[i] = paths.argmin(axis=0)
        total = paths.min(axis=0) + costs[i]
    path = [int(total.argmin())]
    for row in before[:0:-1]:
        path.append(int(row[path[-1]]))
    mended = np.zeros_like(f0)
    mended[voiced] = 2 ** choices[np.arange(len(voiced)), path[::-1]]
    return mended
