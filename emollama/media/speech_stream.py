"""Voice activity while the sound comes: the same chances as of the whole, and where speech ends."""

from __future__ import annotations

import numpy as np
import torch

from emollama.media.clip import SAMPLE_RATE
from emollama.media.speech import (
    CHUNK,
    CONTEXT,
    LEAST_SPAN,
    OFF,
    ON,
    Span,
    SpeechActivity,
    State,
)

_STEP = CHUNK / SAMPLE_RATE


class SpeechStream:
    """Judges sound that comes in pieces of any length, as `SpeechActivity` judges the whole."""

    def __init__(self, activity: SpeechActivity) -> None:
        self._activity = activity
        self._state: State | None = None
        self._rest = np.zeros(CONTEXT, np.float32)  # what is behind the last whole chunk

    def chances(self, audio: np.ndarray) -> np.ndarray:
        """Probability of speech [n] in each 32 ms that float32 sound [samples] completes."""
        heard = np.concatenate([self._rest, audio])
        count = (len(heard) - CONTEXT) // CHUNK
        self._rest = heard[count * CHUNK :]
        if not count:
            return np.zeros(0, np.float32)
        whole = torch.from_numpy(heard[: CONTEXT + count * CHUNK])
        found, self._state = self._activity.judged(whole, self._state)
        return found.numpy()


class Utterances:
    """Stretches of speech, each told once a pause has followed it.

    Without a limit they are those of `speech_spans` with the same pause and nothing around. One
    that reaches the limit ends where speech was least likely in its second half, and goes on.

    Args:
        pause: seconds without speech that end one.
        longest: seconds of one.

    Attributes:
        start: since when somebody speaks, in seconds; None while nobody does.
        time: seconds heard.
    """

    def __init__(self, pause: float, longest: float) -> None:
        self.pause, self.longest = pause, longest
        self.start: float | None = None
        self._fell: float | None = None  # when speech ceased; None while it goes on
        self._chances: list[float] = []  # since `start`
        self._heard = 0

    @property
    def time(self) -> float:
        """Seconds heard."""
        return self._heard * _STEP

    def hear(self, chance: float) -> Span | None:
        """Take the probability of the next chunk; the stretch that is over by now, if one is."""
        now, self._heard = self.time, self._heard + 1
        found = None
        if self._fell is not None and now - self._fell >= self.pause:
            found = self._end(self._fell)
        if self.start is None:
            if chance < ON:
                return found
            self.start = now
        self._chances.append(chance)
        if self._fell is None and chance < OFF:
            self._fell = now
        elif chance >= ON:
            self._fell = None
        if self.time - self.start >= self.longest:
            found = self._cut()
        return found

    def finish(self) -> Span | None:
        """The stretch that is open at the end of the sound, if one is."""
        return self._end(self.time if self._fell is None else self._fell)

    def _end(self, end: float) -> Span | None:
        start, self.start, self._fell, self._chances = self.start, None, None, []
        if start is None or end - start < LEAST_SPAN:  # a click
            return None
        return Span(start, end)

    def _cut(self) -> Span:
        assert self.start is not None
        half = len(self._chances) // 2
        at = half + int(np.argmin(self._chances[half:]))
        start, self.start = self.start, self.start + at * _STEP
        self._chances = self._chances[at:]
        if self._fell is not None and self._fell < self.start:
            self._fell = self.start
        return Span(start, self.start)
