"""Clips measured against the person in them, for both families."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from emollama.base.errors import EmollamaError
from emollama.features.extract import extract
from emollama.inputs.enrolment import Known, enrolment
from emollama.llm.clues import ClueWords, ColumnStatistics
from emollama.llm.heads.clue_heads import ClueHeads
from emollama.llm.heads.head import Head
from emollama.manifest.sample import Sample
from emollama.session import ClipView, LlmSession, Session, Turn, open_session
from emollama.session.reasons import check_of
from tests.features.made import manifest, voice
from tests.session.made import tiny_artefact
from tests.session.people_made import ENCODER, FAMILIES, llm_of_people, people_clips


@pytest.fixture(scope="module", params=FAMILIES)
def session(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Session:
    folder = FAMILIES[request.param](tmp_path_factory.mktemp("model"))
    return open_session(folder, "float32", describe=False)


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Path]]:
    return people_clips(tmp_path_factory.mktemp("clips"))


@pytest.fixture
def looks(session: Session, clips: dict[str, list[Path]]) -> list[ClipView]:
    return [session.look(path, "") for path in clips["low"]]


def scores(session: Session, look: ClipView) -> list[float]:
    return list(session.answer(look, explain=False).scores.values())


def test_a_clip_enrolled_here_is_answered_as_in_an_evaluation(
    session: Session, clips: dict[str, list[Path]], looks: list[ClipView], tmp_path: Path
) -> None:
    samples = [Sample(id=p.stem, audio=str(p), speaker="low", text="") for p in clips["low"]]
    corpus = manifest(tmp_path, samples)
    extract(corpus, [ENCODER], tmp_path / "store", workers=1)
    loaded = session.artefact.load_samples(corpus, corpus.samples, "test", tmp_path / "store")
    ids = [s.id for s in corpus.samples]
    prior = session.person_prior
    found = enrolment(prior, loaded.readers, corpus.samples)
    for count, neutral in ((0, False), (1, False), (3, False), (3, True)):
        known = found.by(ids[1 : 1 + count], neutral)
        loaded.known = Known(prior, dict.fromkeys(ids, known).__getitem__)
        (expected,) = loaded.answers(ids[:1], session.channels, 1)
        person = session.enrol(looks[1 : 1 + count], neutral) if count else None
        if person is not None:
            assert known is not None and person.clips == count
            assert np.allclose(person.mean, known.mean, rtol=1e-5)
        here = scores(session, session.known_as(looks[0], person))
        assert expected.scores is not None
        assert np.abs(np.array(here) - expected.scores).max() < 1e-5


def test_without_a_person_everything_is_as_before(session: Session, looks: list[ClipView]) -> None:
    look = looks[0]
    assert session.known_as(look, None) is look
    answer = session.answer(look, explain=False)
    assert "person" not in answer.to_dict() and not any("measured" in n for n in answer.notes)
    person = session.enrol(looks[1:])
    known = session.known_as(look, person)
    assert scores(session, known) != scores(session, look)
    back = session.known_as(known, None)
    assert back == look and scores(session, back) == scores(session, look)


def test_what_a_person_changes_and_what_not(session: Session, looks: list[ClipView]) -> None:
    look, person = looks[0], session.enrol(looks[1:])
    known = session.known_as(look, person, "ann")
    (name,) = session.person_channels
    before, after = look.tracks[name], known.tracks[name]
    assert before is not None and after is not None
    assert not np.allclose(before.values, after.values)
    assert np.array_equal(before.times, after.times)
    assert (known.clues, known.present, known.text) == (look.clues, look.present, look.text)
    assert known.key != look.key and known.clip_key == look.clip_key
    assert known.cache_key == session.known_as(look, person, "ann").cache_key
    assert known.cache_key != session.known_as(look, person).cache_key
    again = session.known_as(known, person, "ann")  # never twice
    assert np.array_equal(again.tracks[name].values, after.values)  # type: ignore[union-attr]
    assert again.notes == known.notes
    found = session.answer(known, explain=False).to_dict()
    assert found["person"] == {"clips": 3, "variety": round(person.variety, 3), "name": "ann"}
    assert "measured against 3 clips of 'ann'" in found["notes"]
    assert "name" not in session.answer(session.known_as(look, person), False).to_dict()["person"]


def test_clue_heads_read_the_voice_as_it_is_for_its_person(
    clips: dict[str, list[Path]], tmp_path: Path
) -> None:
    session = open_session(llm_of_people(tmp_path), "float32", describe=False)
    assert isinstance(session, LlmSession) and session.person_prior is not None
    pitch = np.zeros((2, ENCODER.width), np.float32)
    pitch[:, ENCODER.columns.index("f0_mean")] = 20, -20
    mean, flat = session.person_prior.mean, np.zeros(2)
    head = Head({"prosody": ENCODER.width}, mean, np.ones_like(mean), pitch, flat)
    heads = ClueHeads(0.5, {"voice": head}, {"voice": ("high pitch", "low pitch")})
    session.artefact.clues = ClueWords(heads=heads)
    looks = [session.look(path, "") for path in clips["low"]]
    highest = looks[-1]
    assert highest.clues == {"voice": "low pitch"}
    known = session.known_as(highest, session.enrol(looks[:-1]))
    assert known.clues == {"voice": "high pitch"} and "this person" in known.compared_with
    assert session.known_as(known, None).clues == highest.clues
    processor = session.artefact.processor  # no voice is measured now
    processor.streams = [replace(s, channel="face") for s in processor.streams]
    face = session.known_as(highest, session.enrol(looks[:-1]))
    assert face.clues == known.clues and face.compared_with == "the training corpus"


def test_reasons_tell_of_a_voice_as_those_of_an_evaluation_do(
    clips: dict[str, list[Path]], tmp_path: Path
) -> None:
    session = open_session(llm_of_people(tmp_path), "float32", describe=False)
    prior = session.person_prior
    of_corpus = ColumnStatistics(ENCODER.columns, tuple(prior.mean), tuple(prior.deviation))
    assert isinstance(session, LlmSession)
    session.artefact.clues = ClueWords({"prosody": of_corpus})
    session.artefact.processor.clues = "always"  # the prompts of labels hold them, too
    samples = [Sample(id=p.stem, audio=str(p), speaker="low", text="") for p in clips["low"]]
    corpus = manifest(tmp_path, samples)
    extract(corpus, [ENCODER], tmp_path / "store", workers=1)
    loaded = session.artefact.load_samples(corpus, corpus.samples, "test", tmp_path / "store")
    looks = [session.look(path, "") for path in clips["low"]]
    *others, asked = [s.id for s in corpus.samples]
    person = enrolment(prior, loaded.readers, corpus.samples).by(others)
    cases = (
        (looks[-1], None),
        (session.known_as(looks[-1], session.enrol(looks[:-1])), Known(prior, lambda _: person)),
    )
    found = []
    for look, known in cases:
        answer, loaded.known = session.answers([look])[0], known
        assert answer.label is not None
        (there,) = loaded.answers([asked], session.channels, 1)
        np.testing.assert_allclose(list(answer.scores.values()), there.scores, atol=1e-5)
        told = loaded.checked(asked, "", answer.label).text or ""
        assert told == check_of(look, answer, "").text
        found.append(told)
    assert found[0].startswith("Compared with the training corpus, the voice is quiet, with a low")
    assert found[1].startswith("Compared with 3 clips of this person, the voice has a high pitch.")


def test_other_words_and_fewer_channels_keep_the_person(
    session: Session, looks: list[ClipView]
) -> None:
    person = session.enrol(looks[1:])
    known = session.known_as(looks[0], person)
    worded = session.reworded(known, "It is over.")
    (name,) = session.person_channels
    assert worded.person is person
    assert np.array_equal(worded.tracks[name].values, known.tracks[name].values)  # type: ignore[union-attr]
    if "words" not in session.channels:
        return
    less = worded.without("voice")
    assert less.person is person and less.used == ("words",)
    assert session.known_as(less, None).used == ("words",)
    assert session.weights(worded) is not None


def test_a_conversation_is_about_the_measured_clip(session: Session, looks: list[ClipView]) -> None:
    if not isinstance(session, LlmSession):
        return
    known = session.known_as(looks[0], session.enrol(looks[1:]))
    session.answers([looks[0], known])
    kept = set(session.prefixes._kept)
    assert {looks[0].cache_key, known.cache_key} <= kept
    assert "".join(session.ask(known, [Turn("user", "Why?")])) is not None
    session.forget(looks[0])
    assert not {looks[0].cache_key, known.cache_key} & set(session.prefixes._kept)


def test_one_clip_is_said_to_help_little(session: Session, looks: list[ClipView]) -> None:
    known = session.known_as(looks[0], session.enrol(looks[1:2]))
    assert "measured against 1 clip of this person" in known.notes
    assert any("one clip of a person helps little" in note for note in known.notes)


def test_somebody_else_is_warned_of(
    session: Session, looks: list[ClipView], clips: dict[str, list[Path]]
) -> None:
    others = [session.look(path, "") for path in clips["high"]]
    person = session.enrol(looks[1:])
    warned = (
        "the voice, or how it was recorded, differs from the clips enrolled: is it somebody else?"
    )
    assert warned not in session.known_as(looks[0], person).notes
    assert warned in session.known_as(others[0], person).notes
    assert session.enrolment_warnings(looks) == []
    names = ["a.wav", "b.wav", "c.wav", "d.wav"]
    (line,) = session.enrolment_warnings([*looks[:3], others[3]], names=names)
    assert line.startswith("d.wav: the voice, or how it was recorded, differs from the other")
    (line,) = session.enrolment_warnings([looks[0], others[3]])
    assert line.startswith("enrolled clip 1 and enrolled clip 2: the voice, or how")


def test_a_clip_with_nothing_to_measure_is_one_line(
    session: Session, looks: list[ClipView], tmp_path: Path
) -> None:
    if "words" not in session.channels:
        return
    voice(tmp_path / "silence.wav", 0, 1.5)
    mute = session.look(tmp_path / "silence.wav", "It is fine.")
    with pytest.raises(EmollamaError, match=r"^s\.wav: cannot be enrolled.*voice: no speech"):
        session.enrol([*looks, mute], names=["a", "b", "c", "d", "s.wav"])
    with pytest.raises(EmollamaError, match="at least one clip"):
        session.enrol([])
    # A clip without the channel is simply not measured.
    known = session.known_as(mute, session.enrol(looks))
    assert scores(session, known) == pytest.approx(scores(session, mute))


def test_a_channel_that_no_enrolled_clip_has_is_said(
    session: Session, looks: list[ClipView]
) -> None:
    prior, person = session.person_prior, session.enrol(looks[1:])
    nobody = replace(person, mean=prior.mean, deviation=prior.deviation)
    known = session.known_as(looks[0], nobody)
    (name,) = session.person_channels
    assert known.tracks[name] is looks[0].tracks[name]
    said = "the voice is not measured against the person: none of their clips has a voice"
    assert said in known.notes


def test_models_and_people_that_do_not_fit_are_one_line(
    session: Session, looks: list[ClipView], tmp_path: Path
) -> None:
    person = session.enrol(looks)
    with pytest.raises(
        EmollamaError, match=r"^person 'ann' was enrolled with another model; enrol"
    ):
        session.known_as(looks[0], replace(person, prior="0" * 16), "ann")
    with pytest.raises(EmollamaError, match="damaged file"):
        session.known_as(looks[0], replace(person, mean=person.mean[:3]))
    with pytest.raises(EmollamaError, match="damaged file"):
        session.known_as(looks[0], replace(person, deviation=0 * person.deviation))
    plain = open_session(tiny_artefact(tmp_path / "plain"), "float32", describe=False)
    assert plain.person_channels == {}
    with pytest.raises(EmollamaError, match="needs a model trained with `standardise: person`"):
        plain.enrol(looks)
    with pytest.raises(EmollamaError, match="does not measure people"):
        plain.known_as(looks[0], person)
