"""Truncated back-propagation through time: a row is a video, with one optimizer step per window.

The carried state (of an LSTM, or a memory) goes from window to window without its gradient. A batch
holds whole videos, so that no checkpoint falls inside one and no state is carried between batches.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from pydantic import Field
from torch import Tensor

from emollama.base.config import Strict
from emollama.base.errors import EmollamaError
from emollama.fusion.alignment import have_times, stands_on, to_length
from emollama.fusion.batch import FusionBatch, Target
from emollama.fusion.configuration import FusionTask
from emollama.fusion.layers import Tokens, gather_steps, valid_first
from emollama.fusion.modeling import FusionModel, FusionOutput, restarted
from emollama.fusion.systems.frame_model import FrameModel
from emollama.fusion.tasks import loss
from emollama.fusion.training.optimising import Optimiser, summed
from emollama.fusion.training.strategies.base import MAIN, Plan, Strategy


class WindowOptions(Strict):
    """`frames` of the first modality make a window: 250 for transformers, 100 for LSTMs."""

    frames: int = Field(default=250, ge=2)


class Windows(Strategy):
    """Consecutive windows of N frames, in training and in evaluation.

    The schedule advances by one per batch, whatever the number of windows. The loss of a batch is
    the mean over its windows, weighted by annotated frames. A window without annotations only
    updates the carried state and makes no step. Targets between steps are compared by linear
    interpolation, as everywhere; between two windows, interpolation starts at the last answer
    before, and the target belongs to the later window.
    """

    options_class = WindowOptions

    def __init__(self, model: FusionModel, options: WindowOptions, plan: Plan) -> None:
        super().__init__(model, options, plan)
        first = model.config.names[0]
        if _frame_model(model).order[0] != first:
            raise EmollamaError(
                "fusion.options.reference: strategy windows uses the frames of the "
                f"first modality, '{first}', as reference; leave reference out"
            )
        for name, backbone in model.backbones.items():
            if any(p.requires_grad for p in backbone.parameters()):
                raise EmollamaError(
                    f"modality '{name}': strategy windows cannot train an encoder of "
                    "raw input; set frozen: true, or use a track"
                )
        self.optimisers[MAIN] = Optimiser(
            model.named_parameters(), plan.settings, plan.epochs * plan.batches, plan.batches
        )

    @classmethod
    def check(cls, options: Any, modalities: Sequence[str], task: FusionTask) -> None:
        """Check that the task is frames."""
        if task.kind != "frames":
            raise EmollamaError(
                f"strategy windows: needs task frames, not {task.kind}, which has one "
                "answer per clip"
            )

    @classmethod
    def check_system(cls, system: type[FusionModel], options: Mapping[str, Any]) -> None:
        """Check that the system answers over time."""
        if not issubclass(system, FrameModel):
            raise EmollamaError(
                f"fusion.system {system.config_class.system}: strategy windows needs a "
                "system that answers over time, e.g. va_fclstm"
            )

    def step(self, batch: FusionBatch, share: float = 1.0) -> Tensor:
        """One step per window; returns the mean loss over the annotated frames."""
        model, optimiser = self.model, self.optimisers[MAIN]
        videos = Videos.of(_frame_model(model), batch)
        targets = videos.arranged(batch.targets["frames"])
        done, known = optimiser.done, 0.0
        total = torch.zeros((), device=model.device)
        state: Mapping[str, Tensor] | None = None
        last: Last | None = None
        for window in videos.windows(self.options.frames, _most(videos, self.options.frames)):
            optimiser.done = done
            truth = targets.within(window)
            mine = truth.valid.sum().to(total) * (share > 0)
            every = summed(mine)
            with torch.set_grad_enabled(bool(mine > 0)):
                output = window.through(model, state)
            state = output.state
            if bool(mine > 0):
                answer = output if last is None else last.joined(output, ~targets.own)
                value = loss(model.config, answer, {"frames": truth})
                (value * (mine / every)).backward()
                total += value.detach() * mine
                known += float(mine)
            last = Last.of(output, last)
            if bool(every > 0):
                optimiser.step()
        optimiser.done = done + 1
        return total / max(1.0, known)

    @classmethod
    def answered(
        cls, models: Mapping[str, FusionModel], batch: FusionBatch, options: Any
    ) -> FusionOutput:
        """Logits [B, L, W] of all windows, at the positions of the first modality's frames."""
        model = models[MAIN]
        videos = Videos.of(_frame_model(model), batch)
        parts: list[Tensor] = []
        state: Mapping[str, Tensor] | None = None
        for window in videos.windows(options.frames):
            output = window.through(model, state)
            state = output.state
            assert output.logits is not None
            parts.append(output.logits)
        logits = torch.cat(parts, dim=1)
        back = videos.order[..., None].expand_as(logits)
        return FusionOutput(
            logits=torch.zeros_like(logits).scatter(1, back, logits),
            valid=videos.valid,
            times=videos.times,
        )


