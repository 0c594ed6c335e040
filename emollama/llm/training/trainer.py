"""transformers' Trainer with a separate learning rate for projectors and our exact schedule."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sized
from contextlib import nullcontext
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

from emollama.base.errors import EmollamaError
from emollama.base.files import write_json
from emollama.llm.partitioned import of_first_process
from emollama.runs.checkpoints import WHOLE

VALIDATION = "validation_weighted_f1"
"""Key of `KeepBest`'s records in the trainer's log."""


_TOLD = ("preferred", "reward", "kl")
"""Figures of methods that stand in the line of progress, where they are logged."""


class EmotionTrainer(Trainer):
    """Trains a peft-wrapped EmotionLlama on an `InstructionSchedule`.

    An item of the schedule is one process's part of one optimizer step, so the micro-batches are
    processed here and the library's own accumulation stays at 1. Each micro-batch's mean is
    weighted by its share of the step, so the gradient is that of the mean over the step's samples,
    however they are distributed.

    Args:
        projector_learning_rate: of projectors; adapters have `args.learning_rate`.
        loraplus_ratio: learning rate of LoRA's B over that of A (LoRA+, Hayou et al. 2024).
    """

    def __init__(
        self,
        *args: Any,
        projector_learning_rate: float,
        loraplus_ratio: float = 1.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.projector_learning_rate = projector_learning_rate
        self.loraplus_ratio = loraplus_ratio

    def _get_train_sampler(self, train_dataset: Any = None) -> Sampler:
        return SequentialSampler(cast(Sized, self.train_dataset))

    def training_step(
        self, model: torch.nn.Module, inputs: dict[str, Any], num_items_in_batch: Any = None
    ) -> torch.Tensor:
        """Forward and backward over the micro-batches; returns this process's part of the loss,
        whose mean over processes is the step's loss.
        """
        del num_items_in_batch
        model.train()
        inputs = self._prepare_inputs(inputs)
        micro_batches, shares = inputs["micro_batches"], inputs["shares"]
        total = torch.zeros((), device=self.args.device)
        for index, (micro_batch, share) in enumerate(zip(micro_batches, shares, strict=True)):
            last = index == len(micro_batches) - 1
            # Gradients travel between processes once a step, with the last micro-batch.
            self.accelerator.gradient_state._set_sync_gradients(last)
            with nullcontext() if last else self.accelerator.no_sync(model):
                with self.compute_loss_context_manager():
                    loss = self.compute_loss(model, micro_batch) * share
                kwargs = {"scale_wrt_gas": False} if self.is_deepspeed_enabled else {}
                self.accelerator.backward(loss, **kwargs)
            total += loss.detach()
        return total

    def create_optimizer(self, model: Any = None) -> torch.optim.Optimizer:
        """AdamW: LoRA (its two halves) and projectors, with and without weight decay."""
        if self.optimizer is None:
            groups: dict[tuple[float, float], list[torch.nn.Parameter]] = {}
            for name, parameter in cast(torch.nn.Module, model or self.model).named_parameters():
                if not parameter.requires_grad:
                    continue
                rate = self.args.learning_rate
                if "projector_" in name:
                    rate = self.projector_learning_rate
                elif ".lora_B." in name:
                    rate *= self.loraplus_ratio
                # Under ZeRO-3 a parameter at hand is flat; its own shape is kept beside it.
                dimensions = len(getattr(parameter, "ds_shape", parameter.shape))
                decays = dimensions >= 2 and "absent" not in name
                key = (rate, self.args.weight_decay if decays else 0.0)
                groups.setdefault(key, []).append(parameter)
            self.optimizer = torch.optim.AdamW(
                [
                    {"params": parameters, "lr": rate, "weight_decay": decay}
                    for (rate, decay), parameters in groups.items()
                ],
                lr=self.args.learning_rate,
                betas=(0.9, 0.999),
                fused=True,
            )
        return self.optimizer


class PlainProgress(TrainerCallback):
    """One line per logged step: loss, samples per second, time left."""

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
        """Print the log; a NaN loss ends the run."""
        if logs and not math.isfinite(float(logs.get("loss", 0.0))):
            raise EmollamaError(
                f"the loss is {logs['loss']} at step {state.global_step}: training has diverged; "
                "lower training.learning_rate and start again with training.resume=never"
            )
        if not state.is_world_process_zero or not logs or "loss" not in logs:
            return
        done = state.global_step - self.first_step
        seconds = time.monotonic() - self.started
        left = seconds / max(done, 1) * (self.total - state.global_step)
        told = "".join(f"{name} {logs[name]:.3f}  " for name in _TOLD if name in logs)
        self.say(
            f"step {state.global_step}/{self.total}  loss {float(logs['loss']):.4f}  {told}"
            f"{done * self.batch_size / max(seconds, 1e-9):.1f} samples/s  "
            f"{int(left // 60)}:{int(left % 60):02d} left"
        )


class KeepBest(TrainerCallback):
    """Computes the validation score every few steps; saves the weights of the best one.

    `score` returns a figure to maximise, and those of the corpora that it is the mean of ({} for
    one corpus); the first process's is used everywhere. `score` and
    `save` (whose last argument says which process writes) are called on all processes, because
    parameters may be partitioned. The best figure so far is stored beside the weights, so that a
    resumed run compares with earlier ones.
    """

    def __init__(
        self,
        every: int,
        score: Callable[[], tuple[float, dict[str, float]]],
        save: Callable[[int, float, bool], None] | None,
        best: Callable[[], float],
        say: Callable[[str], None],
    ) -> None:
        self.every = every
        self.score = score
        self.save = save
        self.best = best
        self._best = float("-inf")
        self.say = say

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Read the best figure of the run so far, on every process."""
        self._best = of_first_process(self.best())

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Score, and save if it is the best so far."""
        if state.global_step % self.every and state.global_step != state.max_steps:
            return
        value, parts = self.score()
        value = of_first_process(value)
        # In the state, and so in every checkpoint: a resumed run knows what came before it.
        state.log_history.append({"step": state.global_step, VALIDATION: value, **parts})
        each = ", ".join(f"{name} {part:.4f}" for name, part in parts.items())
        self.say(
            f"step {state.global_step}  validation weighted F1 {value:.4f}"
            + (f" ({each})" if each else "")
        )
        if self.save is not None and value > self._best:
            self._best = value
            self.save(state.global_step, value, state.is_world_process_zero)


class MarkWhole(TrainerCallback):
    """Marks a checkpoint as complete once every process has written its part."""

    def on_save(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Wait for the other processes, then mark."""
        if torch.distributed.is_initialized():
            torch.distributed.barrier()
        if state.is_world_process_zero:
            folder = Path(str(args.output_dir)) / f"checkpoint-{state.global_step}"
            write_json(folder / WHOLE, {"processes": args.world_size})
