"""train.py as users start it: alone, killed and resumed, in two processes, under ZeRO-2."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from tests.training.corpus import make

ROOT = Path(__file__).parents[2]
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "DS_ACCELERATOR": "cpu"}
TOLERANCE = 2e-4  # of each step's logged loss, in float32 without dropout


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("corpus"))


def start(config: Path, output: Path, *options: str, launcher: tuple[str, ...] = ()):
    command = [*(launcher or (sys.executable,)), str(ROOT / "train.py"), "--cfg-path", str(config),
               "--options", f"output={output}", *options]  # fmt: skip
    return subprocess.Popen(
        command, cwd=ROOT, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, start_new_session=True,
    )  # fmt: skip


def run(config: Path, output: Path, *options: str, launcher: tuple[str, ...] = ()) -> dict:
    process = start(config, output, *options, launcher=launcher)
    said, _ = process.communicate(timeout=300)
    assert process.returncode == 0, said
    return json.loads((output / "model" / "training_record.json").read_text())


def weights(output: Path) -> dict[str, torch.Tensor]:
    return load_file(output / "model" / "adapter_model.safetensors")


@pytest.fixture(scope="module")
def uninterrupted(config: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("whole")
    record = run(config, output, "training.max_steps=12")
    assert record["steps"] == 12
    assert [r["step"] for r in record["log"]] == list(range(1, 13))
    assert list((output / "tensorboard").rglob("events*"))
    return output


def test_killed_three_times_it_ends_as_if_never_interrupted(
    config: Path, uninterrupted: Path, tmp_path: Path
) -> None:
    draw = random.Random(5)
    output = tmp_path / "killed"
    for first in ("checkpoint-2", "checkpoint-4", "checkpoint-6"):
        process = start(config, output, "training.max_steps=12")
        deadline = time.monotonic() + 120
        while not list((output / "checkpoints").glob(first)) and process.poll() is None:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        time.sleep(draw.uniform(0, 0.3))
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    record = run(config, output, "training.max_steps=12")
    assert record["steps"] == 12
    whole, resumed = weights(uninterrupted), weights(output)
    assert whole.keys() == resumed.keys()
    for name, tensor in whole.items():
        assert torch.equal(tensor, resumed[name]), name


def test_another_configuration_does_not_go_on_from_these_checkpoints(
    config: Path, uninterrupted: Path
) -> None:
    process = start(config, uninterrupted, "training.max_steps=12", "seed=8")
    said, _ = process.communicate(timeout=120)
    assert process.returncode == 2 and said.startswith("error: ") and said.count("\n") == 1
    assert "another configuration" in said


def test_starting_anew_forgets_what_an_older_run_left(config: Path, tmp_path: Path) -> None:
    """Checkpoints and best weights of the run before are not taken for this run's."""
    output = tmp_path / "run"
    best = ("training.evaluate_every=2", "training.keep_best=true", "training.max_steps=2")
    run(config, output, "seed=2", *best)
    (output / "best/best.json").write_text('{"step": 2, "weighted_f1": 1.0}')
    record = run(config, output, "seed=3", "training.resume=never", *best)
    assert record["best"]["weighted_f1"] == record["validation"][0]["weighted_f1"] < 1
    fresh = run(config, tmp_path / "fresh", "seed=3", "training.resume=never", *best)
    assert fresh["best"] == record["best"]
    for name, tensor in weights(tmp_path / "fresh").items():
        assert torch.equal(tensor, weights(output)[name]), name


def test_accumulation_processes_and_zero2_do_not_change_the_loss(
    config: Path, tmp_path: Path
) -> None:
    exact = ("model.lora.dropout=0", "model.streams.0.dropout=0", "training.max_steps=4")
    torchrun = (sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", "2",
                "--master_port", str(random.randrange(20000, 40000)))  # fmt: skip
    zero = f"training.deepspeed={ROOT / 'train_configs/deepspeed/zero2.json'}"
    single = run(config, tmp_path / "single", *exact)
    others = {
        "accumulated": run(config, tmp_path / "acc", *exact, "training.micro_batch=2"),
        "two processes": run(config, tmp_path / "two", *exact, launcher=torchrun),
        "ZeRO-2": run(config, tmp_path / "zero", *exact, zero, launcher=torchrun),
    }
    losses = [r["loss"] for r in single["log"]]
    assert losses[0] != losses[-1]
    for name, record in others.items():
        found = [r["loss"] for r in record["log"]]
        np.testing.assert_allclose(found, losses, atol=TOLERANCE, err_msg=name)
