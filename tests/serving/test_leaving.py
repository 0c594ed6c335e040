"""Clips that are shared, clips that nobody may use yet, and clients that leave."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from emollama.scoring.reasons.check import CheckedReason
from emollama.serving.admission import Admitted
from emollama.serving.chat import Conversation
from emollama.serving.engine import Pieces, _ReplyTask
from emollama.serving.once import Once
from emollama.serving.settings import Settings
from emollama.serving.wire import ChatAnswer, ChatRequest
from emollama.session import ClipView, LlmSession, Reply, Turn
from emollama.session.reasons import CheckedReply
from tests.features.made import voice
from tests.serving.running import Running, running
from tests.serving.test_safe import _blocking, error


def files(server: Running) -> set[str]:
    return {p.name for p in server.folder.rglob("*.clip")}


def wait_for(what, seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)


def test_work_is_shared_and_ends_with_the_last_who_waits() -> None:
    begun: list[str] = []
    ended: list[str] = []
    dropped: list[str] = []

    async def work(name: str) -> str:
        begun.append(name)
        try:
            await asyncio.sleep(0.02 if name == "short" else 60)
        except asyncio.CancelledError:
            ended.append(name)
            raise
        return name

    async def main() -> None:
        once: Once[str, str] = Once(1, dropped.append)
        both = [asyncio.ensure_future(once.get("long", lambda: work("long"))) for _ in range(2)]
        await asyncio.sleep(0.01)
        both[0].cancel()
        await asyncio.sleep(0.01)
        assert begun == ["long"] and not ended
        both[1].cancel()
        await asyncio.sleep(0.01)
        assert ended == ["long"] and "long" not in once
        found = await asyncio.gather(*(once.get("short", lambda: work("short")) for _ in range(3)))
        assert found == ["short"] * 3 and begun == ["long", "short"]
        once.drop(lambda key: True)
        await asyncio.sleep(0)
        assert dropped == ["short"] and list(once) == []

    asyncio.run(main())


def test_a_clip_cannot_be_used_before_it_was_inspected_and_is_nobody_elses(
    server: Running, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clips = server.app.state.clips
    release, inside = threading.Event(), threading.Event()
    inspect = clips.decoders.inspect

    def slowly(path: Path) -> None:
        inside.set()
        assert release.wait(20)
        inspect(path)

    monkeypatch.setattr(clips.decoders, "inspect", slowly)
    before = {u["id"] for u in server.client.get("/v1/files").json()["data"]}
    with ThreadPoolExecutor(1) as pool:
        upload = pool.submit(server.upload, clip)
        assert inside.wait(20)
        listed = {u["id"] for u in httpx.get(f"{server.address}/v1/files").json()["data"]}
        assert listed == before
        release.set()
        first = upload.result()
    second = server.upload(clip)
    assert server.client.delete(f"/v1/files/{first}").status_code == 200
    assert server.client.get(f"/v1/files/{second}").status_code == 200
    data = {"file_id": second, "text": "Fine.", "reason": "false"}
    assert server.client.post("/v1/emotion", data=data).status_code == 200


def test_a_clip_is_watched_once_and_looked_at_once(
    server: Running, session: LlmSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    voice(tmp_path / "one.wav", 140, 1.0)
    file_id = server.upload(tmp_path / "one.wav")
    decoders = server.app.state.clips.decoders
    watched: list[bool] = []
    looked: list[str | None] = []
    watch, look_at = decoders.watch, session.look_at
    monkeypatch.setattr(decoders, "watch", lambda p, t: watched.append(t) or watch(p, t))
    monkeypatch.setattr(session, "look_at", lambda s, t: looked.append(t) or look_at(s, t))
    plain = {"file_id": file_id, "reason": "false", "weights": "false"}

    def ask(more: dict) -> dict:
        answer = server.client.post("/v1/emotion", data={**plain, **more})
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(ask, [{}] * 4))
    assert watched == [True] and looked == [None]
    # With words given nobody has to listen, and what was seen serves.
    given = ask({"text": "They broke it."})
    assert watched == [True] and given["transcript"] is None
    assert ask({"text": ""})["text"] is None and looked == [None, "They broke it.", ""]
    monkeypatch.undo()
    kept = session.prefixes._kept
    keys = {
        look.result().key for look in (w.task for w in server.app.state.clips._looks._kept.values())
    }
    assert any(key[0] in keys for key in kept)
    server.client.delete(f"/v1/files/{file_id}")
    gone = {w.task.result().key for w in server.app.state.clips._looks._kept.values()}
    wait_for(lambda: not any(key[0] in keys - gone for key in session.prefixes._kept))


def test_of_a_clip_inside_a_request_nothing_is_left(
    server: Running, session: LlmSession, clip: Path
) -> None:
    mine = server.upload(clip)
    before, kept = files(server), set(session.prefixes._kept)
    for _ in range(3):
        answer = server.client.post(
            "/v1/emotion", files={"file": ("a.wav", clip.read_bytes())}, data={"text": "So."}
        )
        assert answer.status_code == 200, answer.text
    assert files(server) == before and set(session.prefixes._kept) <= kept
    assert server.client.get(f"/v1/files/{mine}").status_code == 200


def test_who_leaves_frees_the_place_and_the_model(
    session: LlmSession, clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(port=0, watchers=1, queue=3, deadline=300)
    with running(session, tmp_path / "up", settings) as server:
        part = [{"type": "file", "file": {"file_id": server.upload(clip)}}]
        chat = {"messages": [{"role": "user", "content": part}], "max_tokens": 800}
        engine = server.app.state.engine

        def in_hand() -> int:
            return int(httpx.get(f"{server.address}/healthz").json()["in_hand"])

        assert httpx.post(
            f"{server.address}/v1/chat/completions", json={**chat, "max_tokens": 1}, timeout=60
        ).is_success
        release = threading.Event()
        engine._add(_blocking(release))
        # Chats that wait for the model, a clip that waits to be read: all leave.
        for url, body in (
            ("chat/completions", {"json": chat}),
            ("chat/completions", {"json": {**chat, "stream": True}}),
            ("emotion", {"files": {"file": ("a.wav", clip.read_bytes())}}),
        ):
            with pytest.raises(httpx.TimeoutException):
                httpx.post(f"{server.address}/v1/{url}", timeout=0.4, **body)
        wait_for(lambda: in_hand() == 0, 40)
        release.set()
        # A stream that is being read, and would never end, leaves in the middle.
        ended = threading.Event()

        def endless(reply: Reply) -> Iterator[int]:
            while not reply._stopped():
                time.sleep(0.01)
                yield 65
            ended.set()

        monkeypatch.setattr(Reply, "_tokens", endless)
        with httpx.stream(
            "POST", f"{server.address}/v1/chat/completions", json={**chat, "stream": True},
            timeout=60,
        ) as answer:  # fmt: skip
            lines = answer.iter_lines()
            assert answer.status_code == 200 and next(lines)
            assert in_hand() == 1
        wait_for(lambda: in_hand() == 0, 40)
        assert ended.wait(40)
        assert files(server) == {f"{part[0]['file']['file_id']}.clip"}


def test_a_stream_says_what_is_known_at_its_deadline(
    server: Running, session: LlmSession, clip: Path
) -> None:
    clips = server.app.state.clips
    asked = ChatRequest(messages=[{"role": "user", "content": "Is he sad?"}])  # type: ignore[list-item]
    (known,) = session.answers([session.look(clip, "Fine.")])
    reply = CheckedReply(None, lambda written: CheckedReason(written, None))

    async def main() -> list[str]:
        loop = asyncio.get_running_loop()
        silent = Pieces(_ReplyTask(loop))
        one = Conversation(asked, clips, clips.engine, Admitted(loop.time() + 0.05, 0))
        one._known = known
        return [event async for event in one.events(reply, silent, "req-1")]

    first, said, end, done = asyncio.run(main())
    assert '"assistant"' in first and f"highest for {known.label}." in said
    assert '"finish_reason": "length"' in end and "[DONE]" in done


@pytest.mark.parametrize("shaped", [False, True])
def test_whose_turn_to_write_does_not_come_is_told_what_is_known(
    server: Running, session: LlmSession, clip: Path, monkeypatch: pytest.MonkeyPatch,
    shaped: bool,
) -> None:  # fmt: skip
    clips, look = server.app.state.clips, session.look(clip, "Fine.")
    (known,) = session.answers([look])
    turns = [Turn("user", "Is he sad?")]
    properties = {"mood": {"enum": list(session.labels)}, "why": {"type": "string"}}
    schema = {"name": "seen", "schema": {"type": "object", "properties": properties}}
    asked = ChatRequest.model_validate({
        "messages": [{"role": "user", "content": "Is he sad?"}],
        "response_format": {"type": "json_schema", "json_schema": schema} if shaped else None,
    })  # fmt: skip

    async def read() -> tuple[ClipView, list[Turn]]:
        return look, turns

    async def never(*_: object) -> None:
        await asyncio.sleep(60)

    async def main() -> ChatAnswer:
        now = asyncio.get_running_loop().time()
        one = Conversation(asked, clips, clips.engine, Admitted(now + 1, now + 20))
        monkeypatch.setattr(one, "_read", read)
        monkeypatch.setattr(clips.engine, "reply", never)
        return await one.whole()

    (choice,) = asyncio.run(main()).choices
    assert f"highest for {known.label}." in str(choice.message.content)
    # What is given in a shape is whole all the same.
    assert choice.finish_reason == ("stop" if shaped else "length")


# --- the gatekeeper -----------------------------------------------------------------


def test_slow_bodies_and_too_many_bytes_are_cut_off(
    session: LlmSession, clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("emollama.serving.server.HEAD_SECONDS", 0.4)
    settings = Settings(port=0, watchers=1, queue=2, stall_seconds=0.5, max_in_hand=3 << 19)
    with running(session, tmp_path / "up", settings) as server:
        port = int(server.address.rsplit(":", 1)[1])
        head = (
            f"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
            "Content-Type: application/json\r\nContent-Length: 100000\r\n\r\n{"
        )
        # A head that does not get complete, on a new connection and on a used one.
        for before in (b"", b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"):
            with socket.create_connection(("127.0.0.1", port), timeout=20) as one:
                one.sendall(before + b"GET /healthz HT")
                while one.recv(1000):
                    pass
        slow = [socket.create_connection(("127.0.0.1", port), timeout=20) for _ in range(2)]
        for one in slow:
            one.sendall(head.encode())
        for one in slow:
            assert b" 408 " in one.recv(1000).splitlines()[0]
            one.close()
        # One request of 1 MiB is let in; with a second one there are too many bytes.
        object.__setattr__(settings, "stall_seconds", 20.0)
        sock = socket.create_connection(("127.0.0.1", port), timeout=20)
        sock.sendall(head.replace("100000", "1500000").encode() + b" " * (1 << 20))
        wait_for(lambda: server.client.get("/healthz").json()["in_hand"] == 1)
        answer = server.client.post("/v1/files", files={"file": ("a.wav", b"\0" * (1 << 20))})
        assert answer.status_code == 429 and "hold too many bytes" in error(answer)
        sock.close()
        wait_for(lambda: server.client.get("/healthz").json()["in_hand"] == 0)
        answer = server.client.post("/v1/files", files={"file": ("a.wav", clip.read_bytes())})
        assert answer.status_code == 200


def test_odd_origins_hosts_keys_queries_fields_and_methods(
    server: Running, session: LlmSession, tmp_path: Path, clip: Path
) -> None:
    ask = server.client
    assert ask.get("/v1/models", headers={"Origin": "http://[evil"}).status_code == 403
    answer = ask.put("/v1/files")
    assert answer.status_code == 405 and answer.headers["allow"] == "GET, POST"
    answer = ask.get("/v1/models?limit=3")
    assert answer.status_code == 422 and "'limit' is not known" in error(answer)
    answer = ask.post("/v1/emotion", data={"file_id": server.upload(clip), "weight": "false"})
    assert answer.status_code == 422 and "field 'weight' is not known" in error(answer)
    answer = ask.post("/v1/emotion", data={"file": "words"})
    assert answer.status_code == 422 and "must be a file" in error(answer)
    settings = Settings(host="127.0.0.2", port=0, watchers=1, api_key="schlüssel")
    from emollama.serving.gatekeeper import Gatekeeper
    from emollama.serving.metrics import Metrics

    gatekeeper = Gatekeeper(lambda *_: None, settings, Metrics())  # type: ignore[arg-type]
    headers = [
        (b"host", b"127.0.0.2:8000"), (b"authorization", "Bearer schlüssel".encode()),
    ]  # fmt: skip
    gatekeeper._check({"headers": headers, "path": "/v1/models"}, False)
