"""Speech while the sound comes: the same chances and stretches as of the whole."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from emollama.media.clip import SAMPLE_RATE
from emollama.media.presence import speech_activity
from emollama.media.speech import CHUNK_SECONDS, Span, speech_spans
from emollama.media.speech_stream import SpeechStream, Utterances
from tests.media.vowels import vowels


def heard(utterances: Utterances, chances: list[float]) -> list[Span]:
    found = [utterances.hear(chance) for chance in chances]
    return [span for span in (*found, utterances.finish()) if span is not None]


def test_pieces_of_any_length_give_the_chances_of_the_whole() -> None:
    sound = np.concatenate([vowels(0, 0.4), vowels(140, 1.1), vowels(0, 0.6), vowels(210, 0.5)])
    draw = np.random.default_rng(0)
    edges = [0, 1, *np.sort(draw.integers(2, len(sound), 30)), len(sound)]
    stream = SpeechStream(speech_activity())
    parts = [stream.chances(sound[a:b]) for a, b in pairwise(edges)]
    chances = np.concatenate(parts)
    np.testing.assert_allclose(chances, speech_activity().chances(sound)[: len(chances)], atol=1e-5)
    assert len(chances) == len(sound) // 512
    found = heard(Utterances(0.5, 15.0), chances.tolist())
    assert found == speech_spans(chances, len(sound) / SAMPLE_RATE, 0.5, (0, 0)) and len(found) == 2


@pytest.mark.parametrize("seed", range(5))
def test_stretches_are_those_of_the_whole(seed: int) -> None:
    steps = np.random.default_rng(seed).normal(scale=0.2, size=2000)
    chances = np.clip(0.4 + 0.4 * np.sin(np.arange(2000) / 25) + steps, 0, 1)
    expected = speech_spans(chances, 2000 * CHUNK_SECONDS, 0.3, (0, 0))
    assert heard(Utterances(0.3, 1e9), chances.tolist()) == expected and len(expected) > 5


def test_who_does_not_pause_is_cut_where_speech_is_least_likely() -> None:
    chances = [0.9] * 1000
    chances[400] = 0.45  # 12.8 s
    utterances = Utterances(0.5, 15.0)
    found = heard(utterances, chances)
    assert [round(span.start, 3) for span in found][:2] == [0.0, 12.8]
    assert found[0].end == found[1].start and found[-1].end == pytest.approx(32.0)
    assert max(span.end - span.start for span in found) <= 15.0 + CHUNK_SECONDS
    assert utterances.start is None
