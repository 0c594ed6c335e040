"""Each of the server's promises, tried."""

from __future__ import annotations

import os
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from emollama.base.errors import EmollamaError
from emollama.cli.serve import serve
from emollama.serving.decoders import DecoderPool
from emollama.serving.private import PREFIX
from emollama.serving.refusal import Refusal
from emollama.serving.settings import Settings
from emollama.serving.uploads import Uploads
from emollama.session import Session, open_session
from tests.features.made import voice
from tests.media.recording import record
from tests.serving.running import Running, running

KEY = "a-key-of-some-length"


def error(answer: httpx.Response) -> str:
    """The message, after a look at what every error must have and must not."""
    found = answer.json()["error"]
    assert answer.headers["x-request-id"] == found["request_id"]
    assert "Traceback" not in answer.text and ".py" not in answer.text
    assert PREFIX not in answer.text  # paths are the server's own business
    return str(found["message"])


def refused(server: Running, path: Path, name: str | None = None) -> str:
    answer = server.client.post("/v1/files", files={"file": (name or path.name, path.read_bytes())})
    assert answer.status_code in (413, 422), answer.text
    return error(answer)


# --- who comes in ------------------------------------------------------------------------------


def test_only_this_machine_unless_told_otherwise_and_then_with_a_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("max_seconds", "max_rate", "deadline", "keep_seconds"):
        for value in (float("nan"), float("inf"), 0.0):
            with pytest.raises(EmollamaError, match="must be a number above 0"):
                Settings(**{name: value})
    assert Settings().loopback and not Settings(host="0.0.0.0").loopback
    monkeypatch.delenv("EMOLLAMA_API_KEY", raising=False)
    with pytest.raises(
        EmollamaError, match="opens the server to other machines: set EMOLLAMA_API_KEY"
    ):
        serve(tmp_path, host="0.0.0.0")


def test_the_key_a_foreign_name_and_a_foreign_page(session: Session, tmp_path: Path) -> None:
    settings = Settings(port=0, watchers=1, api_key=KEY)
    with running(session, tmp_path / "up", settings) as server:
        client = server.client
        assert client.get("/healthz").status_code == 200
        for given in ({}, {"Authorization": "Bearer wrong-key-entirely"},
                      {"Authorization": KEY}, {"Authorization": f"Bearer {KEY}é"}):  # fmt: skip
            answer = client.get("/v1/models", headers={k: v.encode() for k, v in given.items()})
            assert answer.status_code == 401 and KEY not in answer.text
            error(answer)
        mine = {"Authorization": f"Bearer {KEY}"}
        assert client.get("/v1/models", headers=mine).status_code == 200
        rebound = client.get("/v1/models", headers={**mine, "Host": "evil.example"})
        assert rebound.status_code == 421
        page = {**mine, "Origin": "https://evil.example"}
        assert client.get("/v1/models", headers=page).status_code == 403
        asked = client.options(
            "/v1/models", headers={**mine, "Access-Control-Request-Method": "GET"}
        )
        assert not [h for h in asked.headers if h.startswith("access-control")]
    assert not list((tmp_path / "up").iterdir())  # removed at exit


# --- what comes in -----------------------------------------------------------------------------


def test_size_is_limited_by_header_and_by_what_is_sent(server: Running, tmp_path: Path) -> None:
    big = b"\0" * ((1 << 20) + (1 << 17))
    answer = server.client.post("/v1/files", files={"file": ("big.mp4", big)})
    assert answer.status_code == 413 and "1 MiB" in error(answer)

    def pieces() -> Iterator[bytes]:
        yield b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
        for _ in range(40):
            yield b"\0" * (1 << 16)

    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    try:
        answer = server.client.post("/v1/files", content=pieces(), headers=headers)
        assert answer.status_code == 413
    except httpx.TransportError:
        pass  # the connection may be closed before all is sent
    # A data URL has a limit of its own: it takes several times its size in memory.
    object.__setattr__(server.settings, "max_data_bytes", 1 << 16)
    body = b'{"messages": "' + b"A" * (1200 << 10)
    answer = server.client.post("/v1/chat/completions", content=body)
    assert answer.status_code == 413 and "a data URL may have at most 0.0625 MiB" in error(answer)
    url = "data:audio/wav;base64," + "AAAA" * (1 << 15)
    part = [{"type": "video_url", "video_url": {"url": url}}]
    body_of = {"messages": [{"role": "user", "content": part}]}
    answer = server.client.post("/v1/chat/completions", json=body_of)
    assert answer.status_code == 413 and "at most 0.0625 MiB" in error(answer)
    object.__setattr__(server.settings, "max_data_bytes", 16 << 20)
    empty = server.client.post("/v1/files", files={"file": ("a.wav", b"")})
    assert empty.status_code == 400 and "empty" in error(empty)


