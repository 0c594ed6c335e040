"""DPO and GRPO as users start them: what they change, resuming, and mistakes in one line."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from emollama.base.config import load_config
from emollama.llm.training.config import TrainConfig
from emollama.llm.training.methods import grpo
from emollama.llm.training.methods.reward import Reward
from emollama.llm.training.plan import plan
from emollama.llm.training.sft import train
from tests import warm
from tests.llm.training.corpus import make
from tests.llm.training.methods.corpus import REASONS_ALONE, make_twins


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A corpus of twins and an artefact tuned on it."""
    folder = tmp_path_factory.mktemp("methods")
    make_twins(folder)
    given = [f"output={folder}/sft", "training.twins=true", "training.max_steps=4"]
    train(load_config(TrainConfig, folder / "config.yaml", given))
    return folder


def run(folder: Path, output: Path, method: str, *options: str) -> list[dict]:
    """Train from the artefact; the log."""
    given = [f"output={output}", f"training.method={method}", *REASONS_ALONE,
             f"model.initialise_from={folder}/sft/model",
             "model.streams.1.initial_weights=random", *options]  # fmt: skip
    made = train(load_config(TrainConfig, folder / "config.yaml", given))
    return json.loads((made / "training_record.json").read_text())["log"]


def weights(output: Path) -> dict[str, torch.Tensor]:
    return load_file(output / "model/adapter_model.safetensors")


def told(output: Path, tag: str) -> list[float]:
    (folder,) = {p.parent for p in (output / "tensorboard").rglob("events*")}
    found = EventAccumulator(str(folder))
    found.Reload()
    return [event.value for event in found.Scalars(f"train/{tag}")]


def test_dpo_comes_to_prefer_what_is_true_and_leaves_projectors_alone(
    started: Path, tmp_path: Path
) -> None:
    more = ("training.max_steps=40", "training.dpo.beta=0.5", "training.dpo.own_weight=0")
    log = run(started, tmp_path, "dpo", *more)
    assert log[0]["margin"] == 0  # where training begins the model is its own reference
    assert sum(r["preferred"] for r in log[-8:]) / 8 > 0.8 and log[-1]["margin"] > 0.2
    assert told(tmp_path, "preferred") == pytest.approx([r["preferred"] for r in log])
    before, after = weights(started / "sft"), weights(tmp_path)
    for name, tensor in before.items():
        assert torch.equal(tensor, after[name]) == ("projector_" in name), name


def test_grpo_raises_the_reward(
    started: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tiny model writes no phrases, so it is rewarded for a letter."""

    def letters(text: str, *_: object) -> Reward:
        share = min(text.count("e"), 10) / 10
        return Reward(share, share, share, share)

    monkeypatch.setattr(grpo, "reward", letters)
    more = ("training.max_steps=18", "training.grpo.answers=8", "training.learning_rate=0.02")
    log = run(started, tmp_path, "grpo", *more)
    rewards = [r["reward"] for r in log]
    assert sum(rewards[-4:]) > 1.5 * sum(rewards[:4])
    assert log[0]["kl"] == pytest.approx(0, abs=1e-6) and log[-1]["kl"] > 0
    assert told(tmp_path, "reward") == pytest.approx(rewards, abs=1e-6)
    assert len(told(tmp_path, "kl")) == len(rewards)


@pytest.mark.parametrize("method", ["dpo", "grpo"])
def test_a_resumed_run_ends_as_if_never_interrupted(
    started: Path, tmp_path: Path, method: str
) -> None:
    """Even where what it started from is gone: its reference is below its folder."""
    source = tmp_path / "source"
    shutil.copytree(started / "sft/model", source)
    options = (method, f"model.initialise_from={source}", "training.learning_rate=0.05")
    run(started, tmp_path / "whole", *options)
    run(started, tmp_path / "cut", *options)
    shutil.rmtree(tmp_path / "cut/model")
    shutil.rmtree(tmp_path / "cut/checkpoints/checkpoint-4")
    shutil.rmtree(source)
    run(started, tmp_path / "cut", *options)
    whole, resumed = weights(tmp_path / "whole"), weights(tmp_path / "cut")
    for name, tensor in whole.items():
        assert torch.equal(tensor, resumed[name]), name


@pytest.mark.parametrize("method", ["dpo", "grpo"])
def test_plan_counts_the_answers(started: Path, method: str) -> None:
    given = [f"training.method={method}", *REASONS_ALONE]
    given += [
        f"model.initialise_from={started}/sft/model",
        "model.streams.1.initial_weights=random",
    ]
    found = plan(load_config(TrainConfig, started / "config.yaml", given))
    plain = plan(load_config(TrainConfig, started / "config.yaml", REASONS_ALONE[:2]))
    assert found.lengths.supervised > 1.5 * plain.lengths.supervised or method == "grpo"
    assert method == "dpo" or found.lengths.supervised == 3 * 12


@pytest.mark.parametrize(
    ("corpus", "options", "said"),
    [
        ("plain", ("training.method=dpo", *REASONS_ALONE), "training.method: dpo needs twins"),
        ("plain", ("training.twins=true",), "training.twins needs twins"),
        ("plain", ("training.method=ppo",), "key 'training.method'"),
        ("twins", ("training.method=grpo", "tasks.reason.share=0"), "tasks.reason.share above 0"),
        ("twins", ("training.method=grpo",), "tasks.emotion.share: 0"),
        ("twins", ("training.method=dpo", *REASONS_ALONE, "training.pack_tokens=9"),
         "training.pack_tokens: 0"),
        ("twins", ("training.twins=true", "training.batch_size=3", "training.micro_batch=3"),
         "twins need an even batch_size"),
        ("twins", ("training.method=dpo", *REASONS_ALONE, "training.batch_size=3",
                   "training.micro_batch=3"), "twins need an even batch_size"),
        ("twins", ("model.initialise_from=nowhere", "model.streams.1.initial_weights=random"),
         "nowhere: is neither an artefact's folder"),
        ("twins", ("training.method=grpo", *REASONS_ALONE), "needs model.initialise_from"),
        ("three", ("training.twins=true",), "pair 'pair-0' has 3 clips; it is of two"),
        ("twins", ("training.method=grpo", *REASONS_ALONE, "training.grpo.answers=1"),
         "key 'training.grpo.answers'"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_line(
    started: Path, tmp_path: Path, corpus: str, options: tuple[str, ...], said: str
) -> None:
    path = started / "config.yaml" if corpus == "twins" else make(tmp_path)
    if corpus == "three":
        make_twins(tmp_path)
        text = (tmp_path / "manifest.jsonl").read_text().replace("pair-1", "pair-0", 1)
        (tmp_path / "manifest.jsonl").write_text(text)
    done = warm.run("-m", "emollama", "train", str(path), *options, f"output={tmp_path}/run")
    assert done.returncode == 2 and done.stderr.startswith("error: "), done.stderr
    assert said in done.stderr and done.stderr.count("\n") == 1
    assert not (tmp_path / "run").exists()
