"""`python -m demo` as it is run: its password, its signals, and what it leaves on disk."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import httpx
import psutil
import pytest

from tests import warm
from tests.session.made import tiny_artefact

PATIENCE = 300  # seconds in which the page has started and ended, on a busy machine, too


@contextmanager
def started(
    model: Path, folder: Path, key: str = "", cold: bool = False
) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The page in a process of its own, and its address."""
    said = tempfile.TemporaryFile("w+")  # noqa: SIM115
    process = (subprocess.Popen if cold else partial(warm.Popen, imports=["emollama.demo"]))(
        [sys.executable, "-m", "demo", "--model", str(model), "--port", "0", "--no-examples"],
        env={**os.environ, "TMPDIR": str(folder), "EMOLLAMA_API_KEY": key},
        stdout=subprocess.PIPE, stderr=said, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    late = threading.Timer(PATIENCE, process.kill)
    late.start()
    try:
        told = next((line for line in process.stdout if line.startswith("open ")), "")
        assert told, "the page did not start"
        yield process, told.split()[1]
    finally:
        late.cancel()
        if process.poll() is None:
            process.kill()
            process.wait()
    said.seek(0)
    assert "Traceback" not in said.read()


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_artefact(tmp_path_factory.mktemp("tiny"))


@pytest.fixture
def folder() -> Iterator[Path]:
    # Names of sockets below it are limited to a hundred characters.
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


def test_what_a_killed_page_left_goes_with_the_next_and_signals_end_it(
    model: Path, folder: Path
) -> None:
    with started(model, folder) as (process, address):
        upload = httpx.post(
            f"{address}gradio_api/upload", files={"files": ("a.mp4", b"a")}, timeout=60
        )
        assert upload.status_code == 200
        helpers = psutil.Process(process.pid).children(recursive=True)
        process.kill()
        process.wait()
    assert helpers and not psutil.wait_procs(helpers, timeout=20)[1]
    left = {path.name for path in folder.iterdir()}
    assert left
    for number in (signal.SIGTERM, signal.SIGINT):
        with started(model, folder) as (process, address):
            assert not left & {path.name for path in folder.iterdir()}
            # A visitor's open stream, which does not end by itself.
            stream = httpx.stream("GET", f"{address}gradio_api/heartbeat/visitor", timeout=60)
            with stream as answer:
                assert answer.status_code == 200
                process.send_signal(number)
                assert process.wait(timeout=PATIENCE) == (0 if number == signal.SIGTERM else 130)
        assert list(folder.iterdir()) == []


@pytest.mark.parametrize("cold", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_with_a_key_only_who_has_it_sees_the_page(model: Path, folder: Path, cold: bool) -> None:
    with (
        started(model, folder, "a long password", cold) as (_, address),
        httpx.Client(base_url=address, timeout=60) as client,
    ):
        assert client.get("config").status_code == 401
        files = {"files": ("a.mp4", b"a")}
        assert client.post("gradio_api/upload", files=files).status_code == 401
        wrong = {"username": "emollama", "password": "another password"}
        assert client.post("login", data=wrong).status_code == 400
        assert client.get("config").status_code == 401
        right = {"username": "emollama", "password": "a long password"}
        assert client.post("login", data=right).status_code == 200
        assert client.get("config").status_code == 200
        assert client.post("gradio_api/upload", files=files).status_code == 200