@dataclass(frozen=True)
class Window:
    """A window of all rows.

    Attributes:
        place: its steps among those of `Videos`.
        tokens: by modality, on its frames.
        ended: bool [B], rows without a frame in it, whose state is not carried on.
    """

    place: slice
    tokens: Mapping[str, Tokens]
    ended: Tensor

    def through(self, model: FusionModel, state: Mapping[str, Tensor] | None) -> FusionOutput:
        """The model's answer, given the detached state of the windows before."""
        if state is not None:
            state = restarted({k: v.detach() for k, v in state.items()}, self.ended)
        return model.fuse(self.tokens, state=state)


@dataclass(frozen=True)
class Videos:
    """Rows with all modalities on one grid of frames, the valid ones first.

    Attributes:
        tokens: by modality.
        valid: bool [B, L], as in the batch.
        times: float [B, L], centres in seconds.
        order: int64 [B, L], original position of each frame in the batch.
    """

    tokens: Mapping[str, Tokens]
    valid: Tensor
    times: Tensor
    order: Tensor

    @classmethod
    def of(cls, model: FrameModel, batch: FusionBatch) -> Videos:
        """The rows of a batch; no part of a frame system before the alignment is trained."""
        with torch.no_grad():
            tokens, grid = model.aligned(model.encode(batch))
        order = valid_first(grid.valid)
        return cls(
            {
                name: Tokens(
                    gather_steps(t.values, order),
                    gather_steps(t.valid, order),
                    gather_steps(t.times, order),
                )
                for name, t in tokens.items()
            },
            grid.valid,
            grid.times,
            order,
        )

    @property
    def longest(self) -> int:
        """Frames of the longest row; at least 1."""
        return max(1, int(self.valid.sum(dim=1).max()))

    def arranged(self, target: Target) -> Arranged:
        """Targets by window, each in exactly one.

        If a row's steps are the targets' frames, a target belongs to its own step. Otherwise it
        belongs to the first step at or after it, or to the last step; without times, to none.
        """
        length = max(self.order.shape[1], target.values.shape[1])
        values, valid = to_length(target.values, length), to_length(target.valid, length)
        step = to_length(self.order.argsort(dim=1), length)
        if target.times is None:
            own = torch.ones_like(self.valid[:, 0])
            return Arranged(values, valid, None, step, own, self.order)
        own = stands_on(self.times, self.valid, target.valid.any(dim=-1), target.times)
        there = to_length(target.times.isfinite(), length)
        times = torch.where(there, to_length(target.times, length), 0.0)
        known = _tell(self.times, self.valid) & _tell(times, there)
        valid = valid & (own[:, None] | known[:, None] & there)[..., None]
        steps = gather_steps(self.valid, self.order)
        clock = gather_steps(self.times, self.order).masked_fill(~steps, torch.inf)
        last = (steps.sum(dim=1, keepdim=True) - 1).clamp(min=0)
        after = torch.searchsorted(clock.contiguous(), times.contiguous()).minimum(last)
        step = torch.where(own[:, None], step, after)
        return Arranged(values, valid, times, step, own, self.order)

    def windows(self, frames: int, count: int | None = None) -> Iterator[Window]:
        """Windows of so many frames, to the end of the batch or `count` of them."""
        length = self.order.shape[1]
        there = gather_steps(self.valid, self.order)
        for at in range(0, length if count is None else count * frames, frames):
            place = slice(min(at, length - 1), min(at + frames, length))
            past = at >= length
            tokens = {
                name: Tokens(t.values[:, place], t.valid[:, place] & (not past), t.times[:, place])
                for name, t in self.tokens.items()
            }
            yield Window(place, tokens, ~there[:, place].any(dim=1) | past)


