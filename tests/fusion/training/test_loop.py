"""The loop of fusion runs: resume, keep-best, several processes, mistakes in one line."""

from __future__ import annotations

import json
import multiprocessing
import os
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from accelerate.state import AcceleratorState, PartialState
from safetensors.torch import load_file

from emollama.base.errors import EmollamaError
from emollama.fusion import artefact
from emollama.fusion.data.data import read_data
from emollama.fusion.readout import answers
from emollama.fusion.training import loop as fusion
from emollama.fusion.training.config import FusionTrainConfig
from emollama.fusion.training.strategies.base import Strategy
from emollama.fusion.training.strategies.table import STRATEGIES
from emollama.fusion.training.validation import validate
from emollama.inputs.opening import reopen_inputs
from emollama.llm.training.config import TrainConfig
from emollama.manifest.sample import read_manifest
from emollama.session.family import load_training
from tests.fusion.corpus import make
from tests.processes import free_port


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("corpus"))


def load(config: Path, output: Path, *options: str) -> FusionTrainConfig:
    found = load_training(config, [f"output={output}", *options])
    assert isinstance(found, FusionTrainConfig)
    return found


def run(config: Path, output: Path, *options: str) -> dict[str, Any]:
    folder = fusion.train_fusion(load(config, output, *options))
    record: dict[str, Any] = json.loads((folder / "training_record.json").read_text())
    return record


def weights(output: Path) -> dict[str, torch.Tensor]:
    return load_file(output / "model" / "model.safetensors")


def all_weights(output: Path) -> dict[str, torch.Tensor]:
    """Those of every model of the strategy."""
    files = sorted((output / "model").rglob("*.safetensors"))
    return {f"{f.parent.name}/{k}": v for f in files for k, v in load_file(f).items()}


FRAMES = "task={kind: frames, values: [valence, arousal], value_loss: ccc}"
OPTIONS: dict[str, tuple[str, ...]] = {
    "joint": ("strategy.name=joint",),
    "amst-f": (
        "fusion.system=amst", "fusion.options={head: msum, width: 8}",
        "strategy={name: amst-f, skip: {words: 2}}",
    ),
    "windows": (
        "fusion.system=va_fclstm", "fusion.options={width: 8, regressor: [8]}", FRAMES,
        "strategy={name: windows, frames: 2}", "training.keep_per_target=true",
    ),
}  # fmt: skip
RESTLESS = ("modality_dropout.voice=0.4", "training.schedule=cosine", "training.warmup_share=0.2")


@pytest.mark.parametrize(("name", "after"), [("joint", 3), *((name, 9) for name in OPTIONS)])
def test_killed_and_resumed_is_uninterrupted(
    config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, after: int
) -> None:
    """In the middle of an epoch and between two, to the last bit; what is kept is the same too."""
    options = (*RESTLESS, *OPTIONS[name], "training.save_every_steps=2")
    whole = run(config, tmp_path / "whole", *options)
    taken = 0
    kind = STRATEGIES[name]
    step = kind.step

    def killed(self: Strategy, *args: Any) -> Any:
        nonlocal taken
        if taken == after:
            raise KeyboardInterrupt
        taken += 1
        return step(self, *args)

    monkeypatch.setattr(kind, "step", killed)
    with pytest.raises(KeyboardInterrupt):
        run(config, tmp_path / "killed", *options)
    assert not (tmp_path / "killed/model").exists()
    monkeypatch.setattr(kind, "step", step)
    resumed = run(config, tmp_path / "killed", *options)
    for key in ("log", "validation", "best"):
        assert resumed[key] == whole[key], key
    before, now = all_weights(tmp_path / "whole"), all_weights(tmp_path / "killed")
    assert before.keys() == now.keys() and all(torch.equal(before[k], now[k]) for k in before)


def test_the_best_epoch_is_kept_and_not_the_last(config: Path, tmp_path: Path) -> None:
    record = run(config, tmp_path, "training.learning_rate=0.5", "training.epochs=8")
    scores = {r["epoch"]: r["weighted_f1"] for r in record["validation"]}
    best = record["best"]
    assert best["value"] == max(scores.values()) and best["epoch"] == max(scores, key=scores.get)
    assert best["epoch"] < 8 and best["value"] > scores[8], "else this test tells nothing"
    loaded = artefact.load(tmp_path / "model")
    model = loaded.models["model"]
    manifest = read_manifest(config.parent / "manifest.jsonl")
    readers = reopen_inputs(config.parent / "store", model.config.sections)
    data = read_data(
        manifest, "val", model.config.goal, loaded.about.labels, model.config.sections, readers
    )
    said = answers(model.config, model, data.in_order(), torch.device("cpu"))
    again = validate(model.config.goal, model.config.labels, said, data)
    assert again.scores["weighted_f1"] == best["value"]


