"""Who is let in, who goes first, and what goes out at the deadline."""

from __future__ import annotations

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from emollama.serving.admission import Admission, Line
from emollama.serving.refusal import Refusal
from emollama.serving.settings import Settings
from emollama.session import Reply, Session
from tests.serving.running import Running
from tests.serving.test_safe import _blocking, error


def test_a_line_learns_from_those_it_served_and_not_from_idle_time() -> None:
    now = [0.0]
    line = Line(lambda: now[0])
    first, second, third = (line.join() for _ in range(3))
    assert line.wait == 0  # nothing is known yet
    now[0] = 4.0
    first.leave(served=True)
    assert line.seconds == 4 and line.wait == 8
    now[0] = 6.0
    second.leave(served=True)
    second.leave(served=True)  # counts once
    assert line.seconds == 3 and line.wait == 3
    third.leave()  # a client that went away tells nothing of the speed
    now[0] = 1000.0
    last = line.join()
    now[0] = 1003.0
    last.leave(served=True)
    assert line.seconds == 3 and line.wait == 0 and len(line) == 0


def test_who_would_wait_past_the_deadline_is_told_when_to_come_again() -> None:
    admission = Admission(Settings(deadline=10))
    admission.writing.seconds = 7.0
    with admission.admit(0, False, True), admission.admit(0, False, True):
        late = admission.admit(0, False, True)
        with pytest.raises(Refusal, match="in about 14 s, after the deadline of 10 s") as refused:
            late.__enter__()
        assert refused.value.status == 429 and refused.value.headers == {"retry-after": "4"}
        with admission.admit(0, True, False):  # labels alone are not behind those who write
            pass
    with admission.admit(0, False, True):
        assert len(admission.writing) == 1 and len(admission.reading) == 0


def test_where_nothing_is_known_at_the_deadline_the_first_is_late_and_the_others_come_again() -> (
    None
):
    async def main() -> list[int]:
        admission = Admission(Settings(deadline=0.2))
        ends = asyncio.get_running_loop().time() + 0.2

        async def one() -> int:
            with admission.admit(ends, True, True) as admitted:
                try:
                    await admission.in_time(admitted, asyncio.sleep(60))
                except Refusal as refusal:
                    assert ("retry-after" in refusal.headers) == (refusal.status == 429)
                    return refusal.status
            return 200

        return list(await asyncio.gather(*(one() for _ in range(4))))

    # The last to be told is alone in the line by then, and yet it was not first.
    assert asyncio.run(main()) == [504, 429, 429, 429]


def ask(server: Running, **data: str) -> httpx.Response:
    return httpx.post(f"{server.address}/v1/emotion", data=data, timeout=100)


def endless(reply: Reply):
    while not reply._stopped():
        time.sleep(0.01)
        yield 65


def test_at_the_deadline_the_label_goes_out_without_its_reason(
    server: Running, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings, admission = server.settings, server.app.state.admission
    data = {"file_id": server.upload(clip), "transcribe": "false"}
    whole = ask(server, **data).json()
    assert whole["reason"] is not None and not [n for n in whole["notes"] if "deadline" in n]
    part = [{"type": "file", "file": {"file_id": data["file_id"]}}]
    body = {"messages": [{"role": "user", "content": part}], "transcribe": False}
    url = f"{server.address}/v1/chat/completions"
    monkeypatch.setattr(Reply, "_tokens", endless)
    monkeypatch.setattr(admission.writing, "seconds", None)  # on a slow machine one is long
    before = settings.deadline
    object.__setattr__(settings, "deadline", 3.0)
    try:
        with ThreadPoolExecutor(4) as pool:
            chat = pool.submit(httpx.post, url, json=body, timeout=60)
            late = list(pool.map(lambda _: ask(server, **data), range(3)))
            cut = chat.result()
    finally:
        object.__setattr__(settings, "deadline", before)
    for answer in late:
        assert answer.status_code == 200, answer.text
        found = answer.json()
        assert found["label"] == whole["label"] and found["labels"] == whole["labels"]
        assert found["reason"] is None and found["weights"] is None
        why = "no reason and no weights: not done within the server's deadline"
        assert why in found["notes"]
    # A chat says what is known, and as OpenAI tells it that it was cut.
    assert cut.status_code == 200, cut.text
    (choice,) = cut.json()["choices"]
    assert choice["finish_reason"] == "length"
    assert choice["message"]["content"].endswith(f"highest for {whole['label']}.")
    assert len(admission.writing) == 0


def test_the_oldest_requests_write_first_and_others_once_they_are_done(
    server: Running, session: Session, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, admission = server.app.state.engine, server.app.state.admission
    look = session.look(clip, "Fine.")
    written: list[int] = []
    going: list[int] = []

    class Told:
        writing = None  # nothing is written together

        def __init__(self, number: int) -> None:
            self.number = number

        def __iter__(self):
            going.append(self.number)
            assert len(going) <= 2
            yield "a"
            yield "b"
            going.remove(self.number)
            written.append(self.number)

    monkeypatch.setattr(session, "ask", lambda look, turns, *rest: turns)
    monkeypatch.setattr("emollama.serving.engine.Reply", Told)
    monkeypatch.setattr(engine.session.artefact, "at_once", 2)
    release = threading.Event()

    async def main() -> None:
        places = [admission.writing.join() for _ in range(5)]
        engine._add(_blocking(release))

        async def one(i: int) -> None:
            _, pieces = await engine.reply(look, Told(i), None, places[i])  # type: ignore[arg-type]
            await pieces.text()

        # The youngest was read first and asks first.
        asked = [asyncio.ensure_future(one(i)) for i in (4, 2, 0, 3, 1)]
        await asyncio.sleep(0.05)
        release.set()
        await asyncio.gather(*asked)
        async with asyncio.timeout(10):
            while len(admission.writing):  # the engine's thread tells the loop
                await asyncio.sleep(0.01)

    asyncio.run(main())
    assert written == [0, 1, 2, 3, 4]


def test_a_server_that_is_behind_refuses_over_http(server: Running, clip: Path) -> None:
    file_id = server.upload(clip)
    writing = server.app.state.admission.writing
    place = writing.join()
    writing.seconds = 130.0
    try:
        answer = ask(server, file_id=file_id, transcribe="false")
        assert answer.status_code == 429 and answer.headers["retry-after"] == "10"
        assert "1 requests wait" in error(answer) or "1 request waits" in error(answer)
        assert ask(server, file_id=file_id, transcribe="false", reason="false").status_code == 200
    finally:
        place.leave()
        writing.seconds = None
