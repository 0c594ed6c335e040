"""Reasons of a session agree with what is shown beside them, and say whose they are."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from emollama.base.errors import EmollamaError
from emollama.llm.decoding import Reply
from emollama.scoring.reasons.claims import sentences
from emollama.session import LlmSession, Turn
from emollama.session.answer import REASON_FROM
from emollama.session.reasons import CheckedReply, asks_why, reason_from
from tests.features.made import voice
from tests.session.made import tiny_artefact


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clips") / "voice.wav"
    voice(path, 180, 1.5)
    return path


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> LlmSession:
    return LlmSession.open(tiny_artefact(tmp_path_factory.mktemp("why")), describe=False)


@pytest.mark.parametrize(
    ("question", "why"),
    [
        ("Why does she look sad?", True),
        ("How do you know?", True),
        ("Explain your answer.", True),
        ("What does he say?", False),
        ("Is she happy?", False),
    ],
)
def test_a_question_for_a_reason_is_known(question: str, why: bool) -> None:
    assert asks_why(question) is why


class Written(Reply):
    """A reply of a model that writes what it is told to."""

    def __init__(self, text: str) -> None:
        self.text, self.prompt_tokens, self.cached_tokens, self.new_tokens = text, 9, 0, 0
        self.finish = "stop"

    def __iter__(self):  # type: ignore[no-untyped-def]
        yield from self.text.split(" ")


def test_what_the_model_writes_is_checked_before_it_is_shown(
    session: LlmSession, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A tiny random model writes noise, and one made to contradict the screen is not shown."""
    look = replace(session.look(clip, "We lost."), clues={"voice": "low pitch"})
    answer = session.answer(look)
    assert (answer.reason_from, answer.compared_with) == ("clues", "the training corpus")
    assert answer.reason is not None and answer.label is not None
    measured = answer.reason.removesuffix(f" {answer.verdict}")
    assert measured.startswith("Compared with the training corpus, the voice has a low pitch.")
    assert measured.endswith(f"The model's scores are highest for {answer.label}.")
    assert answer.to_dict()["reason_from"] == "clues"
    answer = replace(answer, alone={})
    assert answer.reason_in_words == REASON_FROM["clues"]

    good = f"The voice has a low pitch in this clip. So the emotion is {answer.label}."
    mended = f"{sentences(measured)[0]} So the emotion is {answer.label}."
    for written, shown, origin in (
        (good, good, "model"),
        (f"The face shows raised inner brows. {good}", good, "model"),
        (good.replace("low", "high"), mended, "both"),
        (good.replace(answer.label, "so"), measured, "clues"),
    ):
        told = written.replace(" ", "\n ")  # the stand-in writes word by word
        monkeypatch.setattr(session, "_reply", lambda *_, told=told: Written(told))
        reply = session.ask(look, [Turn("user", "Why?")])
        pieces = list(reply)
        assert isinstance(reply, CheckedReply)
        assert (" ".join("".join(pieces).split()), reason_from(reply)) == (shown, origin)
        assert not any(pieces[:-1]), "nothing is shown before it is checked"
    other = min(answer.scores, key=lambda label: answer.scores[label])
    apart = replace(answer, alone={"voice": answer.label, "words": other})
    monkeypatch.setattr(session, "_reply", lambda *_: Written(good.replace(" ", "\n ")))
    why = session.reason(look, answer=apart)
    assert why.text is not None and why.origin == "model"
    assert " ".join(why.text.split()) == f"{good} {apart.verdict}"
    assert apart.verdict is not None and apart.verdict.endswith(f"{answer.label}, as the voice.")
    assert apart.reason_in_words.endswith("asking each channel alone")
    agrees = good.replace("So the", "Voice and words agree, so the")
    monkeypatch.setattr(session, "_reply", lambda *_: Written(agrees.replace(" ", "\n ")))
    why = session.reason(look, answer=apart)
    assert why.faults == ("says that channels agree that do not",) and why.origin == "both"
    monkeypatch.setattr(session, "_reply", lambda *_: Written(other))
    named = "".join(session.ask(look, [Turn("user", "Which emotion is it?")]))
    assert named == f"The model's scores are highest for {answer.label}."


def test_scores_of_its_own_labels_are_its_own_scores(session: LlmSession, clip: Path) -> None:
    """Of happy, sad and angry the server said sad where angry had more of the model's scores."""
    look = session.look(clip, "We lost.")
    own = session.answers([look])[0].scores
    turned = session.answers([look], session.labels[::-1])[0].scores
    assert list(turned) == [*session.labels[::-1]] and turned == pytest.approx(own)
    some = session.answers([look], session.labels[1:4])[0]
    total = sum(own[name] for name in session.labels[1:4])
    assert some.scores == pytest.approx({k: own[k] / total for k in session.labels[1:4]})
    assert some.label == max(some.scores, key=lambda name: some.scores[name])
    with pytest.raises(EmollamaError, match="labels must be distinct"):
        session.answers([look], ("happy", "happy"))


def test_a_model_that_was_never_taught_reasons_gives_none_of_its_own(
    session: LlmSession, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert session.artefact.taught_reasons, "a record that does not say"
    untaught = {"config": {"tasks": {"reason": {"share": 0.0}}}}
    monkeypatch.setattr(type(session.artefact), "record", untaught)
    assert not session.artefact.taught_reasons
    monkeypatch.setattr(session, "_reply", lambda *_: pytest.fail("the model was asked"))
    look = replace(session.look(clip, ""), clues={"voice": "low pitch"})
    assert session.reason(look).origin == "clues"
    nothing = session.answer(replace(look, clues={}))
    assert (nothing.reason, nothing.reason_from) == (None, None)
