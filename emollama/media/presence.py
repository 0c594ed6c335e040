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

Voices missed: 5 of 1,863 real clips (RAVDESS 0.3 %, EMO-DB 0, Java-SED 0.7 %), none of 600
probe clips; cut to half a second 4 %, at a peak of -40 dB 0.7 %, in noise 5 dB below them none.
Taken for a voice: 2 of 40 mains hums and 7 of 40 synthetic barks; none of 441 tones, chirps,
sirens, engines, noises, clicks, chords, whistles and silences. At 0.1 s: 0.3 % missed, 3.3 % taken
for a voice; at 0.5 s: 0.4 % missed (half a second: 42 %), 0.4 % taken for a voice.
"""

LEAST_FACES = 0.25
"""Share of a clip's frames in which a face is found from which the clip has a face.

Faces missed: none of 50 Java-SED and 600 probe clips; of 150 faces from afar (pictures scaled to a
half, a quarter and an eighth) 2.7 %. Taken for a face: none of 310 faces that were blurred away,
covered or cut off, and patterns. At half of the frames 8.7 % of those from afar are missed; at one
frame of eight 0.7 %, but then a single stray find would be a face.
"""

_CLEAR = 0.5  # seconds of speech with which one listening is enough
_SLOWER = 1.25  # of the second one


def speech_seconds(activity: SpeechActivity, audio: np.ndarray) -> float:
    """Seconds of speech in float32 sound [n] at 16 kHz, wherever they are in it.

    Where there is less than half a second, the sound is listened to again, slower by a quarter and
    thus lower, and that listening counts. High and shouted voices are not heard the first time (16
    of 1,863 real clips, 10 of them of one person), and some mains hums are heard only then.
    """
    found = activity.seconds(audio)
    if found >= _CLEAR or not len(audio):
        return found
    places = np.arange(int(len(audio) * _SLOWER)) / _SLOWER
    slower = np.interp(places, np.arange(len(audio)), audio).astype(np.float32)
    return activity.seconds(slower) / _SLOWER


def speech_in(audio: np.ndarray) -> float:
    """Seconds of speech in float32 sound [n] at 16 kHz; see `speech_seconds`.

    Raises:
        EmollamaError: asset "silero-vad" is not there and cannot be fetched.
    """
    return speech_seconds(speech_activity(), audio)


def speaks(audio: np.ndarray) -> bool:
    """Whether somebody speaks in float32 sound [n] at 16 kHz; raises as `speech_in`."""
    return speech_in(audio) >= LEAST_SPEECH


def enough_faces(found: Sequence[object | None]) -> bool:
    """Whether enough of a clip's frames have a face; `found` holds a face or None per frame."""
    seen = sum(face is not None for face in found)
    return seen > 0 and seen >= LEAST_FACES * len(found)


@cache
def speech_activity() -> SpeechActivity:
    """The detector of speech, loaded once; raises as `speech_in`."""
    return SpeechActivity.from_asset()
