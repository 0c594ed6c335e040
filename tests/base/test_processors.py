"""Processors and threads: what may be used, who is asked, and what the user's words override."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from emollama.base import processors
from emollama.base.processors import processor_count, settle_threads

ENTRIES = (
    "emollama.cli.app:main", "emollama.cli.scripts:train_main",
    "emollama.cli.scripts:evaluate_main", "emollama.merr.cli:main", "emollama.demo.cli:main",
)  # fmt: skip
SETTINGS = ("OMP_WAIT_POLICY", "KMP_BLOCKTIME", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No setting of threads, eight processors, no container."""
    for name in SETTINGS:
        monkeypatch.setenv(name, "")  # what the test sets is taken back
        del os.environ[name]
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    monkeypatch.setattr(processors, "_CGROUP", tmp_path)


def test_processors_are_shared_and_never_fewer_than_one(monkeypatch: pytest.MonkeyPatch) -> None:
    assert [processor_count(n) for n in (1, 2, 3, 8, 20)] == [8, 4, 2, 1, 1]
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: 6)
    assert processor_count() == 6
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert processor_count() == 1


@pytest.mark.parametrize(
    ("name", "text", "count"),
    [("cpu.max", "250000 100000\n", 3), ("cpu.max", "max 100000\n", 8),
     ("cpu.max", "50000 100000\n", 1), ("cpu.max", "nonsense", 8)],
)  # fmt: skip
def test_a_containers_share_is_a_limit(tmp_path: Path, name: str, text: str, count: int) -> None:
    (tmp_path / name).write_text(text)
    assert processor_count() == count
    settle_threads()
    threads = os.environ.get("OMP_NUM_THREADS")
    assert threads == (None if count == 8 else str(count))


def test_the_older_kind_of_container_too(tmp_path: Path) -> None:
    (tmp_path / "cpu").mkdir()
    (tmp_path / "cpu/cpu.cfs_quota_us").write_text("200000\n")
    (tmp_path / "cpu/cpu.cfs_period_us").write_text("100000\n")
    assert processor_count() == 2
    (tmp_path / "cpu/cpu.cfs_quota_us").write_text("-1\n")
    assert processor_count() == 8


@pytest.mark.parametrize("entry", ENTRIES)
def test_every_entry_point_has_threads_sleep_while_they_wait(
    entry: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    module, _, name = entry.partition(":")
    main = getattr(importlib.import_module(module), name)
    monkeypatch.setattr(sys, "argv", ["command", "--help"])
    with pytest.raises(SystemExit):
        main()
    assert os.environ["OMP_WAIT_POLICY"] == "PASSIVE"


def test_an_entry_point_settles_threads_before_their_libraries_are_loaded() -> None:
    modules = sorted({entry.partition(":")[0] for entry in ENTRIES})
    code = f"import sys, {', '.join(modules)}; print(*sys.modules)"
    said = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert not {"torch", "numpy", "sklearn", "ctranslate2"} & set(said)


def test_the_users_own_words_win(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_WAIT_POLICY", "ACTIVE")
    settle_threads()
    assert os.environ["OMP_WAIT_POLICY"] == "ACTIVE"


def test_importing_the_package_leaves_the_environment_alone() -> None:
    code = "import os, emollama, emollama.session; print('OMP_WAIT_POLICY' in os.environ)"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "False"
