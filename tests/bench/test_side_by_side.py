"""`emollama bench --jobs`: what happens to the processes, whichever way a bench ends."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
import yaml

from emollama.base.errors import EmollamaError
from emollama.bench.bench import run_bench
from emollama.bench.configuration import BenchConfig
from emollama.bench.plan import Run, load_bench
from emollama.bench.side_by_side import side_by_side
from tests import warm
from tests.fusion.corpus import make


def bench_file(folder: Path, output: Path) -> Path:
    values = yaml.safe_load((folder / "fusion.yaml").read_text())
    values["training"]["epochs"] = 30
    path = output.with_suffix(".yaml")
    bench = {
        "output": str(output),
        "data": values.pop("data"),
        "folds": {"folds": 2, "validation": 2, "by": "none"},
        "base": values,
        "models": {"early": {}},
        "seeds": [1, 2, 3],
        "bootstrap": 100,
    }
    path.write_text(yaml.safe_dump(bench))
    return path


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("corpus")
    make(folder)
    return folder


@pytest.fixture(scope="module")
def expected(corpus: Path) -> str:
    """The rows of a bench that one process did from start to end."""
    return done_in_one_process(bench_file(corpus, corpus / "whole"))


def done_in_one_process(path: Path) -> str:
    rows = run_bench(load_bench(path, []))["rows"]
    return json.dumps([{k: v for k, v in row.items() if k != "seconds"} for row in rows])


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGKILL])
def test_stopped_in_the_middle_none_lives_on_and_the_rest_ends_the_same(
    corpus: Path, expected: str, tmp_path: Path, sent: signal.Signals
) -> None:
    path = bench_file(corpus, tmp_path / "bench")
    bench = warm.Popen(
        [sys.executable, "-m", "emollama", "bench", str(path), "--jobs", "2"],
        stderr=subprocess.PIPE, text=True, start_new_session=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )  # fmt: skip
    assert bench.stderr is not None
    told = ""
    while not told.startswith("1/6"):
        told = bench.stderr.readline()
        assert told, "the bench ended before its first run"
    if sent == signal.SIGINT:
        os.killpg(bench.pid, sent)  # as a terminal does: to every process of the bench
    else:
        bench.send_signal(sent)
    # The pipe ends when nobody is left to write to it: when every process has ended.
    rest = bench.communicate(timeout=60)[1]
    assert "Traceback" not in rest and "6/6" not in rest
    if sent == signal.SIGINT:
        assert bench.returncode == 130 and rest.splitlines()[-1] == "interrupted"
    kept = {p: p.stat().st_mtime_ns for p in (tmp_path / "bench/runs").rglob("*.json")}
    assert 1 <= len(kept) < 6
    assert done_in_one_process(path) == expected
    assert all(p.stat().st_mtime_ns == at for p, at in kept.items())


class Faulty:
    """Stands where the workshop does: fold 0 takes an hour, fold 1 and 2 fail."""

    def __init__(self, bench: BenchConfig) -> None:
        del bench

    def do(self, run: Run) -> dict[str, Any]:
        if run.fold == 0:
            threading.Event().wait(3600)
        if run.fold == 1:
            raise EmollamaError("clip-7: has no features")
        os.kill(os.getpid(), signal.SIGKILL)
        return {}


def never_opens(bench: BenchConfig) -> Any:
    raise EmollamaError(f"{bench.output}: cannot be opened")


@pytest.mark.parametrize(
    ("opened", "fold", "told"),
    [
        (Faulty, 1, "early/fold-1/seed-7: clip-7: has no features"),
        (Faulty, 2, r"early/fold-2/seed-7: its process died \(signal 9\)"),
        (never_opens, 1, "a process of the bench: .*: cannot be opened"),
    ],
)
def test_an_error_of_one_is_a_line_and_ends_all(
    corpus: Path, tmp_path: Path, opened: Any, fold: int, told: str
) -> None:
    config = load_bench(bench_file(corpus, tmp_path / "bench"), [])
    before = set(
        multiprocessing.active_children()
    )  # other tests' pools, where they share a process
    with pytest.raises(EmollamaError, match=told) as error:
        list(side_by_side(config, [Run("early", k, 7) for k in (0, fold)], 2, opened))
    assert "\n" not in str(error.value)
    assert set(multiprocessing.active_children()) <= before
