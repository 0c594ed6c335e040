"""transformers' Trainer with a learning rate for projectors of its own and our exact schedule."""

from __future__ import annotations

import time
from collections.abc import Callable, Sized
from pathlib import Path
from typing import Any, cast

import torch
from torch.utils.data import Sampler, SequentialSampler
from transformers import (
    Trainer,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)


class EmotionTrainer(Trainer):
    """Trains a peft-wrapped EmotionLlama on an `InstructionSchedule`.

    Every optimizer step sees exactly the configured number of samples, so the mean of micro-batch
    means over accumulation and processes is the mean over samples.
    """

    def __init__(self, *args: Any, projector_learning_rate: float, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.projector_learning_rate = projector_learning_rate
        # The model's loss is a mean over the samples of a micro-batch, not scaled for accumulation.
        self.model_accepts_loss_kwargs = False

    def _get_train_sampler(self, train_dataset: Any = None) -> Sampler:
        return SequentialSampler(cast(Sized, self.train_dataset))

    def create_optimizer(self, model: Any = None) -> torch.optim.Optimizer:
        """AdamW in four groups: LoRA and projectors, with and without weight decay."""
        if self.optimizer is None:
            groups: dict[tuple[bool, bool], list[torch.nn.Parameter]] = {}
            for name, parameter in cast(torch.nn.Module, model or self.model).named_parameters():
                if parameter.requires_grad:
                    kind = ("projector_" in name, parameter.ndim >= 2 and "absent" not in name)
                    groups.setdefault(kind, []).append(parameter)
            self.optimizer = torch.optim.AdamW(
                [
                    {
                        "params": parameters,
                        "lr": self.projector_learning_rate
                        if projector
                        else self.args.learning_rate,
                        "weight_decay": self.args.weight_decay if decays else 0.0,
                    }
                    for (projector, decays), parameters in groups.items()
                ],
                lr=self.args.learning_rate,
                betas=(0.9, 0.999),
                fused=True,
            )
        return self.optimizer


class PlainProgress(TrainerCallback):
    """One line every logged step: loss, samples a second, time left."""

    def __init__(self, total: int, batch_size: int, say: Callable[[str], None]) -> None:
        self.total = total
        self.batch_size = batch_size
        self.say = say
        self.started = 0.0
        self.first_step = 0

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Start the clock, at the step a resumed run starts from."""
        self.started = time.monotonic()
        self.first_step = state.global_step

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, float] | None = None,
        **_: Any,
    ) -> None:
        """Print what was logged."""
        if not state.is_world_process_zero or not logs or "loss" not in logs:
            return
        done = state.global_step - self.first_step
        seconds = time.monotonic() - self.started
        left = seconds / max(done, 1) * (self.total - state.global_step)
        self.say(
            f"step {state.global_step}/{self.total}  loss {float(logs['loss']):.4f}  "
            f"{done * self.batch_size / max(seconds, 1e-9):.1f} samples/s  "
            f"{int(left // 60)}:{int(left % 60):02d} left"
        )


class KeepBest(TrainerCallback):
    """Asks for the validation score every few steps; saves the weights of the best one.

    `score` returns a figure to be maximised, and is called on every process. The best figure so
    far is kept beside the weights, so that a resumed run compares with what came before it.
    """

    def __init__(
        self,
        every: int,
        score: Callable[[], float],
        save: Callable[[int, float], None] | None,
        best: Callable[[], float],
        say: Callable[[str], None],
    ) -> None:
        self.every = every
        self.score = score
        self.save = save
        self.best = best
        self.say = say
        self.history: list[dict[str, float]] = []

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Score, and save when it is the best so far."""
        if state.global_step % self.every and state.global_step != state.max_steps:
            return
        value = self.score()
        self.history.append({"step": state.global_step, "weighted_f1": value})
        if state.is_world_process_zero:
            self.say(f"step {state.global_step}  validation weighted F1 {value:.4f}")
            if self.save is not None and value > self.best():
                self.save(state.global_step, value)


def newest_checkpoint(folder: Path) -> Path | None:
    """The checkpoint with the highest step that was written whole, or None."""
    whole = [p for p in folder.glob("checkpoint-*") if (p / "trainer_state.json").is_file()]
    return max(whole, key=lambda p: int(p.name.rsplit("-", 1)[1]), default=None)
