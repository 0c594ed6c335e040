"""Whisper hears words in noise; they are kept only where it is sure of them."""

from __future__ import annotations

import numpy as np
import torch

from emollama.media.speech import Span
from emollama.media.transcript import Transcriber, Transcript


def test_words_that_whisper_is_unsure_of_are_left_out() -> None:
    transcriber = Transcriber.open()
    noise = np.random.default_rng(0).normal(scale=0.1, size=32_000).astype(np.float32)
    with torch.inference_mode():
        ids, certainty = transcriber._greedy(transcriber._states(noise, Span(0.0, 2.0)), 60)
    assert transcriber._text(ids) == "I'm going to go to the next one." and certainty < -1.5
    assert transcriber.hear(noise, [Span(0.0, 2.0)]) == Transcript()
