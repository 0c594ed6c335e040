"""The rules find what is there, and nothing in an unbiased answerer."""

from __future__ import annotations

from dataclasses import replace

import pytest

from benchmarks.arena.errors import RULES, Answerer
from emollama.arena.diagnosis import LEAST_CLIPS, agreement, clopper_pearson, diagnosed

SEEDS = range(10)


def found(answerer: Answerer) -> list[str]:
    return [one.bias for one in diagnosed(answerer.behaviour()) or ()]


@pytest.mark.parametrize("rule", RULES)
def test_a_bias_is_found_and_no_other(rule: str) -> None:
    assert [found(Answerer(rule, 1.0, 0.6, 0.15, 60, seed)) for seed in SEEDS] == [[rule]] * 10


def test_a_frequent_label_is_not_called_random() -> None:
    # Of two rows that are nearly all one label, kappa is near 0 however much they agree.
    often = [found(Answerer("always happy", 0.9, 0.6, 0.15, 60, seed)) for seed in range(30)]
    assert often == [["always happy"]] * 30


@pytest.mark.parametrize("accuracy", [0.3, 0.6, 0.9])
def test_an_unbiased_answerer_has_none(accuracy: float) -> None:
    assert [found(Answerer("", 0, accuracy, 0.3, 60, seed)) for seed in SEEDS] == [[]] * 10


def test_what_was_not_asked_is_not_diagnosed() -> None:
    few = Answerer("always happy", 1.0, 0.6, 0.15, LEAST_CLIPS - 1, 0).behaviour()
    assert diagnosed(few) is None
    whole = Answerer("first label", 1.0, 0.6, 0.15, 60, 0).behaviour()
    once = replace(whole, ordered=whole.ordered[:1], orders=whole.orders[:1])
    assert diagnosed(once) == []
    deaf = Answerer("voice only", 1.0, 0.6, 0.15, 60, 0).behaviour()
    voice = {"voice": deaf.without["voice"]}  # whether others matter was not asked
    assert diagnosed(replace(deaf, without=voice)) == []


def test_a_label_that_most_clips_show_is_no_bias() -> None:
    always = Answerer("always happy", 1.0, 0.6, 0.15, 60, 0).behaviour()
    assert diagnosed(replace(always, truth=["happy"] * 40 + ["sad"] * 20)) == []


def test_no_answer_counts_as_a_change() -> None:
    whole = Answerer("", 0, 0.9, 0.0, 60, 0).behaviour()
    first = whole.answers
    silent = {"voice": (first, [None] * 60), "face": (first, first), "words": (first, first)}
    (one,) = diagnosed(replace(whole, without=silent)) or ()
    assert one.bias == "voice only" and "without voice 60 of 60" in one.why


def test_against_published_values() -> None:
    # Clopper and Pearson's interval of 10 of 20, and Cohen's kappa of 20, 5, 10 and 15 (both are
    # standard worked examples).
    assert clopper_pearson(10, 20) == pytest.approx((0.27196, 0.72804), abs=1e-5)
    assert clopper_pearson(0, 10) == pytest.approx((0.0, 0.30850), abs=1e-5)
    one = ["yes"] * 25 + ["no"] * 25
    two = ["yes"] * 20 + ["no"] * 5 + ["yes"] * 10 + ["no"] * 15
    assert (agreement(one, two) or 0).kappa == pytest.approx(0.4)  # type: ignore[union-attr]
