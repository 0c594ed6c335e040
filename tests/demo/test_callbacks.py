"""What a visitor does, without a browser: a real tiny model and real files."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Any

import pytest

from emollama.demo.callbacks import Callbacks
from emollama.demo.conversation import Conversation
from emollama.demo.desk import Desk
from emollama.demo.status import Changes
from emollama.demo.visit import Visit, chosen_labels
from emollama.session import Session
from tests.demo.conftest import SETTINGS
from tests.demo.made import InProcess
from tests.features.made import voice
from tests.media.recording import record
from tests.session.made import learned_to_describe

HOW = (0.0, 1.0, 12)


@pytest.fixture
def page(session: Session, tmp_path: Path) -> Callbacks:
    return Callbacks(session, InProcess(session, SETTINGS), tmp_path)


def talk_of(page: Callbacks) -> Conversation:
    return Conversation(page.session)


def last(changes: Iterator[Changes]) -> dict[str, Any]:
    """All that changed in the end."""
    found: dict[str, Any] = {}
    for one in changes:
        found |= one
    return found


def opened(page: Callbacks, path: Path, **more: Any) -> tuple[Desk, Visit, dict[str, Any]]:
    desk = Desk()
    found = last(page.open(desk, str(path), **more))
    assert desk.visit is not None, found
    return desk, desk.visit, found


def error_of(changes: Iterator[Changes]) -> str:
    state = str(last(changes)["state"])
    assert state.startswith('<p role="alert"') and "\n" not in state, state
    assert "Traceback" not in state and ".py" not in state
    return state


def scores(found: dict[str, Any]) -> list[str]:
    return re.findall(r"\d+\.\d %", found["answer"])


def test_a_clip_gives_bars_shares_switches_and_a_player(page: Callbacks, clip: Path) -> None:
    desk, visit, found = opened(page, clip)
    assert len(scores(found)) == len(page.session.labels)
    assert "Shapley" in found["carried"] and found["use_voice"] is True
    assert "gradio_api/file=" in found["player"] and found["chat"] == []
    assert "Answered in" in found["state"] and visit.name == "voice.mp4"
    assert last(page.reword(desk, ""))["use_words"] is None


def test_words_of_any_vocabulary_stand_below_the_answer_of_a_model_that_learned_it(
    session: Session, clip: Path, tmp_path: Path
) -> None:
    pages = [Callbacks(session, InProcess(session, SETTINGS), tmp_path)]
    with learned_to_describe(session.folder):
        pages.append(Callbacks(session, InProcess(session, SETTINGS), tmp_path))
    (_, without, plain), (desk, visit, found) = [opened(p, clip, text="Fine.") for p in pages]
    assert without.answer and without.answer.described is None
    assert "described as" not in plain["answer"]
    assert visit.answer and visit.answer.described
    told = "described as: " + ", ".join(visit.answer.described)
    assert escape(told) in found["answer"].partition("Probability of each label")[2]
    saved = json.loads(Path(last(pages[1].save_json(desk))["saved"]).read_text(encoding="utf-8"))
    assert saved["answer"]["described"] == list(visit.answer.described)


def test_words_are_given_left_out_and_taken_away(page: Callbacks, clip: Path) -> None:
    desk, visit, before = opened(page, clip)
    worded = last(page.reword(desk, "They broke it."))
    assert worded["use_words"] is True and scores(worded) != scores(before)
    assert "<track" in worded["player"] and worded["words"] == "They broke it."
    without = last(page.use(desk, False, True))
    assert scores(without) not in (scores(before), scores(worded))
    assert "from words" in without["answer"] and "left out: voice" in without["notes"]
    assert "no channel is left" in error_of(page.use(desk, False, False))
    assert visit.left_out == {"voice"}
    assert "no channel is left" in error_of(page.reword(desk, ""))
    assert visit.look.text == "They broke it."
    assert scores(last(page.use(desk, True, True))) == scores(worded)


def test_of_two_switches_in_a_row_the_later_one_counts(page: Callbacks, clip: Path) -> None:
    desk, visit, _ = opened(page, clip)
    last(page.reword(desk, "They broke it."))
    first = page.use(desk, False, True)
    next(first), next(first)  # by now it asks the model
    second = last(page.use(desk, True, False))
    assert "from voice" in second["answer"]
    assert "answer" not in last(first) and visit.answer is not None
    assert visit.answer.channels == ("voice",)
    waiting = page.use(desk, True, True)
    next(waiting)  # what is on the page holds no longer, so it cannot be saved as if it did
    assert "no answer to save yet" in error_of(page.save_json(desk))


def test_a_conversation_keeps_its_turns_prompts_and_settings(page: Callbacks, clip: Path) -> None:
    desk, visit, _ = opened(page, clip)
    steps = list(talk_of(page).ask_task(desk, "emotion", *HOW))
    assert len(steps) > 3  # it was streamed
    found = last(talk_of(page).ask(desk, "Which emotion now?", 0.5, 0.9, 9))
    first, second = visit.exchanges
    assert second.new_tokens <= 9 and second.sampling.top_p == 0.9
    assert first.question in second.prompt and "Which emotion now?" in second.prompt
    assert second.cached_tokens > 0 and [m["role"] for m in found["chat"]].count("user") == 2
    folded = [m for m in found["chat"] if "metadata" in m]
    assert [m["content"].partition("\n\n")[2] for m in folded] == [first.prompt, second.prompt]
    assert all("token" not in m["metadata"]["title"] for m in folded)
    last(page.use(desk, True, True))
    last(talk_of(page).retry(desk, *HOW))
    assert len(visit.exchanges) == 2 and visit.exchanges[1].question == "Which emotion now?"
    assert last(talk_of(page).forget(desk))["chat"] == [] and visit.exchanges == []


def test_an_answer_can_be_stopped_and_only_one_is_written(page: Callbacks, clip: Path) -> None:
    desk, visit, _ = opened(page, clip)
    writing = talk_of(page).ask(desk, "What does she feel?", 1.5, 1.0, 400)
    for _ in range(3):
        next(writing)
    assert "is being written" in error_of(talk_of(page).ask(desk, "And what does he feel?", *HOW))
    talk_of(page).stop(desk)
    last(writing)
    (one,) = visit.exchanges
    assert one.finish in ("stopped", "stop") and one.new_tokens < 400
    # Somebody who leaves in the middle of an answer leaves nothing locked.
    leaving = talk_of(page).ask(desk, "What does she feel?", 1.5, 1.0, 400)
    next(leaving)
    leaving.close()  # type: ignore[attr-defined]
    last(talk_of(page).ask(desk, "Which emotion?", *HOW))
    assert visit.exchanges[-1].question == "Which emotion?"


def test_other_labels_change_bars_and_question(page: Callbacks, clip: Path) -> None:
    desk, visit, _ = opened(page, clip)
    found = last(page.relabel(desk, "calm, angry"))
    assert len(scores(found)) == 2 and "own labels" in found["carried"]
    last(talk_of(page).ask_task(desk, "emotion", *HOW))
    assert "calm, angry" in visit.exchanges[-1].prompt
    assert "2 to 50 labels" in error_of(page.relabel(desk, "calm"))
    assert visit.labels == ("calm", "angry")
    known = page.label_sets
    assert len(scores(last(page.relabel(desk, next(iter(known)))))) == len(page.session.labels)
    (meld,) = (name for name in known if name.startswith("meld"))
    assert chosen_labels(meld, known) == known[meld]


def test_a_visit_is_saved_whole(page: Callbacks, clip: Path) -> None:
    desk, _, _ = opened(page, clip, name="../../a b")
    last(talk_of(page).ask(desk, "Why?", *HOW))
    path = Path(last(page.save_json(desk))["saved"])
    saved = json.loads(path.read_text(encoding="utf-8"))
    assert path.is_relative_to(page.folder) and path.name == "a-b.json"
    assert saved["exchanges"][0]["prompt"] and saved["weights"]["carried_by"] in ("voice", None)
    assert saved["answer"]["scores"] and saved["clip"] == "../../a b"
    sheet = Path(last(page.save_sheet(desk))["saved"]).read_text(encoding="utf-8")
    assert "Why?" in sheet and "data:image" not in sheet  # nobody's face was in the clip


def test_what_is_wrong_is_told_in_one_line(
    page: Callbacks, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clip: Path
) -> None:
    assert "choose a clip first" in error_of(talk_of(page).ask(Desk(), "Why?", *HOW))
    junk = tmp_path / "junk.mp4"
    junk.write_bytes(b"<b>no clip</b>" * 99)
    assert "not a readable media file" in error_of(page.open(Desk(), str(junk)))
    long = record(tmp_path / "long.mp4", seconds=25, fps=2, sound_rate=None)
    assert "at most 20 s" in error_of(page.open(Desk(), str(long)))
    silent = record(tmp_path / "silent.mp4", seconds=1, sound_rate=None)
    assert "(voice: no sound track, words: no words)" in error_of(page.open(Desk(), str(silent)))
    aged = tmp_path / "aged.wav"
    voice(aged, 180, 1.2)
    desk, _, _ = opened(page, aged)
    aged.unlink()  # an upload is removed after a while
    assert "does not exist" in error_of(page.part(desk, 0.0, 1.0))
    desk, _, _ = opened(page, clip)
    assert "write a question" in error_of(talk_of(page).ask(desk, "  ", *HOW))
    assert "exceeds" in error_of(talk_of(page).ask(desk, "why " * 490, 0, 1, 512))
    assert "temperature must be" in error_of(talk_of(page).ask(desk, "Why?", 9, 1, 8))

    def broken(*_: Any, **__: Any) -> None:
        raise ValueError("secret /path")

    monkeypatch.setattr(page.session, "answer", broken)
    told = error_of(page.use(desk, True, True))
    assert "an internal error" in told and "secret" not in told


def test_sound_alone_is_a_clip(page: Callbacks, tmp_path: Path) -> None:
    voice(tmp_path / "voice.wav", 180, 1.2)
    _, _, found = opened(page, tmp_path / "voice.wav")
    assert scores(found) and "no face was found" in found["timeline"]
