"""Errors over time, against numbers that the publishers' own code gave.

golden/diarization.json holds turns, and what pyannote.metrics returned for them on this project's
machine; none of that code is here.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from emollama.scoring.metrics.diarization import (
    SpanErrors,
    boundaries_met,
    diarization_errors,
    span_errors,
)

GOLDEN = json.loads(
    (Path(__file__).parent / "golden" / "diarization.json").read_text(encoding="utf-8")
)


@pytest.mark.parametrize("case", GOLDEN["cases"], ids=lambda case: case["what"])
def test_errors_are_those_of_pyannote(case: dict[str, Any]) -> None:
    count = span_errors if case["named"] else diarization_errors
    spans = ([tuple(span) for span in case[side]] for side in ("reference", "hypothesis"))
    found = count(*spans, case["duration"], case["collar"])
    for name, expected in case["expected"].items():
        assert getattr(found, name) == pytest.approx(expected, abs=2e-6), name


def test_the_wrong_share_of_one_person_is_speechbrains_emotion_error() -> None:
    """The example in the docstring of `EDER` (speechbrain/utils/EDER.py at 0fe8409e).

    Six windows of .2 s of 1.22 s: neutral three times, then angry; true is angry from .39 to 1.10.
    """
    reference = [(0.0, 0.39, "n"), (0.39, 1.10, "a"), (1.10, 1.22, "n")]
    found = span_errors(reference, [(0.0, 0.6, "n"), (0.6, 1.2, "a")], 1.22)
    assert found.wrong == pytest.approx(0.2704918032786885, abs=1e-12)


def test_errors_of_scenes_add_up_and_nothing_said_has_no_rate() -> None:
    one = SpanErrors(10, 8, 1, 0, 1)
    assert (one + SpanErrors(10, 4, 2, 1, 4)).rate == pytest.approx(0.45)
    assert SpanErrors().rate != SpanErrors().rate


def test_a_boundary_has_one_partner() -> None:
    assert boundaries_met([1.0, 1.4, 9.0], [1.2, 9.5]) == 2
    assert boundaries_met([1.0, 1.4], [0.5, 1.5]) == 2
    assert boundaries_met([1.0], [1.6]) == 0
