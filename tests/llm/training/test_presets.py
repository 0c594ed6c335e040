"""Every preset loads, and its loss falls when one batch is repeated."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml

from emollama.base.config import load_config
from emollama.bench.configuration import BenchConfig
from emollama.bench.plan import rows_of
from emollama.evaluation.config import EvalConfig
from emollama.fusion.systems.table import fusion_system
from emollama.fusion.training.config import FusionTrainConfig
from emollama.fusion.training.dealing import Dealer
from emollama.fusion.training.loop import train_fusion
from emollama.llm.training.config import TrainConfig
from emollama.llm.training.instructions import InstructionSchedule
from emollama.llm.training.sft import train
from emollama.session.family import kind_of_training
from tests.fusion import corpus as fusion_corpus
from tests.llm.training.corpus import WIDTHS, make

ROOT = Path(__file__).parents[3]
PRESETS = sorted((ROOT / "train_configs").glob("*.yaml"))
FUSION = [path for path in PRESETS if kind_of_training(path).family == "fusion"]
TRAIN = [path for path in PRESETS if path not in FUSION]
SMALLER: dict[str, Any] = {
    "width": 32, "hidden": 32, "decoder_hidden": 64, "gate_hidden": 16, "regressor": [16],
    "dropout": 0.0, "regressor_dropout": 0.0,
}  # fmt: skip
"""Sizes of fusion systems' options that make a step cheap; dropout would hide a small batch."""
BENCHES = sorted((ROOT / "train_configs" / "bench").glob("*.yaml"))
EVAL = sorted((ROOT / "eval_configs").glob("*.yaml"))


def commands(path: Path) -> list[tuple[Path, list[str]]]:
    """A preset with the options of each command that it begins with, `python train.py ...`."""
    text = path.read_text().replace("\\\n#", "")
    lines = re.findall(r"^# python train\.py --cfg-path (.*)", text, re.MULTILINE)
    found = [shlex.split(line) for line in lines]
    assert found and all(words[0] == f"train_configs/{path.name}" for words in found), path
    return [(path, words[2:]) for words in found]


COMMANDS = [command for path in FUSION for command in commands(path)]


def test_there_are_presets() -> None:
    assert TRAIN and FUSION and EVAL


@pytest.mark.parametrize("path", EVAL, ids=lambda p: p.stem)
def test_evaluation_presets_load(path: Path) -> None:
    sets = yaml.safe_load(path.read_text()).get("evaluation_datasets") or [None]
    for name in sets:
        load_config(EvalConfig, path, dataset=name)


@pytest.mark.parametrize("path", BENCHES, ids=lambda p: p.stem)
def test_benches_load(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every model's configuration with each of its strategies, and every trial of a search."""
    monkeypatch.chdir(ROOT)
    assert rows_of(load_config(BenchConfig, path))


@pytest.mark.parametrize("path", TRAIN, ids=lambda p: p.stem)
def test_training_presets_load(path: Path) -> None:
    assert load_config(TrainConfig, path).model.llm


# The longest prompts; one of them, with all streams, is in the fast set.
SUPERVISED = [p for p in TRAIN if load_config(TrainConfig, p).training.method == "sft"]
"""The others' losses are no likelihoods: tests/llm/training/methods has them."""
LONG = ("Emotion-LLaMA_finetune", "llama2-7b_stage1", "llama2-7b_stage2")


@pytest.mark.parametrize(
    "path",
    [pytest.param(p, marks=pytest.mark.slow) if p.stem in LONG else p for p in SUPERVISED],
    ids=lambda p: p.stem,
)
def test_the_loss_falls_on_one_repeated_batch(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the preset's own prompt, tasks, LoRA and shape of schedule; only sizes are smaller."""
    drawn = InstructionSchedule.step
    monkeypatch.setattr(InstructionSchedule, "step", lambda self, step: drawn(self, 0))
    config = load_config(TrainConfig, path)
    make(tmp_path, clips=8)
    for stream in config.model.streams:
        stream.source = f"npy:{tmp_path / stream.channel}"
        assert stream.channel in WIDTHS
    config.model.initialise_from = None
    config.model.clue_heads = 0.0  # of this corpus no clues are known
    config.model.llm, config.model.dtype = str(tmp_path / "llm"), "float32"
    config.data.manifest, config.data.store = tmp_path / "manifest.jsonl", None
    config.data.split_file = None
    config.data.train_split, config.data.validation_split = "train+val", None
    config.output = tmp_path / "run"
    config.training.max_steps, config.training.batch_size = 40, 8
    config.training.micro_batch = min(config.training.micro_batch, 8)
    # An update counts alpha / r times; the published recipe's quarter needs a larger one.
    rate = 0.02 * config.model.lora.r / config.model.lora.alpha
    larger = rate / config.training.learning_rate
    config.training.learning_rate = rate
    config.training.min_learning_rate *= larger
    config.training.warmup_learning_rate *= larger
    config.training.projector_learning_rate = 0.01
    config.training.warmup_steps, config.training.workers = 2, 0
    config.training.evaluate_every_steps, config.training.keep_best = 0, False
    config.training.log_every_steps = 1
    folder = train(config)
    losses = [r["loss"] for r in json.loads((folder / "training_record.json").read_text())["log"]]
    assert len(losses) == 40
    assert sum(losses[-4:]) / 4 < 0.75 * losses[0]


@pytest.mark.parametrize(("path", "options"), COMMANDS, ids=lambda p: getattr(p, "stem", None))
def test_the_loss_of_a_fusion_model_falls_on_one_repeated_batch(
    path: Path, options: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the preset's own system, options, strategy and schedule; only sizes are smaller."""
    dealt = Dealer.batch
    monkeypatch.setattr(Dealer, "batch", lambda self, epoch, index: dealt(self, 0, 0))
    config = load_config(FusionTrainConfig, path, options)
    fusion_corpus.make(tmp_path, clips=16)
    for section in config.fusion.modalities:
        section.source = "words" if section.channel == "words" else "voice"
    config.data.manifest, config.data.store = tmp_path / "manifest.jsonl", tmp_path / "store"
    config.data.split_file, config.fusion.initialise_from = None, None
    config.data.train_split, config.data.validation_split = "train+val", None
    config.output = tmp_path / "run"
    config.training.epochs, config.training.batch_size = 30, 12
    if "stages" in config.strategy.options:
        # As many epochs, in the preset's proportions.
        config.training.epochs = None
        for stage in config.strategy.options["stages"]:
            stage["epochs"] *= 10
    shallow = config.fusion.system in ("early", "attention_pooling")
    rate = 0.01 if config.training.optimizer == "sgd" else 0.003
    config.training.learning_rate = 0.02 if shallow else rate
    config.training.patience, config.training.save_every_epochs = 0, 30
    config.training.keep_per_target = False
    known = fusion_system(config.fusion.system)[0].options_class.model_fields
    smaller = {k: v for k, v in SMALLER.items() if k in known}
    config.fusion.options = {**config.fusion.options, **smaller}
    folder = train_fusion(config)
    losses = [r["loss"] for r in json.loads((folder / "training_record.json").read_text())["log"]]
    assert sum(losses[-4:]) / 4 < 0.75 * losses[0]