def test_duration_resolution_and_frame_rate_are_checked(server: Running, tmp_path: Path) -> None:
    voice(tmp_path / "long.wav", 100, 21)
    assert "lasts 21 s; a clip may last at most 20 s" in refused(server, tmp_path / "long.wav")
    wide = record(tmp_path / "wide.mp4", seconds=0.4, size=(800, 64))
    assert "its picture is 800 x 64" in refused(server, wide)
    fast = record(tmp_path / "fast.mp4", seconds=0.5, fps=100)
    assert "100 frames a second; 60 are allowed" in refused(server, fast)


def test_what_is_no_clip_is_refused(server: Running, tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_text("no clip at all")
    assert "is not a readable media file" in refused(server, tmp_path / "text.mp4")
    # A playlist would make the decoder open other files or addresses.
    (tmp_path / "list.m3u8").write_text("#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n")
    assert "is not a readable media file" in refused(server, tmp_path / "list.m3u8")
    whole = record(tmp_path / "whole.mp4", seconds=1)
    (tmp_path / "cut.mp4").write_bytes(whole.read_bytes()[:700])
    refused(server, tmp_path / "cut.mp4")


def test_no_url_is_fetched(server: Running) -> None:
    with socket.create_server(("127.0.0.1", 0)) as trap:
        trap.settimeout(0.5)
        url = f"http://127.0.0.1:{trap.getsockname()[1]}/clip.mp4"
        for wanted in (url, "file:///etc/passwd", "/etc/passwd"):
            part = {"type": "video_url", "video_url": {"url": wanted}}
            answer = server.client.post(
                "/v1/chat/completions", json={"messages": [{"role": "user", "content": [part]}]}
            )
            assert answer.status_code == 400
            assert "passwd" not in error(answer)
        with pytest.raises(TimeoutError):
            trap.accept()


def test_names_are_never_paths(server: Running, clip: Path) -> None:
    before = set(server.folder.rglob("*"))
    answer = server.client.post(
        "/v1/files", files={"file": ("../../../tmp/evil\r\n.wav", clip.read_bytes())}
    )
    assert "/" not in answer.json()["filename"]
    new = set(server.folder.rglob("*")) - before
    assert all("evil" not in p.name for p in new)
    for path in ("..%2f..%2fetc%2fpasswd", "file-..%2flock", "lock", "file-" + "0" * 32):
        answer = server.client.get(f"/v1/files/{path}")
        assert answer.status_code in (404, 422), path
        error(answer)
    for folder in server.folder.iterdir():
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


@pytest.mark.parametrize(
    ("body", "what"),
    [
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "user", "content": "hello"}]}, "no clip given"),
        ({"messages": [{"role": "system", "content": "obey"}]}, "begin and end with a user turn"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "messages.0.role"),
        ({"messages": [{"role": "user", "content": "x"}], "tools": []}, "tools"),
        ({"messages": [{"role": "user", "content": "x"}], "temperature": 9}, "temperature"),
    ],
)
def test_bad_requests_are_one_line(server: Running, body: dict, what: str) -> None:
    answer = server.client.post("/v1/chat/completions", json=body)
    assert answer.status_code in (400, 422)
    assert what in error(answer)


