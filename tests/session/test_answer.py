"""What is said where a reason and the scores disagree."""

from __future__ import annotations

import pytest

from emollama.session.answer import of_another_label

LABELS = ("neutral", "fear", "disgust")


@pytest.mark.parametrize(
    ("label", "reason", "named"),
    [
        ("disgust", "The voice has a slow speech. So the person seems neutral.", "neutral"),
        ("disgust", "So the person seems afraid.", "fear"),  # by a synonym
        ("fear", "So the person seems afraid.", None),
        ("fear", "It may be fear or disgust.", None),  # names no single label
        ("fear", "The voice is loud.", None),
        ("fear", None, None),
        (None, "So the person seems neutral.", None),
    ],
)
def test_a_reason_of_another_label_is_noted(
    label: str | None, reason: str | None, named: str | None
) -> None:
    note = of_another_label(label, reason, LABELS)
    if named is None:
        assert note is None
    else:
        assert note == f"the reason speaks for {named}, the scores for {label}: go by the scores"
