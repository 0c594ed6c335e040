"""What is said in a recording, heard window by window; windows that were heard before are kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from emollama.base.paths import need_file
from emollama.base.progress import recorded
from emollama.media.clip import MediaError
from emollama.media.decode import decode_clip
from emollama.media.languages import Language
from emollama.media.speech import Span
from emollama.media.transcript import Transcriber
from emollama.recording.blocks import BLOCK, Block
from emollama.recording.parts import Word
from emollama.recording.turns import heard_speech
from emollama.recording.words import (
    Passage,
    hear_words,
    known_words,
    recording_windows,
    spoken_language,
)
from emollama.recording.work import Work

_WORDS, _LANGUAGE = "words", "language"
_TRIED = 180.0  # seconds heard after which a language that is not known is given up


@dataclass(frozen=True)
class Said:
    """The words of a recording, sorted by time, and their language where several are known."""

    words: tuple[Word, ...] = ()
    language: Language | None = None
    notes: tuple[str, ...] = ()


def hear(
    recording: Path, blocks: Sequence[Block], transcriber: Callable[[], Transcriber], work: Work
) -> Said:
    """The words of a recording.

    Args:
        recording: the media file.
        blocks: of the whole recording.
        transcriber: loads Whisper, if anybody speaks.
        work: what was heard before.

    Raises:
        EmollamaError: the transcriber cannot be loaded, or what is heard cannot be kept, or
            the recording was removed.
    """
    spans = heard_speech([block.voice for block in blocks if block.voice is not None])
    if not spans:
        return Said()

    def audio_of(start: float, end: float) -> np.ndarray:
        low = max(start, 0.0)
        try:
            clip = decode_clip(
                recording, start=low, end=end, want_video=False, max_seconds=2 * BLOCK
            )
        except MediaError:  # damaged, which the blocks' notes tell
            need_file(recording)
            return np.zeros(0, np.float32)
        return np.zeros(0, np.float32) if clip.audio is None else clip.audio

    windows = recording_windows(audio_of, spans)
    total = sum(window.end - window.start for window in windows)
    passages: list[Passage] = []
    for i in range(len(windows)):
        row = work.row(_WORDS, str(i))
        if row is None:
            break
        words = tuple(Word(*word) for word in row["words"])
        sure = np.nan if row["certainty"] is None else row["certainty"]
        passages.append(Passage(windows[i], words, sure))
    done = sum(one.window.end - one.window.start for one in passages)
    language = _language(work.row(_WORDS, _LANGUAGE))
    with recorded("minutes of speech heard") as advance:
        advance(done, total)
        if len(passages) < len(windows) and not _given_up(passages, done, spans, language):
            whisper = transcriber()
            if language is None:
                language = spoken_language(whisper, audio_of, windows)
                work.keep_row(_WORDS, _LANGUAGE, {} if language is None else vars(language))
            for passage in hear_words(whisper, audio_of, spans, language, len(passages)):
                work.keep_row(_WORDS, str(len(passages)), _row(passage))
                passages.append(passage)
                done += passage.window.end - passage.window.start
                advance(done, total)
                if _given_up(passages, done, spans, language):
                    break
    words, note = known_words(passages, _until(spans, passages), language)
    return Said(words, language, () if note is None else (note,))


def _given_up(
    passages: Sequence[Passage], done: float, spans: Sequence[Span], language: Language | None
) -> bool:
    """Whether what was heard says that the rest will not be understood either."""
    if done < _TRIED:
        return False
    return known_words(passages, _until(spans, passages), language)[1] is not None


def _until(spans: Sequence[Span], passages: Sequence[Passage]) -> list[Span]:
    """The speech up to the end of what was heard."""
    end = passages[-1].window.end if passages else 0.0
    return [Span(s.start, min(s.end, end)) for s in spans if s.start < end]


def _language(row: Mapping[str, Any] | None) -> Language | None:
    return Language(row["code"], row["probability"]) if row else None


def _row(passage: Passage) -> dict[str, object]:
    return {
        "words": [[word.start, word.end, word.text] for word in passage.words],
        "certainty": None if np.isnan(passage.certainty) else passage.certainty,
    }