@dataclass(frozen=True)
class Arranged:
    """Targets of whole videos, before they are cut into windows.

    Attributes:
        values: float [B, Q, T].
        valid: bool [B, Q, T].
        times: float [B, Q], seconds; None if all rows are `own`.
        step: int64 [B, Q], the step of `Videos` whose window compares the target.
        own: bool [B], rows whose steps are the targets' frames, one by one.
        order: of `Videos`.
    """

    values: Tensor
    valid: Tensor
    times: Tensor | None
    step: Tensor
    own: Tensor
    order: Tensor

    def within(self, window: Window) -> Target:
        """The targets of a window; for `own` rows, at the positions of its steps."""
        place, length = window.place, self.values.shape[1]
        mine = (self.step >= place.start) & (self.step < place.stop) & ~window.ended[:, None]
        others = mine & ~self.own[:, None] & self.valid.any(dim=-1)
        columns = others.any(dim=0).nonzero()[:, 0]
        first, end = (int(columns[0]), int(columns[-1]) + 1) if len(columns) else (0, 0)
        steps = place.stop - place.start
        count = max(steps, end - first)
        slots = torch.arange(count, device=self.values.device)
        own = self.own[:, None]
        index = torch.where(
            own, to_length(self.order[:, place], count), (first + slots).clamp(max=length - 1)
        )
        filled = torch.where(own, slots < steps, slots < end - first)
        kept = gather_steps(torch.where(own, mine, others), index) & filled
        return Target(
            gather_steps(self.values, index),
            gather_steps(self.valid, index) & kept[..., None],
            None if self.times is None else gather_steps(self.times, index),
        )


@dataclass(frozen=True)
class Last:
    """The answer [B, 1, W] to each row's last step so far, whether it exists, and its time.

    Interpolation to the next window's first step starts here; it is not trained again.
    """

    logits: Tensor
    valid: Tensor
    times: Tensor

    @classmethod
    def of(cls, output: FusionOutput, before: Last | None) -> Last:
        """Update after a window; a row without a step keeps its previous answer."""
        assert output.logits is not None and output.valid is not None and output.times is not None
        at = (output.valid.sum(dim=1, keepdim=True) - 1).clamp(min=0)
        logits = gather_steps(output.logits.detach(), at)
        valid, times = output.valid.any(dim=1, keepdim=True), gather_steps(output.times, at)
        if before is None:
            return cls(logits, valid, times)
        return cls(
            torch.where(valid[..., None], logits, before.logits),
            valid | before.valid,
            torch.where(valid, times, before.times),
        )

    def joined(self, output: FusionOutput, rows: Tensor) -> FusionOutput:
        """A window's output with this step added, in these rows (bool [B])."""
        assert output.logits is not None and output.valid is not None and output.times is not None
        return FusionOutput(
            logits=torch.cat([output.logits, self.logits], dim=1),
            valid=torch.cat([output.valid, self.valid & rows[:, None]], dim=1),
            times=torch.cat([output.times, self.times], dim=1),
            auxiliary=output.auxiliary,
        )


def _tell(times: Tensor, valid: Tensor) -> Tensor:
    """Bool [B]: whether a row's times are informative; for a single step they always are."""
    return have_times(times, valid) | (valid.sum(dim=1) == 1)


def _most(videos: Videos, frames: int) -> int:
    """Windows of the longest video of all processes, so that all make equally many steps."""
    count = torch.tensor(-(-videos.longest // frames), device=videos.valid.device)
    if dist.is_initialized() and dist.get_world_size() > 1:
        dist.all_reduce(count, dist.ReduceOp.MAX)
    return int(count)


def _frame_model(model: FusionModel) -> FrameModel:
    assert isinstance(model, FrameModel), "check_system"
    return model
