"""The plain sentence of a clip, falls within noise, and frames under the axis of time."""

from __future__ import annotations

import re
from itertools import pairwise

import numpy as np
import pytest

from emollama.explain.case import Case, Settings, explain_row
from emollama.explain.figures import case_figure
from emollama.explain.page import page
from emollama.explain.sentence import plain_sentence
from emollama.media.clip import Clip, Frames
from tests.explain.made import Made


def case(score: object) -> Case:
    return explain_row(Made(score), 0, "clip", Settings(window=0.15))  # type: ignore[arg-type]


@pytest.fixture
def sharp() -> Case:
    """Two steps of the voice, at 0.65 s, make the answer; the words speak against it."""
    return case(lambda row, shown, words: 0.4 + 0.2 * shown[5] + 0.3 * shown[6] - 0.1 * words)


@pytest.fixture
def flat() -> Case:
    """What is said decides; every step of the voice counts the same little."""
    return case(lambda row, shown, words: 0.2 + 0.02 * shown.mean() + 0.7 * words)


def test_a_sentence_says_what_the_answer_rests_on(sharp: Case, flat: Case) -> None:
    assert re.fullmatch(
        r"The answer is happy \(80 %\), mostly because of the voice \(\+50 points\); the words "
        r"speak against it \(-10 points\); hiding the voice around 0\.[67] s costs it 30 points\.",
        plain_sentence(sharp),
    )
    assert plain_sentence(flat) == (
        "The answer is happy (92 %), mostly because of the words (+70 points), then the voice "
        "(+2 points); no single moment counts more than any other."
    )


def test_falls_within_noise_are_said_to_be_so(sharp: Case, flat: Case) -> None:
    told = [axes.get_title() for c in (sharp, flat) for axes in case_figure(c).axes[2:]]
    assert [title.endswith("; nothing beyond noise (grey)") for title in told] == [False, True]
    assert "Nothing in voice costs more" not in page(sharp, [])
    assert "Nothing in voice costs more" in page(flat, [])
    assert page(flat, []).index("The answer is happy") < page(flat, []).index("<table>")
    assert flat.to_dict()["occlusion"][0]["noise"] == 0.01


def test_frames_stand_under_the_curves_at_their_times(sharp: Case) -> None:
    images = np.zeros((8, 90, 160, 3), np.uint8)
    film = Clip(Frames(images, np.arange(8) * 0.15 + 0.07), None, 1.2)
    *_, curve, frames = case_figure(sharp, film).axes
    assert curve.get_xlim() == frames.get_xlim() == (0, 1.2)
    spans = [image.get_extent()[:2] for image in frames.get_images()]
    assert 3 <= len(spans) <= 5
    assert all(a[1] <= b[0] + 1e-9 for a, b in pairwise(spans))
    assert len(case_figure(sharp).axes) == 3
