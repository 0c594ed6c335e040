"""Whisper hears words in noise; they are kept only where it is sure of them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from emollama.media.speech import Span
from emollama.media.transcript import Heard, Transcriber, Transcript, repeats


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


def test_a_sentence_that_is_said_again_and_again_is_no_loop() -> None:
    transcriber = Transcriber.open()
    said = transcriber.processor.tokenizer(" Kids are talking by the door.").input_ids[1:-1]

    def heard(seconds: list[float]) -> Heard:
        stamps = [transcriber.first_stamp + round(time * 50) for time in seconds]
        return Heard(tuple(i for stamp in stamps for i in (stamp, *said)), -0.3)

    # RAVDESS, where actors say it at their own times; EMO-DB, where Whisper loops every 2 s.
    assert not transcriber.unsure(heard([0.0, 4.48, 6.64, 8.24, 11.36, 15.12, 20.32, 24.48]), 27.0)
    assert transcriber.unsure(heard([0.0, 2.0, 4.0, 6.0, 8.0, 10.0, 12.0, 14.0]), 27.0)
    looped = Heard((transcriber.first_stamp, *(said * 8)), -0.3)
    assert transcriber.unsure(looped, 27.0), "it never says the time"
    assert transcriber.unsure(heard([0.0, 0.48, 0.96, 1.44, 1.88, 2.32, 2.76]), 2.8), "too fast"


def test_english_that_whisper_is_half_sure_of_is_another_language(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # EMO-DB's 03a01Fa, "Der Lappen liegt auf dem Eisschrank", as whisper-tiny.en hears it (-0.98),
    # and RAVDESS's second sentence at its least certain (-0.59).
    transcriber = Transcriber.open()
    spoken = "Tell us, leave of them ice skunk!"
    ids = tuple(transcriber.processor.tokenizer.encode(spoken, add_special_tokens=False))
    sound, spans = np.zeros(32_000, np.float32), [Span(0.0, 2.0)]
    for certainty, kept in ((-0.98, ""), (-0.76, ""), (-0.59, spoken)):
        heard = [Heard(ids, certainty)]
        monkeypatch.setattr(transcriber, "tokens", lambda *_, heard=heard: heard)
        assert "".join(p.text for p in transcriber.hear(sound, spans).phrases) == kept
    transcriber.language = "en"  # set, so all that is likely enough is kept
    monkeypatch.setattr(transcriber, "tokens", lambda *_: [Heard(ids, -0.98)])
    assert transcriber.hear(sound, spans).phrases[0].text == spoken
