"""The words of a recording with their times, heard in windows of neighbouring speech.

Windows of up to 28 s are heard several at once; so that a recording of any length can be heard and
taken up again, they come one by one and only a batch of sound is in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from emollama.media.clip import SAMPLE_RATE
from emollama.media.languages import Language
from emollama.media.speech import Span
from emollama.media.transcript import Transcriber, windows
from emollama.media.word_times import timed_words
from emollama.recording.parts import Word

BATCH = 8
"""Windows that are heard at once."""

AudioOf = Callable[[float, float], np.ndarray]
"""Float32 sound [n] at 16 kHz from one second of the recording to another."""

_LEAST_ALONE = 0.5  # seconds of speech that are heard again alone where no word was found
_EDGE = 1.5  # seconds around a cut within speech in which the quietest place is taken
_HUSH = 0.1  # seconds over which loudness is measured for it


@dataclass(frozen=True)
class Passage:
    """The words of one window; `certainty` is the mean log-probability of a token, NaN if none."""

    window: Span
    words: tuple[Word, ...]
    certainty: float


def hear_words(
    transcriber: Transcriber,
    audio_of: AudioOf,
    spans: Sequence[Span],
    language: Language | None = None,
    done: int = 0,
) -> Iterator[Passage]:
    """The words of stretches of speech, window by window in order of time.

    A window is heard whole. Speech of .5 s or more in which no word was found (a window may end
    early, and one that the transcriber is uncertain of or loops in has no words) is heard once
    again alone.

    Args:
        transcriber: Whisper.
        audio_of: gives the sound; asked for a window at a time.
        spans: stretches of speech, sorted, not overlapping, in seconds.
        language: that is spoken, for a multilingual transcriber (`spoken_language`).
        done: windows that are known already; they are left out, and the others are the same as
            without it.

    Yields:
        A passage for each of `recording_windows(audio_of, spans)` behind `done`. They become known
        in batches of `BATCH`, so write down what is yielded.
    """
    parts = recording_windows(audio_of, spans)
    for first in range(done - done % BATCH, len(parts), BATCH):
        batch = parts[first : first + BATCH]
        for place, passage in enumerate(_hear(transcriber, audio_of, batch, spans, language)):
            if first + place >= done:
                yield passage


def recording_windows(audio_of: AudioOf, spans: Sequence[Span]) -> list[Span]:
    """Windows of up to 28 s of neighbouring stretches of speech.

    A longer stretch is cut at the quietest tenth of a second within 1.5 s of equal parts.
    """
    parts = windows(spans)
    for place in range(len(parts) - 1):
        before, after = parts[place : place + 2]
        if before.end == after.start:
            edge = _quietest(audio_of, before.end)
            parts[place : place + 2] = [Span(before.start, edge), Span(edge, after.end)]
    return parts


def _quietest(audio_of: AudioOf, edge: float) -> float:
    sound = audio_of(edge - _EDGE, edge + _EDGE)
    size = round(_HUSH * SAMPLE_RATE)
    count = len(sound) // size
    if not count:
        return edge
    power = np.square(sound[: count * size].reshape(count, size)).sum(1)
    return edge - _EDGE + (int(power.argmin()) + 0.5) * _HUSH


@torch.inference_mode()
def _hear(
    transcriber: Transcriber,
    audio_of: AudioOf,
    batch: Sequence[Span],
    spans: Sequence[Span],
    language: Language | None,
) -> list[Passage]:
    found = _once(transcriber, audio_of, batch, spans, language)
    again = [
        (place, span)
        for place, passage in enumerate(found)
        for span in _unheard(passage, spans)
        if span != passage.window
    ]
    for first in range(0, len(again), BATCH):
        some = again[first : first + BATCH]
        alone = _once(transcriber, audio_of, [span for _, span in some], spans, language)
        for (place, _), extra in zip(some, alone, strict=True):
            words = sorted((*found[place].words, *extra.words), key=lambda word: word.start)
            found[place] = Passage(found[place].window, tuple(words), found[place].certainty)
    return found


def _once(
    transcriber: Transcriber,
    audio_of: AudioOf,
    parts: Sequence[Span],
    spans: Sequence[Span],
    language: Language | None,
) -> list[Passage]:
    states = transcriber.states([audio_of(part.start, part.end) for part in parts])
    heard = transcriber.tokens(states, parts, transcriber.prompt(language))
    sure = [() if transcriber.unsure(one) else one.ids for one in heard]
    phrases = timed_words(transcriber, states, sure, parts, spans, language)
    return [
        Passage(part, tuple(Word(p.start, p.end, p.text) for p in words), one.certainty)
        for part, words, one in zip(parts, phrases, heard, strict=True)
    ]


def _unheard(passage: Passage, spans: Sequence[Span]) -> list[Span]:
    """Speech of a window in which no word is."""
    window = passage.window
    parts = [
        Span(max(span.start, window.start), min(span.end, window.end))
        for span in spans
        if span.start < window.end and span.end > window.start
    ]
    middles = [(word.start + word.end) / 2 for word in passage.words]
    return [
        part
        for part in parts
        if part.end - part.start >= _LEAST_ALONE
        and not any(part.start <= middle <= part.end for middle in middles)
    ]