def test_an_error_inside_is_an_id_and_no_more(
    server: Running, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("secret in folder/of-the-host")

    file_id = server.upload(clip)
    monkeypatch.setattr(server.app.state.engine.session, "answers", broken)
    answer = server.client.post("/v1/emotion", data={"file_id": file_id, "transcribe": "false"})
    assert answer.status_code == 500
    assert "secret" not in error(answer)


# --- decoding in processes of its own ----------------------------------------------------------


def test_a_clip_that_hangs_kills_or_bursts_its_process_costs_no_other(
    session: Session, clip: Path, tmp_path: Path
) -> None:
    described = open_session(session.folder, "float32")  # looks at pictures too
    decoders = DecoderPool(described, Settings(watchers=1, watch_seconds=60, watch_memory=64 << 20))
    try:
        decoders.start()
        assert decoders.watch(clip, transcribe=False).duration == pytest.approx(1.2, abs=0.01)
        (process,) = decoders._all
        # One that died with nothing to do is no fault of the next clip's.
        os.kill(process.process.pid, signal.SIGKILL)
        assert decoders.watch(clip, transcribe=False).duration == pytest.approx(1.2, abs=0.01)
        (process,) = decoders._all
        os.kill(process.process.pid, signal.SIGSTOP)
        decoders.settings = Settings(watch_seconds=1)
        with pytest.raises(Refusal, match="longer than 1 s"):
            decoders.watch(clip)
        decoders.settings = Settings(watch_seconds=60)
        bomb = _bomb(tmp_path / "bomb.mp4")
        with pytest.raises(Refusal, match="cannot be read"):
            decoders.watch(bomb, transcribe=False)
        assert decoders.watch(clip, transcribe=False).duration == pytest.approx(1.2, abs=0.01)
    finally:
        decoders.close()


def _bomb(path: Path) -> Path:
    """A file of a few kB whose pictures have 8176 x 8176 pixels."""
    import av
    import numpy as np

    with av.open(str(path), "w") as out:
        stream = out.add_stream("mpeg4", rate=10)
        stream.width = stream.height = 8176
        stream.pix_fmt = "yuv420p"
        frame = av.VideoFrame.from_ndarray(
            np.zeros((8176 * 3 // 2, 8176), np.uint8), format="yuv420p"
        )
        for i in range(2):
            frame.pts = i
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    assert path.stat().st_size < 1 << 20
    return path


# --- what stays --------------------------------------------------------------------------------


def test_uploads_expire_and_make_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    uploads = Uploads(Settings(keep_seconds=10, max_uploads=2), tmp_path)
    first, same, last = (uploads.write([b"one"], name) for name in ("a/../b", "c", "d"))
    assert first.name == "b" and first.path.read_bytes() == b"one"
    with pytest.raises(Refusal, match="no such file id"):
        uploads.get(first.id)  # not kept yet
    for one in (first, same):
        uploads.keep(one)
    # Equal content is two uploads: whoever removes one leaves the other.
    assert first.id != same.id
    uploads.remove(first.id)
    assert not first.path.exists() and uploads.get(same.id).path.exists()
    uploads.keep(last)
    object.__setattr__(uploads.settings, "max_kept", 5)
    more = uploads.write([b"three"], "e")
    uploads.keep(more)
    assert [u.id for u in uploads.all()] == [more.id] and not same.path.exists()
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 11)
    assert uploads.all() == [] and [p.name for p in uploads.folder.iterdir()] == ["lock"]
    uploads.close()
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_server_left_is_removed_by_the_next(tmp_path: Path) -> None:
    program = (
        "import sys, time; from pathlib import Path\n"
        "from emollama.serving.uploads import Uploads\n"
        "from emollama.serving.settings import Settings\n"
        "u = Uploads(Settings(), Path(sys.argv[1])); u.keep(u.write([b'x'], 'x'))\n"
        "print('up', flush=True)\n"
        "time.sleep(600)\n"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert other.stdout is not None and other.stdout.readline() == "up\n"
    (left,) = tmp_path.iterdir()
    beside = Uploads(Settings(), tmp_path)
    assert left.exists()  # of a server that runs
    other.kill()
    other.wait()
    after = Uploads(Settings(), tmp_path)
    assert not left.exists() and beside.folder.exists()
    after.close()
    beside.close()


# --- how much ----------------------------------------------------------------------------------


def test_a_full_queue_a_deadline_and_a_graceful_end(
    session: Session, clip: Path, tmp_path: Path
) -> None:
    settings = Settings(port=0, watchers=1, queue=3, deadline=30)
    with running(session, tmp_path / "up", settings) as server:
        file_id = server.upload(clip)
        data = {"file_id": file_id, "transcribe": "false", "reason": "false"}
        assert server.client.post("/v1/emotion", data=data).status_code == 200

        def ask(_: int) -> httpx.Response:
            return httpx.post(f"{server.address}/v1/emotion", data=data, timeout=100)

        release = threading.Event()
        engine = server.app.state.engine
        engine._add(_blocking(release))
        with ThreadPoolExecutor(8) as pool:
            asked = [pool.submit(ask, i) for i in range(8)]
            while sum(f.done() for f in asked) < 5:
                time.sleep(0.02)
            assert httpx.get(f"{server.address}/healthz").json()["in_hand"] == 3
            release.set()
            answers = [f.result() for f in asked]
        assert sorted(a.status_code for a in answers) == [200] * 3 + [429] * 5
        full = next(a for a in answers if a.status_code == 429)
        assert full.headers["retry-after"] == "1" and "requests are open" in error(full)

        object.__setattr__(settings, "deadline", 0.2)
        release = threading.Event()
        engine._add(_blocking(release))
        late = ask(0)
        release.set()
        assert late.status_code == 504 and "not done after 0.2 s" in error(late)

        object.__setattr__(settings, "deadline", 60.0)
        part = [{"type": "file", "file": {"file_id": file_id}}]
        body = {"messages": [{"role": "user", "content": part}], "stream": True, "max_tokens": 60}
        with httpx.stream(
            "POST", f"{server.address}/v1/chat/completions", json=body, timeout=100
        ) as answer:
            lines = answer.iter_lines()
            next(lines)
            server.server.should_exit = True
            assert [line for line in lines if line][-1] == "data: [DONE]"


def _blocking(release: threading.Event):
    """A call that keeps the engine's thread until it is released."""
    import asyncio

    from emollama.serving.engine import _CallTask

    return _CallTask(asyncio.new_event_loop(), call=lambda: release.wait(60))
