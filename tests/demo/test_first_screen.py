"""What a visitor finds: an answered example, the model in words, formats and limits."""

from __future__ import annotations

from pathlib import Path

import pytest

from emollama.demo.callbacks import Callbacks
from emollama.demo.desk import Desk
from emollama.demo.examples import Example, examples
from emollama.demo.intro import about, intro, limits
from emollama.runs.training_data import training_data
from emollama.session import Observation, Session
from tests.demo.conftest import SETTINGS
from tests.demo.made import InProcess
from tests.demo.test_callbacks import last, scores


class Counting(InProcess):
    """Counts the clips that it reads."""

    watched = 0

    def watch(self, path: Path, *args: object, **more: object) -> Observation:
        self.watched += 1
        return super().watch(path, *args, **more)  # type: ignore[arg-type]


@pytest.fixture
def page(session: Session, tmp_path: Path, clip: Path) -> Callbacks:
    example = Example(clip, "All sad", "They broke it.", clip)
    return Callbacks(session, Counting(session, SETTINGS), tmp_path, [example])


def test_an_example_is_answered_once_and_shown_to_everybody(page: Callbacks, clip: Path) -> None:
    first, second = Desk(), Desk()
    shown, again = last(page.greet(first)), last(page.greet(second))
    assert scores(shown) == scores(again) and "Shapley" in again["carried"]
    assert "answered already" in again["state"] and "Example: All sad" in again["player"]
    assert isinstance(page.decoders, Counting) and page.decoders.watched == 1
    assert first.visit is not None and first.visit is not second.visit
    last(page.use(first, False, True))  # what one visitor does is not seen by the other
    assert second.visit is not None and not second.visit.left_out
    # Who has chosen a clip keeps it.
    mine = Desk()
    last(page.open(mine, str(clip)))
    assert last(page.greet(mine)) == {}
    assert "calm" in last(page.example(mine, clip, "calm, angry"))["answer"]


def test_the_page_says_what_it_asks_and_not_by_a_folder(session: Session) -> None:
    said = intro(session)
    assert "goes by the voice and words" in said and "Of face the page shows" in said
    assert session.name not in said and session.name in about(session)
    read = limits(SETTINGS, session)  # of a model that does not go by the face
    assert "at most 1 MB and 20 s" in read and "jpg" not in read and "without sound" in read


def test_what_a_model_was_trained_on_stands_in_its_record() -> None:
    parts = [{"corpus": "ravdess", "samples": 728, "language": "English"},
             {"corpus": "mine", "samples": 5, "language": None}]  # fmt: skip
    assert training_data({"mixture": parts}) == "728 clips of ravdess (English), 5 of mine"
    drawn = training_data({"corpus": "probe", "samples": 9})
    assert drawn == "9 clips of probe (drawn faces and synthetic voices)"
    assert training_data({"samples": 9}) == "9 clips" and training_data({}) is None


def test_examples_have_a_picture(tmp_path: Path) -> None:
    found = examples(tmp_path)
    assert all(0 < one.thumbnail.stat().st_size < 20_000 for one in found) and len(found) == 6
    found[0].thumbnail.unlink()
    assert examples(tmp_path) == found and found[0].thumbnail.is_file()
