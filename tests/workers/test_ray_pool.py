"""Extraction by Ray's actors, where Ray is installed; and what is said where it is not."""

from __future__ import annotations

import os
import signal
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import pytest

from emollama.base.errors import EmollamaError
from emollama.encoders.prosody import ProsodyEncoder
from emollama.features.extract import extract
from emollama.workers.engines import get_pool, need_engine
from tests.features.made import Troubled, build, corpus, voice
from tests.processes import descendants

has_ray = pytest.mark.skipif(
    find_spec("ray") is None or "EMOLLAMA_TESTS_COLD" not in os.environ,
    reason="needs pip install 'emollama[ray]' and EMOLLAMA_TESTS_COLD=1",
)


def test_an_engine_that_is_not_there_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.setattr("emollama.workers.engines.find_spec", lambda name: None)
    with pytest.raises(EmollamaError, match=r"--engine ray: .*pip install 'emollama\[ray\]'$"):
        need_engine("ray")


def _actors() -> list[int]:
    """Ray's processes that hold an actor, of those that this process has started."""
    found = []
    for pid in descendants(os.getpid()):
        try:
            name = Path(f"/proc/{pid}/cmdline").read_bytes()
        except OSError:
            continue
        if name.startswith(b"ray::MapWorker"):
            found.append(pid)
    return found


@has_ray
def test_a_killed_actor_changes_no_byte_and_a_bad_clip_fails_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    made = corpus(tmp_path, 40)
    voice(tmp_path / "wav/clip-0028.wav", 120.0, 1.2)
    encoders = [ProsodyEncoder(), Troubled()]
    extract(made, encoders, tmp_path / "one", workers=0, build=build)

    killed: list[int] = []

    def kill(done: int, total: int) -> None:
        if done and not killed and (actors := _actors()):
            killed.append(actors[0])
            os.kill(actors[0], signal.SIGKILL)

    report = extract(
        made, encoders, tmp_path / "ray", workers=1, build=build, pool=get_pool("ray"),
        progress=kill,
    )  # fmt: skip
    assert killed and report.computed == 40
    assert list(report.failures) == ["clip-0028"]
    for path in (p for p in (tmp_path / "one").rglob("*") if p.is_file() and p.name != ".lock"):
        there = tmp_path / "ray" / path.relative_to(tmp_path / "one")
        assert there.read_bytes() == path.read_bytes(), path.name
    deadline = time.monotonic() + 30
    while _actors():
        assert time.monotonic() < deadline
        time.sleep(0.1)
