"""What every answer remarks is a remark about the recording."""

from __future__ import annotations

from emollama.recording.answering.answers import common_notes, failed
from emollama.recording.parts import SegmentAnswer


def test_notes_of_all_answers_are_lifted_and_others_stay() -> None:
    all_of = "90% coverage is not promised"
    one, two = (
        SegmentAnswer("sad", {"sad": 1.0}, notes=notes) for notes in ((all_of, "odd"), (all_of,))
    )
    broken = failed("no voice")
    answers, shared = common_notes([one, broken, two])
    assert shared == (all_of,)
    assert [answer.notes for answer in answers] == [("odd",), (), ()]
    assert common_notes([one]) == ((one,), ())
    assert common_notes([broken]) == ((broken,), ())