def test_patience_ends_a_run_and_the_same_command_does_not_begin_again(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ("training.epochs=40", "training.patience=2", "training.learning_rate=0.1")
    first = run(config, tmp_path, *options)
    assert first["epochs"] == first["best"]["epoch"] + 2 < 40
    assert run(config, tmp_path, *options) == first
    assert "no improvement in 2 epochs: stopped" in capsys.readouterr().err


def test_without_a_validation_split_the_last_epoch_is_kept_aloud(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record = run(config, tmp_path, "data.validation_split=null", "training.epochs=2")
    assert record["best"] is None and record["validation"] == []
    assert "no validation split: the last epoch is kept" in capsys.readouterr().err


def test_weights_alone_are_taken_from_another_run(config: Path, tmp_path: Path) -> None:
    run(config, tmp_path / "first", "training.epochs=3")
    start = f"fusion.initialise_from={tmp_path}/first/model"
    warm = run(config, tmp_path / "warm", start, "training.epochs=1")
    cold = run(config, tmp_path / "cold", "training.epochs=1")
    assert warm["log"][0]["loss"] < 0.8 * cold["log"][0]["loss"]
    shutil.rmtree(tmp_path / "cold")
    with pytest.raises(
        EmollamaError, match=r"fusion\.initialise_from: .*has the modalities voice, words"
    ):
        one = "fusion.modalities=[{name: words, channel: words, source: words}]"
        run(config, tmp_path / "cold", start, one)


def test_every_model_of_a_strategy_starts_from_its_own_weights(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    short = (*OPTIONS["amst-f"], "training.epochs=1", "training.learning_rate=1e-30")
    run(config, tmp_path / "first", *OPTIONS["amst-f"])
    start = f"fusion.initialise_from={tmp_path}/first/model"
    run(config, tmp_path / "warm", start, *short)
    first, warm = all_weights(tmp_path / "first"), all_weights(tmp_path / "warm")
    assert len({k.partition("/")[0] for k in first}) == 2
    assert all(torch.equal(first[k], warm[k]) for k in first)
    shutil.rmtree(tmp_path / "first/model/joint")
    capsys.readouterr()
    run(config, tmp_path / "half", start, *short)
    assert "has no model 'joint'; it starts from new weights" in capsys.readouterr().err


def test_the_best_epoch_of_each_value_is_kept_by_itself(config: Path, tmp_path: Path) -> None:
    """At a rate at which the values are best in different epochs."""
    record = run(config, tmp_path, *OPTIONS["windows"], "training.epochs=8",
                 "training.learning_rate=0.2")  # fmt: skip
    kept = {}
    for value in ("valence", "arousal"):
        own = json.loads((tmp_path / f"model-{value}/training_record.json").read_text())["best"]
        scores = {r["epoch"]: r[f"ccc_{value}"] for r in record["validation"]}
        assert own["value"] == max(scores.values()) and own["epoch"] == max(scores, key=scores.get)
        kept[value] = own["epoch"]
        loaded = artefact.load(tmp_path / f"model-{value}")
        model = loaded.models["model"]
        readers = reopen_inputs(config.parent / "store", model.config.sections)
        data = read_data(
            read_manifest(config.parent / "manifest.jsonl"), "val", model.config.goal,
            loaded.about.labels, model.config.sections, readers,
        )  # fmt: skip
        said = answers(model.config, loaded.answer, data.in_order(), torch.device("cpu"))
        again = validate(model.config.goal, (), said, data)
        assert again.scores[f"ccc_{value}"] == own["value"]
    assert len(set(kept.values())) == 2, "else this test tells nothing"


def _rank(rank: int, port: int, config: Path, output: Path) -> None:
    os.environ |= {
        "RANK": str(rank), "WORLD_SIZE": "2", "LOCAL_RANK": str(rank), "LOCAL_WORLD_SIZE": "2",
        "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port),
    }  # fmt: skip
    torch.set_num_threads(1)
    AcceleratorState._reset_state(True)
    PartialState._reset_state()
    run(config, output, "fusion.options.dropout=0")


def test_two_processes_learn_what_one_learns(config: Path, tmp_path: Path) -> None:
    """24 samples in steps of 7: the processes' shares are unequal, in the last step too."""
    alone = run(config, tmp_path / "alone", "fusion.options.dropout=0")
    port = free_port()
    fork = multiprocessing.get_context("fork")
    ranks = [fork.Process(target=_rank, args=(r, port, config, tmp_path / "two")) for r in range(2)]
    for process in ranks:
        process.start()
    for process in ranks:
        process.join(120)
        assert process.exitcode == 0
    two = json.loads((tmp_path / "two/model/training_record.json").read_text())
    assert two["world_size"] == 2
    np.testing.assert_allclose(
        [r["loss"] for r in two["log"]], [r["loss"] for r in alone["log"]], rtol=1e-5
    )
    for name, tensor in weights(tmp_path / "alone").items():
        torch.testing.assert_close(weights(tmp_path / "two")[name], tensor, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["training.learning_rat=1"], "unknown key 'training.learning_rat'; did you mean"),
        (["fusion.options.droput=0"], "unknown key 'droput'; did you mean 'dropout'"),
        (["fusion.system=erly"], "did you mean 'early'"),
        (["strategy.name=jont"], "did you mean 'joint'"),
        (["strategy.name=staged", "strategy.stage=1"], "unknown key 'stage'.*'stages'"),
        (["strategy.name=staged", "strategy.stages=[{epochs: 2}]"], "stages add up to 2"),
        (["training.epochs=null"], "'training.epochs' is missing"),
        (["training.select=ccc"], "ccc is not a metric of task label"),
        (["training.select=f1"], "training.select"),
        (["data.validation_split=train"], "'train' is also in data.train_split"),
        (["data.train_split=dev"], "split 'dev' has no samples"),
        (["task.kind=values"], "name the values"),
        (["training.learning_rate=3e38"], "has diverged"),
    ],
)
def test_mistakes_are_one_line(
    config: Path, tmp_path: Path, options: list[str], message: str
) -> None:
    with pytest.raises(EmollamaError, match=message) as error:
        run(config, tmp_path, *options)
    assert "\n" not in str(error.value)


SOUND = "fusion.modalities=[{name: sound, channel: voice, kind: waveform, source: nowhere}]"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([FRAMES], "task.kind 'frames': early needs a task for whole clips"),
        (["fusion.system=va_fclstm"], "task.kind 'label': va_fclstm needs frames"),
        (
            ["fusion.system=amst", "fusion.options={head: concat}", "strategy.name=amst-a"],
            "fusion.options.head: strategy amst-a needs head 'msum', not 'concat'",
        ),
        (["strategy.name=mla"], "fusion.system early: cannot answer from each modality alone"),
        (["strategy.name=windows", FRAMES], "fusion.system early: strategy windows needs a system"),
        ([SOUND], "fusion.modalities: modality 'sound': source 'nowhere' is not a folder"),
        (
            ["data.validation_split=val+train"],
            "data.validation_split: 'train' is also in data.train_split",
        ),
        (
            ["fusion.modalities=[{name: mel, channel: voice, kind: fbank}]"],
            "modality 'mel': early does not take kind 'fbank'",
        ),
        (
            ["fusion.system=amst", "strategy={name: ogm-ge, begin: 60}"],
            "strategy ogm-ge: begin 60 must be less than end 50",
        ),
    ],
)
def test_what_the_file_shows_is_told_before_data_are_read(
    config: Path, tmp_path: Path, options: list[str], message: str
) -> None:
    with pytest.raises(EmollamaError, match=re.escape(message)) as error:
        load(config, tmp_path, "fusion.options={}", *options)
    assert str(error.value).startswith(f"{config}: ") and "\n" not in str(error.value)


