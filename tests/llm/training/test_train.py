"""train.py as users start it: alone, killed and resumed, in two processes, under ZeRO-2."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from filelock import FileLock
from safetensors.torch import load_file

from emollama.runs.checkpoints import WHOLE, newest_checkpoint
from tests import warm
from tests.llm.training.corpus import make
from tests.processes import kill_all, torchrun

ROOT = Path(__file__).parents[3]
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "DS_ACCELERATOR": "cpu"}
TOLERANCE = 2e-4  # of each step's logged loss, in float32 without dropout


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("corpus"))


def start(
    config: Path, output: Path, *options: str, launcher: tuple[str, ...] = (), cold: bool = False,
    threads: str = "1",
):  # fmt: skip
    command = [*(launcher or (sys.executable,)), str(ROOT / "train.py"), "--cfg-path", str(config),
               "--options", f"output={output}", *options]  # fmt: skip
    surroundings: dict[str, Any] = {
        "cwd": ROOT, "env": {**ENVIRONMENT, "OMP_NUM_THREADS": threads},
        "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True,
        "start_new_session": True,
    }  # fmt: skip
    if cold:
        return subprocess.Popen(command, **surroundings)
    return warm.Popen(
        command, **surroundings,
        imports=["deepspeed"] if any("deepspeed" in option for option in options) else [],
    )  # fmt: skip


def run(config: Path, output: Path, *options: str, **how: Any) -> dict:
    process = start(config, output, *options, **how)
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


def test_best_weights_without_a_checkpoint_are_not_this_runs(config: Path, tmp_path: Path) -> None:
    """A run killed after its first validation, before its first checkpoint, leaves only those."""
    output = tmp_path / "run"
    best = ("training.evaluate_every_steps=1", "training.keep_best=true", "training.max_steps=1")
    run(config, output, *best, "model.lora.r=2")
    shutil.rmtree(output / "checkpoints")
    (output / "best/best.json").write_text('{"step": 1, "weighted_f1": 1.0}')
    record = run(config, output, *best)
    assert record["best"]["weighted_f1"] < 1
    assert all(t.shape[0] == 4 for n, t in weights(output).items() if n.endswith("lora_A.weight"))


@pytest.mark.slow
def test_twice_the_same_bits(config: Path, tmp_path: Path) -> None:
    """At this size with any number of threads; products of larger models depend on it."""
    found = []
    for name, threads in (("one", "1"), ("again", "1"), ("two", "2")):
        output = tmp_path / name
        # A process that is forked has as many threads as the one it is forked from.
        process = start(config, output, "training.max_steps=4", threads=threads, cold=True)
        said, _ = process.communicate(timeout=300)
        assert process.returncode == 0, said
        found.append(weights(output))
        record = json.loads((output / "model/training_record.json").read_text())
        assert record["threads"] == int(threads)
    for name, tensor in found[0].items():
        assert torch.equal(tensor, found[1][name]) and torch.equal(tensor, found[2][name]), name


def test_a_monitor_that_is_not_there_is_one_line(config: Path, tmp_path: Path) -> None:
    for name, why in (("wandbb", "is unknown; did you mean 'wandb'?"), ("comet_ml", "pip install")):
        process = start(config, tmp_path / name, f"training.report_to=[{name}]")
        said, _ = process.communicate(timeout=120)
        assert process.returncode == 2 and said.count("\n") == 1, said
        assert "training.report_to" in said and why in said


def test_a_run_that_diverges_ends_in_one_line(config: Path, tmp_path: Path) -> None:
    process = start(config, tmp_path, "training.learning_rate=1e30", "training.max_steps=4",
                    "training.max_grad_norm=0")  # fmt: skip
    said, _ = process.communicate(timeout=120)
    assert process.returncode == 2 and "Traceback" not in said
    assert "error: the loss is nan at step" in said and "training.learning_rate" in said


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
    best = ("training.evaluate_every_steps=2", "training.keep_best=true", "training.max_steps=2")
    run(config, output, "seed=2", *best)
    (output / "best/best.json").write_text('{"step": 2, "weighted_f1": 1.0}')
    record = run(config, output, "seed=3", "training.resume=never", *best)
    assert record["best"]["weighted_f1"] == record["validation"][0]["weighted_f1"] < 1
    fresh = run(config, tmp_path / "fresh", "seed=3", "training.resume=never", *best)
    assert fresh["best"] == record["best"]
    for name, tensor in weights(tmp_path / "fresh").items():
        assert torch.equal(tensor, weights(output)[name]), name


EXACT = ("model.lora.dropout=0", "model.streams.0.dropout=0")


def zero(stage: int) -> str:
    return f"training.deepspeed={ROOT}/train_configs/deepspeed/zero{stage}.json"


@pytest.fixture(scope="module")
def single(config: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("single")
    losses = [r["loss"] for r in run(config, output, *EXACT)["log"]]
    assert len(losses) == 6 and losses[0] != losses[-1]
    return output


WAYS = {
    "accumulated": (("training.micro_batch=2",), 1),
    "packed": (("training.pack_tokens=300",), 1),
    "two processes": ((), 2),
    "two processes, packed": (("training.pack_tokens=300",), 2),
    "ZeRO-1": ((zero(1), "training.micro_batch=1"), 2),
    "ZeRO-2": ((zero(2),), 2),
    "ZeRO-3": ((zero(3), "training.pack_tokens=200"), 2),
}


def slow(*ways: str) -> list[Any]:
    """Ways to train as cases of a test that belongs to the slow set."""
    return [pytest.param(way, marks=pytest.mark.slow) for way in ways]


@pytest.mark.parametrize(
    "way",
    ["accumulated", "packed", "two processes", "ZeRO-3",
     *slow("two processes, packed", "ZeRO-1", "ZeRO-2")],
)  # fmt: skip
def test_however_a_step_is_shared_out_the_loss_is_the_same(
    config: Path, single: Path, tmp_path: Path, way: str
) -> None:
    """And so are the weights that are saved, by however many processes."""
    options, processes = WAYS[way]
    launcher = torchrun() if processes > 1 else ()
    # One of them, all processes included, starts from nothing.
    cold = way == "two processes, packed"
    record = run(config, tmp_path / "run", *EXACT, *options, launcher=launcher, cold=cold)
    assert record["world_size"] == processes
    expected = json.loads((single / "model/training_record.json").read_text())["log"]
    np.testing.assert_allclose(
        [r["loss"] for r in record["log"]], [r["loss"] for r in expected], atol=TOLERANCE
    )
    whole, found = weights(single), weights(tmp_path / "run")
    assert whole.keys() == found.keys()
    for name, tensor in whole.items():
        torch.testing.assert_close(found[name], tensor, atol=5e-3, rtol=0, msg=name)


@pytest.fixture(scope="module")
def omitting(config: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[list, list[str]]:
    """A run in which micro-batches lack streams, and the options that make it one."""
    options = [*EXACT, "training.micro_batch=1", "modality_dropout.voice=0.6"]
    options += [f"model.streams.{i}.absent=omit" for i in (0, 1)]
    return run(config, tmp_path_factory.mktemp("omitting"), *options)["log"], options


@pytest.mark.parametrize("way", ["two processes", *slow("ZeRO-3")])
def test_processes_need_not_have_the_same_streams_in_a_step(
    config: Path, omitting: tuple[list, list[str]], tmp_path: Path, way: str
) -> None:
    """Scored on the way too: under ZeRO-3 that gathers parameters while training goes on."""
    expected, options = omitting
    options = [*options, *(o for o in WAYS[way][0] if "pack" not in o)]
    best = ("training.evaluate_every_steps=3", "training.keep_best=true")
    record = run(config, tmp_path / "run", *options, *best, launcher=torchrun())
    np.testing.assert_allclose(
        [r["loss"] for r in record["log"]], [r["loss"] for r in expected], atol=TOLERANCE
    )
    assert [r["step"] for r in record["validation"]] == [3, 6]
    assert record["best"]["weighted_f1"] == max(r["weighted_f1"] for r in record["validation"])


def test_settings_of_memory_may_change_on_the_way(
    config: Path, single: Path, tmp_path: Path
) -> None:
    """What an out-of-memory error advises is accepted; validation scores so far are kept."""
    output = tmp_path / "run"
    options = [*EXACT, "training.evaluate_every_steps=1"]
    process = start(config, output, *options)
    deadline = time.monotonic() + 120
    while not list((output / "checkpoints").glob("checkpoint-4")) and process.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    lower = ("training.gradient_checkpointing=true", "training.micro_batch=2", "training.workers=1")
    record = run(config, output, *options, *lower)
    assert [r["step"] for r in record["validation"]] == [1, 2, 3, 4, 5, 6]
    expected = json.loads((single / "model/training_record.json").read_text())["log"]
    np.testing.assert_allclose(
        [r["loss"] for r in record["log"]], [r["loss"] for r in expected], atol=TOLERANCE
    )


@pytest.mark.parametrize("way", ["two processes, packed", *slow("ZeRO-2", "ZeRO-3")])
def test_several_processes_killed_go_on_as_if_never_interrupted(
    config: Path, single: Path, tmp_path: Path, way: str
) -> None:
    options = [*EXACT, *WAYS[way][0], "training.save_every_steps=1"]
    output = tmp_path / "run"
    process = start(config, output, *options, launcher=torchrun())
    deadline = time.monotonic() + 120
    # The second checkpoint is being written or has been: the first one is whole.
    while not list((output / "checkpoints").glob("checkpoint-2")) and process.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.005)
    kill_all(process)
    assert not (output / "model").exists()
    newest = newest_checkpoint(output / "checkpoints")
    assert newest is not None and newest.name < "checkpoint-6"
    process = start(config, output, *options, launcher=torchrun())
    said, _ = process.communicate(timeout=300)
    assert process.returncode == 0, said
    assert f"resuming from {newest}" in said and "step 6/6" in said and "step 1/6" not in said
    record = json.loads((output / "model" / "training_record.json").read_text())
    expected = json.loads((single / "model/training_record.json").read_text())["log"]
    np.testing.assert_allclose(
        [r["loss"] for r in record["log"]], [r["loss"] for r in expected], atol=TOLERANCE
    )
    if way.startswith("ZeRO"):
        shutil.rmtree(output / "checkpoints/checkpoint-6")
        process = start(config, output, *options, launcher=torchrun(1))
        said, _ = process.communicate(timeout=300)
        assert process.returncode != 0 and "was written by 2 processes" in said


@pytest.mark.slow
def test_a_run_of_two_processes_goes_on_in_one(config: Path, single: Path, tmp_path: Path) -> None:
    """Each step has the same samples, whoever takes them; only the order of sums differs."""
    output, options = tmp_path / "run", [*EXACT, "training.save_every_steps=1"]
    process = start(config, output, *options, launcher=torchrun())
    deadline = time.monotonic() + 240
    while not list((output / "checkpoints").glob("checkpoint-2")) and process.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.005)
    kill_all(process)
    newest = newest_checkpoint(output / "checkpoints")
    assert newest is not None and newest.name < "checkpoint-6"
    assert json.loads((newest / WHOLE).read_text())["processes"] == 2
    record = run(config, output, *options)
    expected = json.loads((single / "model/training_record.json").read_text())["log"]
    assert record["world_size"] == 1 and [r["step"] for r in record["log"]] == [1, 2, 3, 4, 5, 6]
    np.testing.assert_allclose(
        [r["loss"] for r in record["log"]], [r["loss"] for r in expected], atol=TOLERANCE
    )


def test_checkpoints_that_are_not_whole_are_kept(config: Path, tmp_path: Path) -> None:
    output = tmp_path / "run"
    run(config, output, "training.max_steps=2")
    (output / "checkpoints/checkpoint-2" / WHOLE).unlink()
    process = start(config, output, "training.max_steps=2")
    said, _ = process.communicate(timeout=120)
    assert process.returncode == 0 and "step 1/2" in said
    (aside,) = output.glob("checkpoints-*")
    assert f"moved to {aside}" in said and (aside / "checkpoint-2").is_dir()


def test_one_run_at_a_time(config: Path, tmp_path: Path) -> None:
    output = tmp_path / "run"
    output.mkdir()
    with FileLock(output / ".lock"):
        process = start(config, output, "training.max_steps=2")
        said, _ = process.communicate(timeout=120)
    assert process.returncode == 2 and "Traceback" not in said
    assert said.endswith(f"error: {output}: another run is writing to it\n")


@pytest.mark.parametrize(
    "stage", [2, *(pytest.param(stage, marks=pytest.mark.slow) for stage in (1, 3))]
)
def test_zero_in_bfloat16_saves_what_is_learned_in_float32(
    config: Path, tmp_path: Path, stage: int
) -> None:
    options = [*EXACT, "model.dtype=bfloat16", zero(stage), "training.max_steps=2"]
    run(config, tmp_path / "run", *options, launcher=torchrun())
    saved = weights(tmp_path / "run")
    assert {t.dtype for t in saved.values()} == {torch.float32}
    # Not rounded ones written wide, either.
    learned = [t for n, t in saved.items() if "lora_B" in n]
    assert any(not torch.equal(t, t.bfloat16().float()) for t in learned)
