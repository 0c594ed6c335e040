"""JSON out of what models really answer."""

from __future__ import annotations

import pytest

from emollama.merr.models.structured import Reason, parse

GOOD = '{"emotion": "sad", "reason": "The mouth is drawn down and the voice is low."}'


@pytest.mark.parametrize(
    "text",
    [
        GOOD,
        f"```json\n{GOOD}\n```",
        f"Sure! Here {{it}} is: {GOOD} Hope that helps.",
        GOOD.replace("}", ', "contradiction": "no", "extra": [1]}'),
        GOOD.replace("down and", "down\nand"),
        f'<think>I might say {{"emotion": "happy", "reason": "{"x" * 30}"}}.</think>\n{GOOD}',
    ],
)
def test_json_is_found_in_what_stands_around_it(text: str) -> None:
    assert parse(text, Reason).emotion == "sad"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "no JSON object"),
        ("[1, 2]", "no JSON object"),
        (GOOD[:-10], "no JSON object"),
        ("{" * 100_000, "no JSON object"),
        ('{"emotion": "sad"}', "'reason': Field required"),
        ('{"emotion": "sad", "reason": "short"}', "at least 20 characters"),
        (GOOD.replace("}", ', "contradiction": "perhaps"}'), "'contradiction'"),
    ],
)
def test_what_does_not_fit_is_told_in_one_line(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem) as error:
        parse(text, Reason)
    assert "\n" not in str(error.value)
