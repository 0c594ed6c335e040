"""What a reason may say of a clip, and what takes the place of one that says more."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from emollama.manifest.labels import get_label_set, label_set
from emollama.scoring.reasons.check import (
    checked_answer,
    checked_reason,
    contradictions,
    tone_words_in,
)
from emollama.scoring.reasons.claims import (
    channels_in,
    conclusion,
    labels_in,
    quoted_share,
    sentences,
)
from emollama.scoring.reasons.facts import Facts, facts_of
from emollama.scoring.reasons.sentences import clue_reason, measured_reason

LABELS = get_label_set("merr")
PEOPLE = get_label_set("people")
SMILE = Facts(
    "happy", units=frozenset({"AU06", "AU12"}), tone=("high pitch", "loud voice"),
    text="We won the prize.",
)  # fmt: skip
FAIR = (
    "The raised cheeks and lip corners pulled up, with a high pitch and the words "
    '"we won the prize", show that the person is happy.'
)
HEARD = Facts("angry", frozenset({"voice"}), tone=("high pitch", "fast speech"))
"""What predict knows of a voice."""


def test_a_reason_of_measured_clues_stands() -> None:
    assert contradictions(FAIR, SMILE, LABELS) == []


@pytest.mark.parametrize(
    ("reason", "against"),
    [
        (FAIR.replace("raised cheeks", "furrowed brows").replace("lip corners pulled up",
         "lips pressed together"), "names units that were not measured"),
        (FAIR.replace("high pitch", "low pitch"), "says the opposite of the voice"),
        (FAIR.replace("a high pitch", "a low-pitched voice"), "says the opposite of the voice"),
        (FAIR.replace("a high pitch", "a soft voice"), "says the opposite of the voice"),
        (FAIR.replace("high pitch", "fast speech"),
         "names a clue of the voice that was not measured"),
        (FAIR.replace("with a high", "without a high"), "denies what was measured"),
        (FAIR + " She is not smiling.", "denies what was measured"),
        (FAIR.replace("we won the prize", "they stole my car"), "quotes what was not said"),
        (FAIR.replace("happy", "furious"), "names another emotion"),
        (FAIR.replace("happy", "here"), "names no emotion"),
        ("The person is happy.", "too short"),
        ("The person is happy " * 12, "repeats itself"),
        ("The person is surely very happy, and it is easy to see why that must be so.",
         "names no measured clue"),
        ("At first sad, then the person seems happy and in the end quite angry about it all.",
         "concludes another emotion"),
    ],
)  # fmt: skip
def test_what_contradicts_the_clip_is_found(reason: str, against: str) -> None:
    assert against in contradictions(reason, SMILE, LABELS)


def test_without_measured_units_no_unit_may_be_named() -> None:
    """The seven of 30 of the issue: 'raised inner brows' where nothing measures brows."""
    looked = replace(SMILE, units=None, looks=frozenset({"happy"}))
    assert "names units that were not measured" in contradictions(FAIR, looked, LABELS)
    unseen = Facts("happy", units=None, tone=("low pitch",), looks=frozenset({"happy"}))
    shown = "An expression that a classifier takes for joy, and nothing said, points to happy."
    assert contradictions(shown, unseen, LABELS) == []
    other = "The face looks sad, but with its low pitch the voice sounds happy, so it is happy."
    assert contradictions(other, unseen, LABELS) == ["says another expression than the face's"]


@pytest.mark.parametrize(
    "sentence",
    [
        "The face looks angry.",
        "One sees raised inner brows.",
        "The person looks tense.",
        "The words tell of a loss and are sad in content.",
        'The person says "get out of here".',
        "All three channels point the same way.",
    ],
)
def test_a_channel_that_is_absent_or_switched_off_is_not_told_of(sentence: str) -> None:
    reason = f"{sentence} The voice has a high pitch and fast speech, so the person seems angry."
    assert "tells of an absent channel" in contradictions(reason, HEARD, PEOPLE)
    assert channels_in("No face is seen, and nothing is said.") == set()
    kept = checked_reason(reason, HEARD, PEOPLE, {}, "the training corpus")
    assert (kept.text, kept.origin) == (
        "The voice has a high pitch and fast speech, so the person seems angry.", "model",
    )  # fmt: skip


def test_a_reason_of_another_label_gives_way_to_the_clues() -> None:
    """Eleven of 100 reasons of the model that ships."""
    written = "One hears high pitch and fast speech. So the person seems afraid."
    clues = {"voice": "high pitch, fast speech"}
    found = checked_reason(written, HEARD, PEOPLE, clues, "4 clips of this person")
    assert found.origin == "clues"
    assert found.faults == ("names another emotion",)
    assert found.text == (
        "Compared with 4 clips of this person, the voice has a high pitch, and the speech is fast. "
        "The model's scores are highest for angry."
    )
    assert contradictions(found.text, HEARD, PEOPLE) == []
    for said, told in (("Stop it", "Stop it."), ("Stop it!", "Stop it!")):
        quoted = measured_reason({}, said, "angry", "") or ""
        assert sentences(quoted)[0] == f'The person says: "{told}"'
    agrees = written.replace("afraid", "furious")
    assert checked_reason(agrees, HEARD, PEOPLE, clues, "").text == agrees
    nothing = checked_reason(None, replace(HEARD, tone=()), PEOPLE, {}, "")
    assert (nothing.text, nothing.origin) == (None, None)


READ = {
    "voice": "high pitch, loud voice", "face": "raised cheeks, lip corners pulled up",
    "words": "good news",
}  # fmt: skip
JOY = facts_of("happy", READ, READ, "We won.", LABELS)
ENDS = " So the person seems happy."


@pytest.mark.parametrize(
    ("sentence", "wrong"),
    [
        # Twenty of 120 reasons of a model trained on twins (seed 7).
        ("The face shows raised cheeks and a high pitch and looks happy.", True),
        ("The face, with raised cheeks and a loud voice, looks happy.", True),
        ("The voice, with a raised cheeks, sounds happy.", True),
        ("The face shows raised cheeks and good news.", True),
        ("The face shows lip corners pulled up, raised cheeks and a high pitch.", True),
        ("A man displays a happy facial expression, with a high pitch.", False),  # of MERR
        ("The face shows raised cheeks, and the voice has a high pitch.", False),
        ("The voice has a high pitch, and the cheeks are raised.", False),
        ("The voice has a high pitch, the cheeks raised.", False),
        ("The face shows raised cheeks, and one hears a high pitch.", False),
        ("Her expression and high pitch are those of joy.", False),
        ("He sits there with raised cheeks and a loud tone, and a high pitch.", False),
        ("The face is flushed, with a high pitch in the voice.", False),
        # Of templates; a clue that begins with its channel's name hid it.
        ("The voice has a high pitch, raised cheeks and lip corners pulled up.", True),
        ("The voice has raised cheeks.", True),
        ("The voice has a loud voice, and raised cheeks and sounds happy.", True),
        ("In the voice there is a high pitch and raised cheeks.", True),
        ("The picture shows that the face shows raised cheeks and a high pitch.", True),
        ("The words tell of good news and a high pitch.", True),
        ("One sees raised cheeks and a loud voice: the face looks happy.", True),
        ("The person's face shows raised cheeks and a high pitch.", True),
        # Told for itself, of what is said, or of either channel.
        ("The face shows raised cheeks and a high pitch is heard.", False),
        ("The face shows raised cheeks, a loud voice tells of joy.", False),
        ("The face shows raised cheeks, a high pitch reveals joy.", False),
        ("The face shows raised cheeks, a high pitch in the voice.", False),
        ("The words, with a high pitch to the voice, tell of good news.", False),
        ("The speech has good news of a high pitch.", False),
        ("The face shows a loud, happy laugh.", False),
        ("The voice has a smile in it and a high pitch.", False),
    ],
)  # fmt: skip
def test_a_clue_is_of_its_channel(sentence: str, wrong: bool) -> None:
    told = contradictions(sentence + ENDS, JOY, LABELS)
    assert told == (["says of one channel what is a clue of another"] if wrong else [])


@pytest.mark.parametrize(
    ("written", "shown", "origin"),
    [
        ("The face shows raised cheeks and a high pitch. The voice is loud.",
         "The face shows raised cheeks and lip corners pulled up. The voice is loud.", "both"),
        ("The voice has a low pitch. The face shows raised cheeks.",
         "Compared with others, the voice is loud, with a high pitch. The face shows raised "
         "cheeks.", "both"),
        ("The face shows raised cheeks and a high pitch. The face looks happy.",
         "The face shows raised cheeks and lip corners pulled up. Compared with others, the voice "
         "is loud, with a high pitch. The face looks happy.", "both"),
        # Another sentence names clues of the channel; or it is about none.
        ("The face shows raised cheeks and a high pitch. The lip corners are up. A loud voice.",
         "The lip corners are up. A loud voice.", "model"),
        ("Furrowed brows. The voice has a high pitch.",
         "The face shows raised cheeks and lip corners pulled up. The voice has a high pitch.",
         "both"),
        # What is said is told by a quotation as well.
        ('The person says "We lost it all". She says "We won". The voice has a high pitch.',
         'She says "We won". The voice has a high pitch.', "model"),
        ("The words tell of a loss. One sees furrowed brows. The voice has a high pitch.",
         "The words tell of a loss. The face shows raised cheeks and lip corners pulled up. "
         "The voice has a high pitch.", "both"),
    ],
)  # fmt: skip
def test_an_untrue_sentence_gives_way_to_what_was_measured(
    written: str, shown: str, origin: str
) -> None:
    found = checked_reason(written + ENDS, JOY, LABELS, READ, "others")
    assert (found.text, found.origin) == (shown + ENDS, origin)
    assert found.faults


APART = replace(JOY, alone={"face": "happy", "voice": "happy", "words": "sad"})


@pytest.mark.parametrize(
    ("sentence", "wrong"),
    [
        ("Face, voice and words all agree, so the emotion is happy.", True),
        ("All three channels point the same way, so the emotion is happy.", True),
        ("The voice and words count more than the face, so the emotion is happy.", True),
        ("The voice says otherwise, but going by the face and words the emotion is happy.", True),
        ("The face and voice count more than the words, so the emotion is happy.", False),
        ("The words say otherwise, but going by the face and voice the emotion is happy.", False),
        ("The face and the words do not agree, but the emotion is happy.", False),
        ("The words disagree, but face and voice agree, so the emotion is happy.", False),
    ],
)  # fmt: skip
def test_channels_agree_where_they_do(sentence: str, wrong: bool) -> None:
    """Five of 11 reasons said that all agree of clips whose channels were made to differ."""
    told = "The face shows raised cheeks."
    found = checked_reason(f"{told} {sentence}", APART, LABELS, READ, "others")
    assert found.faults == (("says that channels agree that do not",) if wrong else ())
    ends = "The model's scores are highest for happy." if wrong else sentence
    assert found.text is not None and found.text.startswith(told) and found.text.endswith(ends)
    assert found.origin == ("both" if wrong else "model")
    assert contradictions(f"{told} {sentence}", JOY, LABELS) == []  # nothing is known of each


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("Angry", "Angry"),  # need not explain
        ("I cannot tell how old he is.", "I cannot tell how old he is."),
        ("sad", "The model's scores are highest for angry."),
        ("The voice has a low pitch. So the person seems angry.", "So the person seems angry."),
        ("The face looks sad, so he is sad.", "The model's scores are highest for angry."),
        ("The voice has a high pitch and fast speech. So the person seems sad.",
         "The voice has a high pitch and fast speech. The model's scores are highest for angry."),
        ("", "The model's scores are highest for angry."),
    ],
)  # fmt: skip
def test_no_other_answer_contradicts_the_clip_or_its_scores(written: str, shown: str) -> None:
    """The model that ships called a clip sad where its scores, and its reason, said fear."""
    found = checked_answer(written, HEARD, PEOPLE)
    assert (found.text, found.origin) == (shown, None)
    assert bool(found.faults) is (found.text != written and bool(written))


@pytest.mark.parametrize(
    ("clues", "said"),
    [
        ({"voice": "ordinary tone"}, "nothing in the voice stands out."),
        ({"voice": "quiet voice"}, "the voice is quiet."),
        ({"voice": "few pauses"}, "there are few pauses."),
        ({"voice": "low pitch, flat melody, loud voice, slow speech, sharp timbre, even loudness, "
                   "many pauses"},
         "the voice is loud, with a low pitch, a flat melody, a sharp timbre and an even loudness, "
         "and the speech is slow, with many pauses."),
        ({"face": "face between sad and neutral"}, "The face is between sad and neutral."),
        ({"face": "raised cheeks, lip corners pulled up"},
         "The face shows raised cheeks and lip corners pulled up."),
        ({"face": "raised cheeks; lip corners pulled up"},  # a head's, and the corpus's own
         "The face shows raised cheeks and lip corners pulled up."),
    ],
)  # fmt: skip
def test_measured_clues_are_told_in_english_that_passes_the_check(
    clues: dict[str, str], said: str
) -> None:
    facts = facts_of("sad", clues, clues, "", PEOPLE)
    found = checked_reason(None, facts, PEOPLE, clues, "the training corpus")
    assert found.text is not None and said in found.text and found.origin == "clues"
    assert contradictions(found.text, facts, PEOPLE) == []
    assert set(facts.tone or ()) == tone_words_in(found.text)


def test_a_voice_that_stands_out_is_not_ordinary() -> None:
    """Clue heads may find both above a low threshold."""
    clues = {"voice": "ordinary tone, high pitch", "words": "good news"}
    told = measured_reason(clues, "We won.", "happy", "others") or ""
    assert told.startswith("Compared with others, the voice has a high pitch. The person says")
    assert '"We won." The words tell of good news. The' in told


def test_reasons_of_clues_are_sentences() -> None:
    clues = {"voice": "ordinary tone, high pitch", "face": "face between sad and neutral",
             "words": "good news"}  # fmt: skip
    for state in range(9):
        told = clue_reason(clues, "sad", random.Random(state)) or ""
        assert "high pitch" in told and "ordinary" not in told
        assert "face is between sad and neutral. The words tell of good news." in told


def test_clues_in_words_are_read_as_facts() -> None:
    labels = label_set("own", "happy", "sad", "neutral")
    clues = {"voice": "ordinary tone", "face": "face between sad and neutral"}
    facts = facts_of("sad", {"voice", "face"}, clues, "We lost.", labels)
    assert facts.tone == ("ordinary tone",)
    assert facts.looks == {"sad", "neutral"}
    assert (facts.units, facts.text) == (None, "")
    units = facts_of("sad", {"face"}, {"face": "raised cheeks, lip corners pulled up"}, "", labels)
    assert {"AU06", "AU12"} <= (units.units or set())


def test_the_conclusion_is_what_is_said_of_the_person() -> None:
    for text, label in (
        ("The face looks happy, but taken together the emotion is sad.", "sad"),
        ("The emotion is sad, although the face looks happy.", "sad"),
        ("The person feels sad because the voice is low. The words are happy.", "sad"),
        ("The voice has high pitch. This points to happy.", "happy"),
        ("The face looks happy.", "happy"),
    ):
        found = conclusion(text, LABELS)
        assert found is not None and found[1] == label, text
    assert conclusion("The voice is not sad at all.", LABELS) is None


def test_labels_sentences_and_quotations() -> None:
    assert labels_in('Sad, then joy; "angry" is only quoted.', LABELS) == ["sad", "happy"]
    assert quoted_share("won the PRIZE", "We won the prize.") == 1.0
    assert quoted_share("lost the prize", "We won the prize.") == pytest.approx(2 / 3)
    said = 'The person says: "Stop it. Go away!" The voice is loud at 0.5 s. So'
    assert sentences(said) == [
        'The person says: "Stop it. Go away!"', "The voice is loud at 0.5 s.", "So",
    ]  # fmt: skip