def test_a_fresh_start_leaves_no_model_of_the_run_before(config: Path, tmp_path: Path) -> None:
    run(config, tmp_path, *OPTIONS["windows"], "training.epochs=1")
    assert (tmp_path / "model-valence").is_dir()
    (tmp_path / "model-notes").mkdir()
    options = (*OPTIONS["windows"], "training.keep_per_target=false", "training.resume=never")
    run(config, tmp_path, *options, "training.epochs=1")
    assert [p.name for p in sorted(tmp_path.glob("model*"))] == ["model", "model-notes"]


def test_runs_are_not_mixed(config: Path, tmp_path: Path) -> None:
    run(config, tmp_path, "training.epochs=1")
    with pytest.raises(EmollamaError, match="another configuration"):
        run(config, tmp_path, "training.epochs=2")
    anew = run(config, tmp_path, "training.epochs=2", "training.resume=never")
    assert anew["epochs"] == 2
    both = tmp_path / "both.yaml"
    both.write_text(config.read_text() + "model: {}\n")
    with pytest.raises(EmollamaError, match="has fusion and model"):
        load_training(both)
    llm = tmp_path / "llm.yaml"
    llm.write_text("output: x\ndata: {manifest: m}\nmodel: {llm: x}\ntraining: {max_steps: 1}\n")
    assert isinstance(load_training(llm), TrainConfig)
