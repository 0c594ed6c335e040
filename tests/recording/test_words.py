"""Words of a recording: heard in batches, taken up again, and none of a language not known."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from torch import Tensor

from emollama.media import transcript
from emollama.media.decode import decode_clip
from emollama.media.languages import Language
from emollama.media.speech import Span
from emollama.media.transcript import Transcriber
from emollama.recording import words as heard_words
from emollama.recording.parts import Word
from emollama.recording.words import (
    Passage,
    hear_words,
    known_words,
    recording_windows,
    spoken_language,
)
from tests.media.small_whisper import SPOKEN, save_whisper

RAVDESS = Path(__file__).parents[3] / "shared/data/ravdess/audio"
NOISE = np.random.default_rng(0).normal(size=60 * 16_000).astype(np.float32)
SPANS = [Span(0.5, 20.0), Span(21.0, 27.0), Span(30.0, 50.0), Span(52.0, 55.0), Span(57.5, 59.0)]


def noise_of(start: float, end: float) -> np.ndarray:
    return NOISE[round(start * 16_000) : round(end * 16_000)]


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Transcriber:
    found: Any = Transcriber(save_whisper(tmp_path / "w"), None)  # type: ignore[arg-type]
    monkeypatch.setattr(transcript, "_MOST_TOKENS", 12)
    found.unsure = lambda heard, seconds: False
    return found


def test_batches_and_a_new_start_change_nothing(
    small: Transcriber, monkeypatch: pytest.MonkeyPatch
) -> None:
    windows = recording_windows(noise_of, SPANS)
    assert [(w.start, w.end) for w in windows] == [(0.5, 27.0), (30.0, 55.0), (57.5, 59.0)]
    language = spoken_language(small, noise_of, windows)
    assert language is not None and language.code in SPOKEN
    monkeypatch.setattr(heard_words, "BATCH", 2)
    whole = list(hear_words(small, noise_of, SPANS, language))
    assert [passage.window for passage in whole] == windows and whole[0].words
    for done in range(1, len(windows) + 1):
        assert list(hear_words(small, noise_of, SPANS, language, done)) == whole[done:]
    monkeypatch.setattr(heard_words, "BATCH", 1)
    for one, both in zip(hear_words(small, noise_of, SPANS, language), whole, strict=True):
        assert one.words == both.words and one.certainty == pytest.approx(both.certainty)


def test_short_speech_that_is_heard_alone_costs_a_short_window(
    small: Transcriber, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[tuple[int, ...]] = []
    states = small.states

    def shown(*given: Any, **more: Any) -> Tensor:
        made.append(tuple((found := states(*given, **more)).shape))
        return found

    monkeypatch.setattr(small, "states", shown)
    small.unsure = lambda heard, seconds: seconds > 20  # type: ignore[method-assign]
    (passage, *_) = hear_words(small, noise_of, [Span(0.5, 9.0), Span(10, 13), Span(20, 24)])
    assert made == [(1, 1500, 16), (2, 600, 16), (1, 1500, 16)]
    assert all(a.start <= b.start for a, b in itertools.pairwise(passage.words))


def test_a_long_stretch_is_cut_where_it_is_quiet() -> None:
    sound = NOISE.copy()
    sound[round(30.8 * 16_000) : round(31.0 * 16_000)] = 0
    windows = recording_windows(
        lambda a, b: sound[round(a * 16_000) : round(b * 16_000)], [Span(5, 55)]
    )
    assert len(windows) == 2 and windows[0].end == windows[1].start
    assert 30.8 <= windows[0].end <= 31.0


def test_a_language_that_was_set_is_not_detected(small: Transcriber) -> None:
    small.language = "zh"
    assert spoken_language(small, noise_of, SPANS) == Language("zh")
    small.languages, small.language = {}, None
    assert spoken_language(small, noise_of, SPANS) is None


def test_few_words_of_a_transcriber_of_english_are_another_language() -> None:
    words = tuple(Word(i, i + 0.3, "so") for i in range(12))
    passages = [Passage(Span(0, 20), words, -0.4)]
    kept, note = known_words(passages, [Span(0, 20)], None)
    assert kept == () and note is not None and "only 0.6 words a second" in note
    assert known_words(passages, [Span(0, 20)], Language("en")) == (words, None)
    assert known_words(passages, [Span(0, 5), Span(8, 12)], None) == (words, None)


@pytest.mark.skipif(not RAVDESS.is_dir(), reason="RAVDESS is not there")
def test_real_words_are_where_they_are_spoken() -> None:
    names = [f"Actor_0{a}/03-01-0{e}-01-0{s}-01-0{a}" for a, e, s in
             ((1, 1, 1), (2, 3, 2), (3, 1, 2), (4, 4, 1))]  # fmt: skip
    clips = [decode_clip(RAVDESS / f"{name}.flac", want_video=False).audio for name in names]
    sounds = [clip for clip in clips if clip is not None]
    edges = np.cumsum([0, *map(len, sounds)]) / 16_000
    sound = np.concatenate(sounds)
    transcriber = Transcriber.open()
    spans = transcriber.activity.spans(sound)
    (passage,) = hear_words(
        transcriber, lambda a, b: sound[round(a * 16_000) : round(b * 16_000)], spans
    )
    said = [
        " ".join(w.text for w in passage.words if low <= (w.start + w.end) / 2 < high).lower()
        for low, high in itertools.pairwise(edges)
    ]
    kids, dogs = "kids are talking by the door", "dogs are sitting by the door"
    assert [text.strip(".!?") for text in said] == [kids, dogs, dogs, kids]
    for clip, (low, high) in enumerate(itertools.pairwise(edges)):
        mine = passage.words[clip * 6 : clip * 6 + 6]
        assert all(low - 0.3 <= word.start < word.end <= high + 0.3 for word in mine)
    assert known_words([passage], spans, None)[0] == passage.words
