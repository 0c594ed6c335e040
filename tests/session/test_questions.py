"""Which questions are answered from data, which by the model, and which by neither."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import pytest

from emollama.session import ClipView, Measurement, Session, Weights
from emollama.session.observation import nothing_seen
from emollama.session.questions import BEYOND, OWN_LABELS_ONLY, told


class Three:
    """A model of three labels that goes by the voice."""

    labels = ("happy", "joy", "sad", "neutral")

    def weights(self, look: ClipView) -> Weights:
        return Weights("sad", 0.8, 0.3, {"voice": 0.5})


SESSION = cast(Session, Three())
SEEN = replace(
    nothing_seen(),
    measurements=(
        Measurement(0, 1, "voice", "louder"),
        Measurement(0, 1, "face", "face looks sad"),
    ),
)
LOOK = ClipView(SEEN, {}, "We lost.", "given", {"voice": "low pitch"}, ("voice",))
QUESTIONS = {
    "said": ["What is said?", "what does she say", "Which words were spoken?", "In which language?",
             "Can I have the transcript?"],
    "measured": ["What was measured?", "How does the voice sound?", "Does he smile?", "Is it loud?",
                 "When does she look saddest, by her expression?", "When is she happiest?",
                 "What did you measure in the face?", "Was she quieter?", "Describe this clip.",
                 "What do you see?", "What's in this video?"],
    "channel": ["Which channel counts most?", "What does the answer rest on?",
                "Which modality contributed?", "What is that based on?",
                "Is it based on the face?"],
    "model": ["Why?", "How do you know?", "Which emotion is it?", "What does he feel?",
              "Is she sad?", "Why does the voice sound sad?",
              "Based on this clip, what does he feel?", "Which emotion is it, based on the face?"],
    "beyond": ["Who won the match?", "Hello", "How old is she?", "When was this recorded?",
               "Tell me a joke", "And now?", "What happens next?", "What job has she?"],
}  # fmt: skip
BEGINS = {"said": "“We lost.”", "measured": "measured in the voice", "channel": "The voice contr",
          "beyond": BEYOND}  # fmt: skip


@pytest.mark.parametrize("kind", QUESTIONS)
def test_each_kind_of_question_gets_its_kind_of_answer(kind: str) -> None:
    found = {question: told(SESSION, LOOK, question) for question in QUESTIONS[kind]}
    wrong = {
        q: a for q, a in found.items() if not (a or "model").startswith(BEGINS.get(kind, "model"))
    }
    assert wrong == {}


def test_only_what_is_in_use_is_told() -> None:
    measured = told(SESSION, LOOK.only(["voice"]), "What was measured?") or ""
    assert "compared with the training corpus: low pitch" in measured
    assert "0.0–1.0 s, voice: louder" in measured and "face" not in measured
    assert "The answer does not go by the face." in (told(SESSION, LOOK, "Does he smile?") or "")
    assert "does not go by them" in (told(SESSION, LOOK, "What is said?") or "")
    assert told(SESSION, LOOK, "Which channel?", ("calm", "bored")) == OWN_LABELS_ONLY
    silent = replace(LOOK, text=None, absent={"words": "someone speaks for 5.4 s, not understood"})
    assert "someone speaks for 5.4 s" in (told(SESSION, silent, "What is said?") or "")
