"""The part of the page that is about the person, without a browser and as it is served."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from html import unescape
from pathlib import Path
from typing import Any

import httpx
import pytest
from gradio_client import handle_file

from emollama.demo.callbacks import Callbacks
from emollama.demo.desk import Desk
from emollama.demo.page import build
from emollama.demo.people import MOST_ENROLLED, NOBODY, People
from emollama.demo.server import running
from emollama.inputs.stored_people import people_folder, save_person
from emollama.session import Session, open_session
from tests.demo.conftest import SETTINGS
from tests.demo.made import InProcess
from tests.demo.test_callbacks import error_of, last, scores
from tests.demo.test_page import Visitor
from tests.session.people_made import FAMILIES, people_clips


@pytest.fixture(scope="module", params=FAMILIES)
def session(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Session:
    folder = FAMILIES[request.param](tmp_path_factory.mktemp("model"))
    return open_session(folder, "float32", describe=False)


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    found = people_clips(tmp_path_factory.mktemp("clips"))
    return {name: list(map(str, paths)) for name, paths in found.items()}


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("emollama.inputs.stored_people.asset_home", lambda: tmp_path / "home")


@pytest.fixture
def page(session: Session, tmp_path: Path) -> Callbacks:
    return Callbacks(session, InProcess(session, SETTINGS), tmp_path)  # type: ignore[arg-type]


def test_clips_of_a_person_change_this_clip_and_the_next(
    page: Callbacks, clips: dict[str, list[str]]
) -> None:
    people, desk = People(page), Desk()
    clip, *others = clips["low"]
    before = last(page.open(desk, clip, text=""))
    found = last(people.enrol(desk, others, False))
    assert scores(found) != scores(before) and "Answered in" in found["state"]
    assert "measured against 3 clips of this person" in found["notes"]
    assert "these clips of the person (3 clips)" in found["person"]
    neutral = last(people.enrol(desk, others, True))
    assert scores(neutral) != scores(found)
    opened = last(page.open(desk, clip, text=""))
    assert scores(opened) == scores(neutral)
    assert last(people.forget(desk))["person"] == ""
    assert scores(last(page.open(desk, clip, text=""))) == scores(before)
    assert not people_folder().exists()


def test_a_person_can_be_enrolled_before_there_is_a_clip(
    page: Callbacks, clips: dict[str, list[str]]
) -> None:
    people, desk = People(page), Desk()
    assert "person" in last(people.enrol(desk, clips["low"][1:], False))
    found = last(page.open(desk, clips["high"][0], text=""))
    assert "or how it was recorded, differs from the clips enrolled" in found["notes"]
    said = last(people.enrol(desk, [*clips["low"], clips["high"][0]], False))["person"]
    assert "high-0.wav: the voice, or how it was recorded, differs" in said


def test_mistakes_are_lines_on_the_page(
    page: Callbacks, clips: dict[str, list[str]], tmp_path: Path
) -> None:
    people, desk = People(page), Desk()
    last(page.open(desk, clips["low"][0], text=""))
    before = last(people.enrol(desk, clips["low"][1:], False))["person"]
    (tmp_path / "junk.wav").write_bytes(b"no clip")
    assert "choose other clips" in error_of(people.enrol(desk, [], False))
    assert f"at most {MOST_ENROLLED}" in error_of(people.enrol(desk, clips["low"] * 9, False))
    junk = error_of(people.enrol(desk, [str(tmp_path / "junk.wav")], False))
    assert "junk.wav" in junk and str(tmp_path) not in junk
    assert desk.person is not None and before
    # Only who is listed can be chosen, whatever is stored.
    save_person(desk.person, "ann")
    assert "can be chosen" in error_of(people.choose(desk, "ann"))
    assert "can be chosen" in error_of(people.choose(desk, "../ann"))


def test_a_stored_person_is_chosen(page: Callbacks, clips: dict[str, list[str]]) -> None:
    desk = Desk()
    people = People(page, ["ann", "old", "gone"])
    clip, *others = clips["low"]
    plain = last(page.open(desk, clip, text=""))
    enrolled = last(people.enrol(desk, others, False))
    assert desk.person is not None and enrolled["stored"] is None
    save_person(desk.person, "ann")
    save_person(replace(desk.person, prior="0" * 16), "old")
    assert scores(last(people.choose(desk, NOBODY))) == scores(plain)
    found = last(people.choose(desk, "ann"))
    assert scores(found) == scores(enrolled) and "'ann' (3 clips)" in unescape(found["person"])
    assert "another model; enrol again" in error_of(people.choose(desk, "old"))
    assert "was removed" in error_of(people.choose(desk, "gone"))
    assert desk.person_name == "ann"


@pytest.fixture
def served(session: Session) -> Iterator[str]:
    with running(session, SETTINGS, None) as found:
        yield found.rstrip("/")


def test_the_page_as_it_is_served(
    served: str, session: Session, clips: dict[str, list[str]]
) -> None:
    config: dict[str, Any] = httpx.get(f"{served}/config", timeout=60).json()
    ids = {c["props"].get("elem_id") for c in config["components"]}
    assert "enrolled" in ids and "stored" not in ids
    visitor = Visitor(served)
    files = [handle_file(path) for path in clips["low"]]
    first = visitor.does("open", files[0], None)["answer"]
    shown = visitor.does("enrol", files[1:], False)
    assert shown["answer"] != first and "(3 clips)" in shown["person"]
    assert visitor.does("forget_person")["answer"] == first


def test_only_listed_people_are_a_choice(page: Callbacks) -> None:
    for names in ((), ("ann",)):
        config = build(page, "not asked for", names).get_config_file()
        found = [c for c in config["components"] if c["props"].get("elem_id") == "stored"]
        assert len(found) == len(names)
