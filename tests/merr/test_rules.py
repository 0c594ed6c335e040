"""Rules, phrases and the peak frame, on cases worked out by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from emollama.base.errors import EmollamaError
from emollama.manifest.action_units import UNIT_NAMES, units_in
from emollama.manifest.labels import LABEL_SETS, get_label_set
from emollama.merr.emotion import together, voice_odds, words_odds
from emollama.merr.peak import find_peak, frequent
from emollama.merr.rules import Rules
from emollama.merr.tables import FOLDER, read_table

MERR = get_label_set("merr")


@pytest.mark.parametrize(
    ("signs", "label", "intensity"),
    [
        ({"AU06": 2.0, "AU12": 3.0}, "happy", "strongly"),
        ({"AU05": 1.0, "AU26": 0.9}, "surprise", "slightly"),
        ({"AU01": 1.8, "AU04": 1.6, "AU15": 2.0}, "sad", "moderately"),
        ({"AU04": 2.5, "AU05": 2.5, "AU07": 2.5, "AU23": 2.5}, "angry", "strongly"),
        ({"AU06": 0.1, "AU12": 0.2}, "neutral", ""),
    ],
)
def test_the_published_rules_give_their_emotions(
    signs: dict[str, float], label: str, intensity: str
) -> None:
    whole = dict.fromkeys(UNIT_NAMES, 0.0) | signs
    judged = Rules("merr_published", MERR, relative=False).judge(whole)
    assert (judged.label, judged.intensity) == (label, intensity)
    assert set(judged.present) == {u for u, v in signs.items() if v >= 0.8}


def test_units_that_nobody_measured_do_not_speak_against_a_rule() -> None:
    rules = Rules("emfacs", MERR, relative=True)
    assert rules.judge({"AU12": 1.5, "AU04": 0.0}).label == "happy"
    assert (
        rules.judge({"AU12": 1.5, "AU06": -1.0, "AU04": 0.0}).odds["happy"]
        < (rules.judge({"AU12": 1.5, "AU04": 0.0}).odds["happy"])
    )


def test_expressions_go_to_the_first_label_that_the_set_has() -> None:
    classes = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
    signs = {f"looks {c}": (0.0 if c == "fear" else -3.0) for c in classes}
    assert Rules("emfacs", MERR, True).judge(signs).label == "fear"
    judged = Rules("emfacs", get_label_set("mer2023"), True).judge(signs)
    assert judged.label == "worried" and "disgust" not in judged.odds


def test_rules_for_none_of_the_labels_are_one_line() -> None:
    with pytest.raises(EmollamaError, match="no rule is for a label of set 'ur-funny'"):
        Rules("emfacs", get_label_set("ur-funny"), True)
    with pytest.raises(EmollamaError, match="did you mean 'emfacs'"):
        Rules("emfac", MERR, True)


def test_the_peak_of_the_paper_s_example() -> None:
    """AU05 0.36 + AU26 1.02 beats 0 + 1.25 (Emotion-LLaMA, figure on peak frames)."""
    frames = [{"AU05": 0.9, "AU26": 0.8}, {"AU05": 0.36, "AU26": 1.02}, {"AU05": 0.0, "AU26": 1.25}]
    place, signs, score = find_peak(frames[1:], Rules("merr_published", MERR, False))
    assert signs == ("AU26",) and place == 1
    place, signs, score = find_peak(frames, Rules("merr_published", MERR, False))
    assert signs == ("AU26", "AU05") and place == 0 and score == pytest.approx(1.7)
    low = [{"AU05": 0.36, "AU26": 1.02}, {"AU05": 0.0, "AU26": 1.25}, {"AU05": 0.8, "AU26": 0.0}]
    assert find_peak(low, Rules("merr_published", MERR, False))[0] == 0
    blink = [{"AU45": 5.0, "AU26": 1.0}, {"AU45": 0.0, "AU26": 2.0}]
    assert find_peak(blink, Rules("merr_published", MERR, False))[:2] == (1, ("AU26",))
    assert frequent([["B", "A"], ["A"], ["C", "B"]], most=2) == ("A", "B")


def test_every_table_names_known_units_labels_and_phrases_that_can_be_found_again() -> None:
    words = {label for labels in LABEL_SETS.values() for label in labels.labels}
    for name in ("emfacs", "merr_published"):
        for emotion, units in read_table(name)["emotions"].items():
            assert emotion in words and set(units) <= set(UNIT_NAMES)
    assert set(read_table("blendshapes")["units"]) <= set(UNIT_NAMES)
    phrases = read_table("phrases")["signs"]
    assert set(phrases) == set(UNIT_NAMES)
    for unit, phrase in phrases.items():
        assert unit in units_in(f"One sees {phrase}."), phrase


def test_channels_are_weighed_and_what_none_knows_is_not_guessed() -> None:
    labels = get_label_set("mer2023")
    loud = {"f0_mean": 0.2, "f0_range": 0.3, "energy_mean": 1.0, "speech_rate": 0.8}
    voice = voice_odds(loud, labels)
    assert max(voice, key=voice.__getitem__) == "angry"
    words = words_odds({"happy": 0.2, "angry": 0.0, "doubt": 0.9}, labels)
    assert set(words) == {"happy", "angry"}
    odds = {"face": {}, "voice": voice, "words": words}
    even = together(odds, {"face": 1, "voice": 1, "words": 1}, labels)
    assert set(even) == set(voice)
    only = together(odds, {"face": 1, "voice": 0, "words": 1}, labels)
    assert max(only, key=only.__getitem__) == "happy"


def test_a_face_of_which_nothing_is_known_has_no_label_in_a_set_without_neutral() -> None:
    rules = Rules("emfacs", get_label_set("mosei"), relative=True)
    assert rules.judge({}).label is None
    assert Rules("emfacs", MERR, relative=True).judge({}).label == "neutral"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("neutral: {absolute: 0.6, relative: 0.35}", "neutral: {absolute: 0.6}"),
         "neutral.relative"),
        (("happy: {AU06: 1", "happy: {AU6: 1"), "emotions.happy.AU6"),
        (("happy: {AU06: 1, AU12: 2}", "happy: {}"), "emotions.happy"),
        (("least_share", "least_shares"), "least_share"),
        (("emotions:", "emotions: 3\nmore:"), "emotions"),
    ],
)  # fmt: skip
def test_a_rule_table_of_one_s_own_is_checked(
    tmp_path: Path, change: tuple[str, str], message: str
) -> None:
    text = (FOLDER / "emfacs.yaml").read_text()
    path = tmp_path / "mine.yaml"
    assert change[0] in text
    path.write_text(text.replace(*change))
    with pytest.raises(EmollamaError, match=message) as error:
        Rules(str(path), MERR, relative=True)
    assert "mine.yaml" in str(error.value) and "\n" not in str(error.value)
