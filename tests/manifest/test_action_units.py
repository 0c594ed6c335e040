"""Units in prose: what names them, and what only sounds like it."""

from __future__ import annotations

import pytest

from emollama.manifest.action_units import UNIT_NAMES, in_words, units_in


@pytest.mark.parametrize("unit", UNIT_NAMES)
def test_a_unit_is_found_by_its_own_name(unit: str) -> None:
    assert unit in units_in(f"The face shows {in_words([unit])}.")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("His furrowed brow and wide eyes", {"AU04", "AU05"}),
        ("eyebrows drawn together, mouth wide open", {"AU04", "AU26"}),
        ("She frowns and presses her lips together", {"AU04", "AU23"}),
        ("the corners of the mouth droop", {"AU15"}),
        ("A big smile with dimples", {"AU12", "AU14"}),
        ("He wrinkles his nose", {"AU09"}),
        ("He raised his voice and lowered his head.", set()),
        ("The chinaware and the crown were raised", set()),
        ("", set()),
    ],
)
def test_prose(text: str, expected: set[str]) -> None:
    assert units_in(text) == expected
