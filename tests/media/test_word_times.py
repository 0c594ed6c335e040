"""Words are joined from tokens, and lie where the likeliest path through the sound says."""

from __future__ import annotations

from itertools import combinations_with_replacement
from pathlib import Path

import numpy as np
import pytest

from emollama.media.speech import Span
from emollama.media.transcript import Transcriber
from emollama.media.word_times import Piece, join_tokens, path_starts, timed_words
from tests.media.small_whisper import save_whisper


@pytest.mark.parametrize(
    ("texts", "words"),
    [
        ([" Well", ",", " it", "'s", " un", "believ", "able", "!"], "Well, it's unbelievable!"),
        ([' "', "No", '",', " (", "he", ") said", " - ", " twice", "."], '"No", (he) said -twice.'),
        ([" two", " thousand", ",", "000", " ..."], "two thousand,000..."),
        ([" ♪", " ♪"], ""),
        (["你好", "。", "我", "很", "高兴", "！"], "你好。 我很高兴！"),
    ],
)
def test_words_have_their_punctuation(texts: list[str], words: str) -> None:
    found = join_tokens([Piece(i, text) for i, text in enumerate(texts)])
    assert " ".join(word.text for word in found) == words
    assert [word.first for word in found] == sorted({word.first for word in found})


def test_the_path_is_the_likeliest_of_all() -> None:
    for seed in range(30):
        likeness = np.random.default_rng(seed).normal(size=(4, 6))

        def gain(starts: tuple[int, ...], ends: tuple[int, ...], of: np.ndarray) -> float:
            return sum(of[i, a : b + 1].sum() for i, (a, b) in enumerate(zip(starts, ends)))  # noqa: B905

        best = -np.inf
        expected: tuple[int, ...] = ()
        for cuts in combinations_with_replacement(range(6), 3):
            for late in range(8):  # whether each token begins at the step where the last one ends
                ends = tuple(cut - (late >> i & 1) for i, cut in enumerate(cuts))
                if all(e >= s for e, s in zip((*ends, 5), (0, *cuts), strict=True)):
                    value = gain((0, *cuts), (*ends, 5), likeness)
                    if value > best:
                        best, expected = value, (0, *cuts)
        assert tuple(path_starts(likeness)) == expected


def test_words_are_in_order_inside_their_window_and_in_speech(tmp_path: Path) -> None:
    transcriber = Transcriber(save_whisper(tmp_path / "w", multilingual=False), None)  # type: ignore[arg-type]
    noise = np.random.default_rng(1).normal(size=(2, 48_000)).astype(np.float32)
    ids = transcriber.processor.tokenizer.encode(" one two, three. four", add_special_tokens=False)
    parts = [Span(10.0, 13.0), Span(20.0, 23.0)]
    speech = [Span(10.0, 11.0), Span(12.5, 13.0), Span(20.5, 22.0)]
    states = transcriber.states(list(noise))
    both = timed_words(transcriber, states, [ids, ()], parts, speech)
    assert [word.text for word in both[0]] == ["one", "two,", "three.", "four"] and both[1] == []
    for row in (0, 1):
        (words,) = timed_words(transcriber, states[[row]], [ids], [parts[row]], speech)
        edges = [edge for word in words for edge in (word.start, word.end)]
        assert edges == sorted(edges) and len(words) == 4
        for word in words:
            middle = (word.start + word.end) / 2
            assert any(span.start <= middle <= span.end + 0.1 for span in speech), word
    # A row beside others is what it is alone.
    longer = timed_words(transcriber, states, [ids, [*ids, *ids]], parts, speech)
    assert longer[0] == both[0]
