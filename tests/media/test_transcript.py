"""Whisper hears words in noise; they are kept only where it is sure of them."""

from __future__ import annotations

import numpy as np
import torch

from emollama.media.speech import Span
from emollama.media.transcript import Transcriber, Transcript, repeats


def test_words_that_whisper_is_unsure_of_are_left_out() -> None:
    transcriber = Transcriber.open()
    noise = np.random.default_rng(0).normal(scale=0.1, size=32_000).astype(np.float32)
    with torch.inference_mode():
        (heard,) = transcriber._greedy(transcriber.states([noise]), [60])
    assert transcriber.text(heard.ids) == "I'm going to go to the next one."
    assert heard.certainty < -1.5
    assert transcriber.hear(noise, [Span(0.0, 2.0)]) == Transcript()


def test_a_script_of_three_bytes_a_letter_is_no_loop() -> None:
    # Universal Declaration of Human Rights, article 1, in Tamil
    tamil = (
        "மனிதப் பிறவியினர் சகலரும் சுதந்திரமாகவே பிறக்கின்றனர்; அவர்கள் மதிப்பிலும், உரிமைகளிலும் சமமானவர்கள், "
        "அவர்கள் நியாயத்தையும் மனச்சாட்சியையும் இயற்பண்பாகப் பெற்றவர்கள். அவர்கள் ஒருவருடனொருவர் சகோதர "
        "உணர்வுப் பாங்கில் நடந்துகொள்ளல் வேண்டும்."
    )
    assert not repeats(tamil)
    assert repeats("அவர்கள் சகலரும் " * 8) and repeats("and then " * 8)
