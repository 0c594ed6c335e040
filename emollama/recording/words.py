"""The words of a recording with their times, heard in windows of neighbouring speech.

Windows of up to 28 s are heard several at once; so that a recording of any length can be heard and
taken up again, they come one by one and only a batch of sound is in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from emollama.media.clip import SAMPLE_RATE
from emollama.media.languages import Language
from emollama.media.speech import Span
from emollama.media.transcript import Transcriber, windows
from emollama.media.word_times import timed_words
from emollama.recording.parts import Word

BATCH = 8
"""Windows that are heard at once."""

FEWEST = 1.2
"""Words a second of speech below which a recording is not in English.

Kept by whisper-tiny.en: 2.9 in RAVDESS (English), 0.6 in EMO-DB (German), 0.4 in Java-SED
(Indonesian); recordings joined from 40, 90 and 60 clips.
"""

AudioOf = Callable[[float, float], np.ndarray]
"""Float32 sound [n] at 16 kHz from one second of the recording to another."""

_TRIED, _FOREIGN = 60.0, 0.3
"""Seconds of speech, and words a second, below which a batch of windows is another language."""

_VOTES = 8  # windows that a recording's language is detected in
_LEAST_JUDGED = 10.0  # seconds of speech from which few words are another language
_WINDOW = 30  # seconds of sound and silence that Whisper hears
_SHORT, _SHORT_WINDOW = 5.0, 12  # the same of speech alone that is no longer: a third of the time
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
    again alone; not where it knows only English and found hardly a word in a minute or more.

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


def spoken_language(
    transcriber: Transcriber, audio_of: AudioOf, parts: Sequence[Span]
) -> Language | None:
    """The language of a recording; None where a transcriber knows only English and none was set.

    The vote of up to 8 of `recording_windows`, evenly spread: the language with the highest mean of
    their probabilities, each window's weighted by its seconds. One that was set is not voted on.
    """
    if transcriber.language is not None:
        return Language(transcriber.language)
    if not transcriber.languages or not parts:
        return None
    count = min(_VOTES, len(parts))
    asked = [parts[int((i + 0.5) * len(parts) / count)] for i in range(count)]
    chances = torch.cat([_chances(transcriber, audio_of, part) for part in asked])
    seconds = torch.tensor([part.end - part.start for part in asked])
    mean = (chances * seconds[:, None]).sum(0) / seconds.sum()
    best = int(mean.argmax())
    return Language(list(transcriber.languages)[best], float(mean[best]))


@torch.inference_mode()
def _chances(transcriber: Transcriber, audio_of: AudioOf, part: Span) -> Tensor:
    return transcriber.language_chances(transcriber.states([_sound(audio_of, part)]))


def known_words(
    passages: Sequence[Passage], spans: Sequence[Span], language: Language | None
) -> tuple[tuple[Word, ...], str | None]:
    """The words of all passages, and a note where they are left out.

    A transcriber that knows only English makes English of another language. It is then uncertain of
    most, and loops, which both leave few words: where a recording with 10 s of speech or more has
    fewer than `FEWEST` a second of speech, none are kept. Where the language is known all are.

    Args:
        passages: all that `hear_words` gives.
        spans: the speech that was heard.
        language: what `spoken_language` says.
    """
    words = tuple(word for passage in passages for word in passage.words)
    seconds = sum(span.end - span.start for span in spans)
    enough = len(words) >= FEWEST * seconds or seconds < _LEAST_JUDGED
    if language is not None or enough:
        return words, None
    return (), (
        "words are left out: the transcriber knows only English, and is sure of only "
        f"{len(words) / seconds:.1f} words a second of speech (English has 2 to 3); with "
        "--language en they are kept, --transcriber whisper-base knows other languages"
    )


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
    if language is None and _foreign(found):
        return found  # heard alone, its stretches would say no more
    again = [
        (place, span)
        for place, passage in enumerate(found)
        for span in _unheard(passage, spans)
        if span != passage.window
    ]
    short = [one for one in again if one[1].end - one[1].start <= _SHORT]
    long = [one for one in again if one[1].end - one[1].start > _SHORT]
    for group, seconds in ((short, _SHORT_WINDOW), (long, _WINDOW)):
        for first in range(0, len(group), BATCH):
            some = group[first : first + BATCH]
            alone = _once(transcriber, audio_of, [s for _, s in some], spans, language, seconds)
            for (place, _), extra in zip(some, alone, strict=True):
                words = sorted((*found[place].words, *extra.words), key=lambda word: word.start)
                found[place] = Passage(found[place].window, tuple(words), found[place].certainty)
    return found


def _foreign(found: Sequence[Passage]) -> bool:
    """Whether hardly a word was found in much speech."""
    seconds = sum(passage.window.end - passage.window.start for passage in found)
    return seconds >= _TRIED and sum(len(p.words) for p in found) < _FOREIGN * seconds


def _once(
    transcriber: Transcriber,
    audio_of: AudioOf,
    parts: Sequence[Span],
    spans: Sequence[Span],
    language: Language | None,
    seconds: int = _WINDOW,
) -> list[Passage]:
    states = transcriber.states([_sound(audio_of, part) for part in parts], seconds, fast=True)
    heard = transcriber.tokens(states, parts, transcriber.prompt(language))
    sure = [
        () if transcriber.unsure(one, part.end - part.start) else one.ids
        for one, part in zip(heard, parts, strict=True)
    ]
    phrases = timed_words(transcriber, states, sure, parts, spans, language)
    return [
        Passage(part, tuple(Word(p.start, p.end, p.text) for p in words), one.certainty)
        for part, words, one in zip(parts, phrases, heard, strict=True)
    ]


def _sound(audio_of: AudioOf, part: Span) -> np.ndarray:
    """A window's sound; silence where nothing can be read."""
    sound = audio_of(part.start, part.end)
    return sound if len(sound) else np.zeros(SAMPLE_RATE, np.float32)


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
