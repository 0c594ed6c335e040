"""One page on which several things happen at a time: two clips never mix."""

from __future__ import annotations

from pathlib import Path

import pytest

from emollama.demo.callbacks import Callbacks
from emollama.demo.desk import Desk
from emollama.session import Session
from tests.demo.conftest import SETTINGS
from tests.demo.made import InProcess
from tests.demo.test_callbacks import HOW, last, talk_of
from tests.media.recording import record


@pytest.fixture
def page(session: Session, tmp_path: Path) -> Callbacks:
    return Callbacks(session, InProcess(session, SETTINGS), tmp_path)


@pytest.fixture
def other(tmp_path: Path) -> Path:
    return record(tmp_path / "other.mp4", seconds=1, voice=True)


def test_a_clip_that_is_still_being_answered_does_not_show_in_the_next(
    page: Callbacks, clip: Path, other: Path
) -> None:
    desk = Desk()
    first = page.open(desk, str(clip))
    next(first), next(first), next(first)  # it is shown, and the model is being asked
    assert desk.visit is not None and desk.visit.name == "voice.mp4"
    shown = last(page.open(desk, str(other)))
    assert desk.visit.name == "other.mp4" and "Shapley" in shown["carried"]
    assert last(first) == {}


def test_an_answer_about_the_clip_before_is_ended_and_not_shown(
    page: Callbacks, clip: Path, other: Path
) -> None:
    desk = Desk()
    last(page.open(desk, str(clip)))
    before = desk.visit
    writing = talk_of(page).ask(desk, "What does she feel?", 1.5, 1.0, 400)
    next(writing), next(writing)
    last(page.open(desk, str(other)))
    assert last(writing) == {}
    assert before is not None and before.exchanges[0].new_tokens < 400
    assert not before.writing.locked()
    assert desk.visit is not None and desk.visit.exchanges == []
    last(talk_of(page).ask(desk, "Why?", *HOW))
    assert [one.question for one in desk.visit.exchanges] == ["Why?"]


def test_of_two_clips_chosen_in_a_row_the_later_one_counts(
    page: Callbacks, clip: Path, other: Path, tmp_path: Path
) -> None:
    desk = Desk()
    slow = page.open(desk, str(clip))
    next(slow)  # it is being read
    junk = tmp_path / "junk.mp4"
    junk.write_bytes(b"no clip " * 99)
    broken = page.open(desk, str(junk))
    next(broken)
    last(page.open(desk, str(other)))
    assert last(slow) == {} and last(broken) == {}
    assert desk.visit is not None and desk.visit.name == "other.mp4"
    # One that cannot be read leaves the page as it is.
    assert "not a readable media file" in last(page.open(desk, str(junk)))["state"]
    assert desk.visit.name == "other.mp4" and "answer" in last(page.use(desk, True, True))
