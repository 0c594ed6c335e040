"""Whether there is a voice in a sound, and a face in the frames of a clip.

A channel is present only where somebody speaks, or is seen: else a model of the voice would answer
about a tone, and one of the face about a poster that the detector took for a face once. Both
thresholds were measured with `python -m benchmarks.presence`.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np

from emollama.media.speech import SpeechActivity

LEAST_SPEECH = 0.2
"""Seconds of speech (`speech_seconds`) from which a sound holds a voice.

RATES_VOICE
"""

LEAST_FACES = 0.25
"""Share of a clip's frames in which a face is found from which the clip has a face.

RATES_FACE
"""

_CLEAR = 0.5  # seconds of speech with which one listening is enough
_SLOWER = 1.25  # of the second one


def speech_seconds(activity: SpeechActivity, audio: np.ndarray) -> float:
    """Seconds of speech in float32 sound [n] at 16 kHz, wherever they are in it.

    Where there is less than half a second, the sound is listened to again, slower by a quarter and
    thus lower, and that listening counts: high and shouted voices are not heard the first time (18
    of 1,863 real clips, 11 of them of one person), and a mains hum is heard only then.
    """
    found = activity.seconds(audio)
    if found >= _CLEAR or not len(audio):
        return found
    places = np.arange(int(len(audio) * _SLOWER)) / _SLOWER
    slower = np.interp(places, np.arange(len(audio)), audio).astype(np.float32)
    return activity.seconds(slower) / _SLOWER


def speaks(audio: np.ndarray) -> bool:
    """Whether somebody speaks in float32 sound [n] at 16 kHz.

    Raises:
        EmollamaError: asset "silero-vad" is not there and cannot be fetched.
    """
    return speech_seconds(_activity(), audio) >= LEAST_SPEECH


def enough_faces(found: Sequence[object | None]) -> bool:
    """Whether enough of a clip's frames have a face; `found` holds a face or None per frame."""
    seen = sum(face is not None for face in found)
    return seen > 0 and seen >= LEAST_FACES * len(found)


@cache
def _activity() -> SpeechActivity:
    return SpeechActivity.from_asset()
