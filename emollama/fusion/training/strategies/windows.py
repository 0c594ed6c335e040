"""Truncated back-propagation through time: a row is a video, an optimizer step a window of it.

What a system carries (an LSTM's state, a memory) goes from window to window without its gradient.
A batch begins and ends with whole videos, so that no checkpoint falls inside one: there is no
carried state to be kept between batches.
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
    """Consecutive windows of N frames, in training and when asked.

    The schedule goes on by one a batch, however many windows its longest video has. The loss of a
    batch is the mean over its windows, each counted by its annotated frames. A window in which
    nothing is annotated is read for what it carries and makes no step. Targets at other times than
    the steps are compared as everywhere, in a straight line between two steps; between two windows
    the line begins at the last answer before, and the target is of the later window.
    """

    options_class = WindowOptions

    def __init__(self, model: FusionModel, options: WindowOptions, plan: Plan) -> None:
        super().__init__(model, options, plan)
        first = model.config.names[0]
        if _frame_model(model).order[0] != first:
            raise EmollamaError(
                f"fusion.options.reference: strategy windows counts the frames of '{first}', the "
                "first modality, which the targets are of; leave reference out"
            )
        for name, backbone in model.backbones.items():
            if any(p.requires_grad for p in backbone.parameters()):
                raise EmollamaError(
                    f"modality '{name}': strategy windows trains nothing that stands before the "
                    "frames; set frozen: true, or read a track of it"
                )
        self.optimisers[MAIN] = Optimiser(
            model.named_parameters(), plan.settings, plan.epochs * plan.batches, plan.batches
        )

    @classmethod
    def check(cls, options: Any, modalities: Sequence[str], task: FusionTask) -> None:
        """Windows are of frames."""
        if task.kind != "frames":
            raise EmollamaError(
                f"strategy windows: is for task frames, not {task.kind}, which answers once a clip"
            )

    @classmethod
    def check_system(cls, system: type[FusionModel], options: Mapping[str, Any]) -> None:
        """It answers over time."""
        if not issubclass(system, FrameModel):
            raise EmollamaError(
                f"fusion.system {system.config_class.system}: strategy windows is for systems that "
                "answer over time, e.g. va_fclstm"
            )

    def step(self, batch: FusionBatch, share: float = 1.0) -> Tensor:
        """A step a window; the mean of their losses over the annotated frames."""
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
        """Logits [B, L, W] of all windows, where the first modality's frames stand."""
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
    """A stretch of all rows.

    Attributes:
        place: its steps among those of `Videos`.
        tokens: by modality, on its frames.
        ended: bool [B], rows without a frame in it: nothing of them is carried on.
    """

    place: slice
    tokens: Mapping[str, Tokens]
    ended: Tensor

    def through(self, model: FusionModel, state: Mapping[str, Tensor] | None) -> FusionOutput:
        """The model's answer, with what the windows before carried into it, detached."""
        if state is not None:
            state = restarted({k: v.detach() for k, v in state.items()}, self.ended)
        return model.fuse(self.tokens, state=state)


@dataclass(frozen=True)
class Videos:
    """Rows whose modalities all stand on one grid of frames, the valid ones first.

    Attributes:
        tokens: by modality.
        valid: bool [B, L], the frames as they stood in the batch.
        times: float [B, L], seconds of their centres.
        order: int64 [B, L], where in the batch each frame stood.
    """

    tokens: Mapping[str, Tokens]
    valid: Tensor
    times: Tensor
    order: Tensor

    @classmethod
    def of(cls, model: FrameModel, batch: FusionBatch) -> Videos:
        """The rows of a batch: nothing of a frame system learns before its frames are aligned."""
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
        """Targets by the window that they are compared in, each in one.

        A row whose steps are the targets' frames has them there. In another a target is of the
        first step at or after it, and behind the last step of that; where times are not known, of
        none.
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
    """Targets of whole videos, to be cut into windows.

    Attributes:
        values: float [B, Q, T].
        valid: bool [B, Q, T].
        times: float [B, Q], seconds; None where all rows are `own`.
        step: int64 [B, Q], the step of `Videos` in whose window each target is compared.
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
        """The targets of a window; those of `own` rows stand in the places of its steps."""
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
    """The answer [B, 1, W] to each row's last step so far, whether there is one, and its time.

    From it a straight line goes to the next window's first step; it is not learned again.
    """

    logits: Tensor
    valid: Tensor
    times: Tensor

    @classmethod
    def of(cls, output: FusionOutput, before: Last | None) -> Last:
        """After a window, where a row has no step the one before it."""
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
        """A window's output with this step behind its own, in these rows (bool [B])."""
        assert output.logits is not None and output.valid is not None and output.times is not None
        return FusionOutput(
            logits=torch.cat([output.logits, self.logits], dim=1),
            valid=torch.cat([output.valid, self.valid & rows[:, None]], dim=1),
            times=torch.cat([output.times, self.times], dim=1),
            auxiliary=output.auxiliary,
        )


def _tell(times: Tensor, valid: Tensor) -> Tensor:
    """Bool [B]: whether a row's times place its steps; a single one stands wherever it is."""
    return have_times(times, valid) | (valid.sum(dim=1) == 1)


def _most(videos: Videos, frames: int) -> int:
    """Windows of the longest video of all processes, so that they make as many steps."""
    count = torch.tensor(-(-videos.longest // frames), device=videos.valid.device)
    if dist.is_initialized() and dist.get_world_size() > 1:
        dist.all_reduce(count, dist.ReduceOp.MAX)
    return int(count)


def _frame_model(model: FusionModel) -> FrameModel:
    assert isinstance(model, FrameModel), "check_system"
    return model
