"""Answers that are written side by side are those that are written one after another."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest
import torch

from emollama.llm.decoding import Reply, write_together
from emollama.serving.engine import Engine
from emollama.serving.settings import Settings
from emollama.session import LlmSession, Sampling, Session, Turn

ASKED = ("What does the voice tell?", "And the words?", "Is it a long question that is asked here?")


@pytest.fixture
def replies(session: Session, clip: Path):
    looks = [session.look(clip, text) for text in ("So.", "They broke it, all of it.", "")]

    def begin(stopped=lambda: False) -> list[Reply]:
        return [
            session.ask(look, [Turn("user", asked)], Sampling(max_new_tokens=most), stopped)
            for look, asked, most in zip(looks, ASKED, (9, 30, 17), strict=True)
        ]

    return begin


@pytest.mark.parametrize("read", [True, False])
def test_each_is_the_answer_that_it_is_alone(session: Session, replies, read: bool) -> None:
    assert isinstance(session, LlmSession)
    alone = [("".join(one), one.new_tokens, one.finish) for one in replies()]
    together = replies()
    if not read:  # a prompt of which nothing is kept is read in full
        together[1]._prefix = None
    write_together(together)
    pieces: list[list[str]] = [[], [], []]
    going = [(i, iter(one)) for i, one in enumerate(together)]
    while going:  # in turns, as the engine does
        going = [(i, one) for i, one in going if (piece := next(one, None)) is not None
                 and pieces[i].append(piece) is None]  # fmt: skip
    found = ["".join(part) for part in pieces]
    assert [(f, o.new_tokens, o.finish) for f, o in zip(found, together, strict=True)] == alone


def test_one_that_is_left_ends_alone_and_a_failure_is_that_of_all(replies, monkeypatch) -> None:
    alone, left = ["".join(one) for one in replies()], False
    together = replies(lambda: left)
    write_together(together)
    first = iter(together[0])
    next(first)
    left = True
    assert list(first) == [] and together[0].finish == "stopped"
    left = False
    assert "".join(together[1]) == alone[1]
    together = replies()
    write_together(together)
    monkeypatch.setattr(torch.Tensor, "argmax", _fails)
    for one in together:
        with pytest.raises(RuntimeError, match="no memory"):
            list(one)


def _fails(*args: object, **more: object) -> None:
    raise RuntimeError("no memory")


def test_those_who_wait_are_written_in_one_batch(session: Session, clip: Path) -> None:
    """Every step of the language model reads its weights once for all of them."""
    assert isinstance(session, LlmSession)
    look = session.look(clip, "So.")
    session.answers([look])  # its prefix is kept from here on
    decoder, rows = session.artefact.model.language_model.get_decoder(), []
    hook = decoder.register_forward_pre_hook(
        lambda _, args, given: rows.append(len(given["inputs_embeds"])), with_kwargs=True
    )
    engine = Engine(session, Settings())

    async def ask(question: str) -> str:
        turns = [Turn("user", question)]
        _, pieces = await engine.reply(look, turns, Sampling(max_new_tokens=12), None)
        return await pieces.text()

    async def all_of_them() -> list[str]:
        held, all_there = threading.Event(), threading.Event()
        busy = asyncio.create_task(engine.call(lambda: held.set() or all_there.wait(20)))
        await asyncio.to_thread(held.wait, 20)
        asking = [asyncio.create_task(ask(f"{ASKED[i % 3]} {i}")) for i in range(9)]
        await asyncio.sleep(0)  # each has taken its place
        all_there.set()
        await busy
        return await asyncio.gather(*asking)

    try:
        told = asyncio.run(all_of_them())
    finally:
        hook.remove()
        engine.close()
    assert all(told) and max(rows) == 8
    assert len(rows) <= 3 * 12, "a step for each answer"
