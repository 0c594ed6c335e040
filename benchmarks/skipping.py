"""What a skipped encoder costs: alternating skip against joint training, in one run.

python -m benchmarks.skipping [--factors 2 5] [--rounds 1]

AMST's model with its two ResNet-18 over made fbank and pictures; the sound is skipped. The runs
take their epochs in turns, as many as each factor divides. What is added up is the processor time
between the beginning and the end of the sound encoder's forward, and between the arrival of its
output's gradient and the last of its weights' gradients; `whole` is that of entire epochs. Target:
at most 1/s + 5 % of the joint run's.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from benchmarks.measure import show
from emollama.fusion.batch import FusionBatch, Target
from emollama.fusion.modeling import FusionModel
from emollama.fusion.systems.table import fusion_system
from emollama.fusion.training.optimising import OptimizerSection, seed_step
from emollama.fusion.training.strategies.base import Plan, Strategy
from emollama.fusion.training.strategies.table import strategy_class

SKIPPED = "audio"
SECTIONS = (
    {"name": SKIPPED, "channel": "voice", "source": "", "kind": "fbank"},
    {"name": "visual", "channel": "face", "source": "", "kind": "frames"},
)
LABELS = ("happy", "neutral", "sad")
ROWS, FRAMES, SIDE = 2, 32, 32
TARGET = 0.05
WAYS = {"joint": "concat", "amst-j": "concat", "amst-a": "msum"}
"""Strategies with the head that each trains."""


class Clock:
    """Processor seconds of one encoder, forward and backward."""

    def __init__(self, encoder: torch.nn.Module) -> None:
        self.seconds = 0.0
        self.begun = 0.0
        self.last = 0.0
        encoder.register_forward_pre_hook(self._before)
        encoder.register_forward_hook(self._after)
        for parameter in encoder.parameters():
            parameter.register_post_accumulate_grad_hook(self._accumulated)

    def _before(self, *_: Any) -> None:
        self.begun = time.process_time()

    def _after(self, module: torch.nn.Module, given: Any, output: Tensor) -> None:
        self.seconds += time.process_time() - self.begun
        output.register_hook(self._arrived)

    def _arrived(self, _: Tensor) -> None:
        self.last = time.process_time()

    def _accumulated(self, _: Tensor) -> None:
        now = time.process_time()
        self.seconds += now - self.last
        self.last = now


class Run:
    """A strategy on a model of its own, epoch after epoch of one batch.

    Attributes:
        clock: of the encoder that is skipped.
        seconds: processor time of all epochs.
    """

    def __init__(self, name: str, factor: int, batch: FusionBatch) -> None:
        torch.manual_seed(0)
        config_class, model_class = fusion_system("amst")
        model = model_class(
            config_class(
                modalities=[dict(s) for s in SECTIONS],
                labels=LABELS,
                options={"head": WAYS[name], "fbank_frames": FRAMES},
            )
        )
        kind = strategy_class(name)
        given = {} if name == "joint" else {"skip": {SKIPPED: factor}}
        plan = Plan(
            OptimizerSection(optimizer="sgd", learning_rate=1e-3, weight_decay=1e-4),
            epochs=1000,
            batches=1,
            another=_no_other,
        )
        self.strategy: Strategy = kind(model, kind.options_class.model_validate(given), plan)
        self.batch = batch
        self.clock = Clock(model.encoders[SKIPPED])
        self.seconds = 0.0

    def epoch(self, number: int) -> None:
        """One epoch, timed."""
        started = time.process_time()
        self.strategy.begin_epoch(number)
        self.strategy.set_training()
        seed_step(0, number)
        self.strategy.step(self.batch)
        self.seconds += time.process_time() - started

    def forget(self) -> None:
        """Times begin anew."""
        self.clock.seconds = self.seconds = 0.0


def _no_other(*_: Any) -> FusionModel:
    raise NotImplementedError("these strategies have one model")


def made(rows: int, frames: int, side: int) -> FusionBatch:
    """A random batch: fbank [rows, frames, 128] and a picture [3, side, side] each."""
    drawn = torch.Generator().manual_seed(0)
    shapes = {SKIPPED: (rows, frames, 128), "visual": (rows, 1, 3, side, side)}
    return FusionBatch(
        ids=tuple(str(i) for i in range(rows)),
        values={name: torch.randn(shape, generator=drawn) for name, shape in shapes.items()},
        valid={name: torch.ones(shape[:2], dtype=torch.bool) for name, shape in shapes.items()},
        times={name: torch.zeros(shape[:2]) for name, shape in shapes.items()},
        targets={"label": Target(torch.arange(rows) % len(LABELS), torch.ones(rows).bool())},
    )


def measured(
    factors: Sequence[int], rounds: int, build: Callable[[str, int], Run]
) -> list[dict[str, Any]]:
    """A row for each strategy and factor, against the joint run of the same epochs."""
    joint = build("joint", 1)
    runs = {(name, s): build(name, s) for s in factors for name in WAYS if name != "joint"}
    for run in (joint, *runs.values()):
        run.epoch(0)  # warm
        run.forget()
    epochs = math.lcm(*factors) * rounds
    for number in range(epochs):
        for run in (joint, *runs.values()):
            run.epoch(number)
    return [
        {
            "strategy": name,
            "factor": s,
            "epochs": epochs,
            "encoder_s": round(run.clock.seconds, 3),
            "joint_s": round(joint.clock.seconds, 3),
            "ratio": round(run.clock.seconds / joint.clock.seconds, 4),
            "at_most": round(1 / s + TARGET, 4),
            "whole": round(run.seconds / joint.seconds, 4),
        }
        for (name, s), run in runs.items()
    ]


def main() -> None:
    """Print the table, and whether each ratio is within its target."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--factors", type=int, nargs="+", default=[2, 5])
    parser.add_argument("--rounds", type=int, default=1)
    given = parser.parse_args()
    batch = made(ROWS, FRAMES, SIDE)
    found = measured(given.factors, given.rounds, lambda name, s: Run(name, s, batch))
    within = all(row["ratio"] <= row["at_most"] for row in found)
    show("skipping", found, within_target=within)


if __name__ == "__main__":
    main()
