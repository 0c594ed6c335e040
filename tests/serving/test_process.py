"""`emollama serve` as it is run: its signals, and what it leaves on disk."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import psutil
import pytest

from emollama.session import Session
from tests import warm
from tests.features.made import voice
from tests.session.people_made import fusion_of_people


@contextmanager
def started(
    model: Path, folder: Path, *options: str
) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A server with a group of processes of its own, and its address."""
    said = tempfile.TemporaryFile("w+")  # noqa: SIM115
    process = warm.Popen(
        [sys.executable, "-m", "emollama", "serve", "--model", str(model), "--port", "0",
         "--watchers", "1", "--queue", "4", "--no-describe", *options],
        env={**os.environ, "TMPDIR": str(folder)}, stdout=subprocess.PIPE, stderr=said, text=True,
        start_new_session=True,
    )  # fmt: skip
    assert process.stdout is not None
    address = process.stdout.readline().removeprefix("listening on ").strip()
    try:
        assert address.startswith("http"), "the server did not start"
        yield process, address
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
    said.seek(0)
    assert "Traceback" not in said.read()


@pytest.fixture
def folder() -> Iterator[Path]:
    # Names of sockets below it are limited to a hundred characters.
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


def raw(address: str, clip: bytes) -> httpx.Response:
    """The answer about a clip that is inside the request."""
    return httpx.post(
        f"{address}/v1/emotion", files={"file": ("a.wav", clip)}, timeout=60,
        data={"text": "So.", "reason": "false", "weights": "false"},
    )  # fmt: skip


def in_hand(address: str) -> int:
    """How many requests the server is working at."""
    return int(httpx.get(f"{address}/healthz", timeout=20).json()["in_hand"])


def test_signals_are_answered_and_nothing_stays_behind(
    session: Session, folder: Path, tmp_path: Path
) -> None:
    voice(tmp_path / "long.wav", 160, 60)
    data = (tmp_path / "long.wav").read_bytes()
    with started(session.folder, folder) as (process, address):
        # A stream that is left in the middle frees its place.
        with httpx.Client(base_url=address, timeout=60) as client:
            file_id = client.post("/v1/files", files={"file": ("a.wav", data)}).json()["id"]
            part = [{"type": "file", "file": {"file_id": file_id}}]
            body = {
                "messages": [{"role": "user", "content": part}], "text": "So.", "stream": True,
                "max_tokens": 800,
            }  # fmt: skip
            with client.stream("POST", "/v1/chat/completions", json=body) as answer:
                assert answer.status_code == 200 and next(answer.iter_lines())
        until = time.monotonic() + 10
        while in_hand(address):
            assert time.monotonic() < until, "the stream still holds its place"
            time.sleep(0.02)
        # SIGKILL in the middle of requests: the next start removes what it left.
        with ThreadPoolExecutor(3) as pool:
            asked = [pool.submit(raw, address, data) for _ in range(3)]
            while not in_hand(address):
                assert not asked[0].done()
            helpers = psutil.Process(process.pid).children(recursive=True)
            process.kill()
            process.wait()
            lost = [one.exception() for one in asked]
        assert any(isinstance(error, httpx.TransportError) for error in lost)
    # Those that decode end with it, though one has a clip in hand.
    assert helpers and not psutil.wait_procs(helpers, timeout=20)[1]
    left = {p.name for p in folder.iterdir()}
    assert left
    with started(session.folder, folder) as (process, address):
        assert not left & {p.name for p in folder.iterdir()}
        # SIGTERM for the whole group, as systemd sends it: what was accepted is answered.
        with ThreadPoolExecutor(3) as pool:
            asked = [pool.submit(raw, address, data) for _ in range(3)]
            while in_hand(address) + sum(one.done() for one in asked) < 3:
                time.sleep(0.01)
            os.killpg(process.pid, signal.SIGTERM)
            answers = [one.result() for one in asked]
        assert [a.status_code for a in answers] == [200] * 3, [a.text for a in answers]
        assert process.wait(timeout=20) == 0
    assert list(folder.iterdir()) == []


@pytest.mark.slow
def test_jobs_go_on_after_a_kill(folder: Path, tmp_path: Path) -> None:
    model, jobs = fusion_of_people(tmp_path), ("--jobs", str(tmp_path / "jobs"))
    voice(tmp_path / "talk.wav", 160, 30)
    data = (tmp_path / "talk.wav").read_bytes()

    def all_of(address: str) -> dict[str, str]:
        found = httpx.get(f"{address}/v1/recordings", timeout=60).json()["data"]
        return {job["id"]: job["status"] for job in found}

    def until(address: str, *statuses: str) -> list[str]:
        end = time.monotonic() + 300
        while set(all_of(address).values()) != {*statuses}:
            assert time.monotonic() < end, all_of(address)
            time.sleep(0.05)
        return list(all_of(address))

    with started(model, folder, *jobs) as (process, address):
        for _ in range(2):
            form = {"transcribe": "false"}
            files = {"file": ("talk.wav", data)}
            httpx.post(f"{address}/v1/recordings", files=files, data=form, timeout=60)
        ids = until(address, "running", "queued")
        helpers = psutil.Process(process.pid).children(recursive=True)
        process.kill()
        process.wait()
    assert not psutil.wait_procs(helpers, timeout=60)[1]
    with started(model, folder, *jobs) as (process, address):
        assert until(address, "done") == ids
        found = httpx.get(f"{address}/v1/recordings/{ids[0]}", timeout=60).json()
        assert found["found"]["segments"] > 0 and "record.json" in found["files"]
