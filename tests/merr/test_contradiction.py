"""What a reason may say of a clip, and what gets it rejected."""

from __future__ import annotations

import pytest

from emollama.manifest.labels import get_label_set
from emollama.merr.contradiction import Evidence, contradictions, labels_in, quoted_share

LABELS = get_label_set("merr")
SMILE = Evidence(
    frozenset({"AU06", "AU12"}), ("high pitch", "loud voice"), "We won the prize.", "happy"
)
FAIR = (
    "The raised cheeks and lip corners pulled up, with a high pitch and the words "
    '"we won the prize", show that the person is happy.'
)


def test_a_reason_of_measured_clues_stands() -> None:
    assert contradictions(FAIR, SMILE, LABELS) == []


@pytest.mark.parametrize(
    ("reason", "against"),
    [
        (FAIR.replace("raised cheeks", "furrowed brows").replace("lip corners pulled up",
         "lips pressed together"), "names units that were not measured"),
        (FAIR.replace("high pitch", "low pitch"), "says the opposite of the voice"),
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
    unseen = Evidence(None, (), "", "happy")
    assert "names units that were not measured" in contradictions(FAIR, unseen, LABELS)
    plain = "An expression that a classifier takes for joy, and nothing said, points to happy."
    assert contradictions(plain, unseen, LABELS) == []


def test_labels_and_quotations() -> None:
    assert labels_in('Sad, then joy; "angry" is only quoted.', LABELS) == ["sad", "happy"]
    assert quoted_share("won the PRIZE", "We won the prize.") == 1.0
    assert quoted_share("lost the prize", "We won the prize.") == pytest.approx(2 / 3)
