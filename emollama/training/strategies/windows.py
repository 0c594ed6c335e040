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

from emollama.config import Strict
from emollama.errors import EmollamaError
from emollama.fusion.alignment import have_times, nearest, stands_on, to_length
from emollama.fusion.batch import FusionBatch, Target
from emollama.fusion.configuration import FusionTask
from emollama.fusion.frame_model import FrameModel
from emollama.fusion.layers import Tokens, gather_steps, places, valid_first
from emollama.fusion.modeling import FusionModel, FusionOutput, restarted
from emollama.fusion.tasks import loss
from emollama.training.optimising import Optimiser, summed
from emollama.training.strategies.base import MAIN, Plan, Strategy


class WindowOptions(Strict):
    """`frames` of the first modality make a window: 250 for transformers, 100 for LSTMs."""

    frames: int = Field(default=250, ge=2)


class Windows(Strategy):
    """Consecutive windows of N frames, in training and when asked.

    The schedule goes on by one a batch, however many windows its longest video has. The loss of a
    batch is the mean over its windows, each counted by its annotated frames. A window in which
    nothing is annotated is read for what it carries and makes no step.
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

    def step(self, batch: FusionBatch, share: float = 1.0) -> Tensor:
        """A step a window; the mean of their losses over the annotated frames."""
        model, optimiser = self.model, self.optimisers[MAIN]
        videos = Videos.of(_frame_model(model), batch)
        target = videos.arranged(batch.targets["frames"])
        done, known = optimiser.done, 0.0
        total = torch.zeros((), device=model.device)
        state: Mapping[str, Tensor] | None = None
        for window in videos.windows(self.options.frames, _most(videos, self.options.frames)):
            optimiser.done = done
            there = ~window.ended[:, None, None]
            truth = Target(target.values[:, window.place], target.valid[:, window.place] & there)
            mine = truth.valid.sum().to(total) * (share > 0)
            every = summed(mine)
            with torch.set_grad_enabled(bool(mine > 0)):
                output = window.through(model, state)
            state = output.state
            if bool(mine > 0):
                value = loss(model.config, output, {"frames": truth})
                (value * (mine / every)).backward()
                total += value.detach() * mine
                known += float(mine)
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

    def arranged(self, target: Target) -> Target:
        """Targets in the order of the frames here.

        A row that stands on another modality's frames, since it lacks the first, has at each the
        target that is nearest in time; where times are not known, none.
        """
        length = max(self.order.shape[1], target.values.shape[1])
        values, valid = to_length(target.values, length), to_length(target.valid, length)
        place = self.order
        if target.times is not None:
            times = to_length(target.times, length)
            own = stands_on(self.times, self.valid, valid.any(dim=-1), times)
            # Frames end with the last time; what is behind it, or has none, is padding.
            known = times.isfinite()
            last = torch.where(known, times, -torch.inf).argmax(dim=1, keepdim=True)
            there = known & (places(torch.ones_like(known)) <= last)
            other = nearest(times, there, gather_steps(self.times, self.order))
            place = torch.where(own[:, None], place, other)
            timed = have_times(self.times, self.valid) | (self.valid.sum(dim=1) == 1)
            valid = valid & (own | timed & have_times(times, there))[:, None, None]
        steps = gather_steps(self.valid, self.order)
        return Target(gather_steps(values, place), gather_steps(valid, place) & steps[..., None])

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


def _most(videos: Videos, frames: int) -> int:
    """Windows of the longest video of all processes, so that they make as many steps."""
    count = torch.tensor(-(-videos.longest // frames), device=videos.valid.device)
    if dist.is_initialized() and dist.get_world_size() > 1:
        dist.all_reduce(count, dist.ReduceOp.MAX)
    return int(count)


def _frame_model(model: FusionModel) -> FrameModel:
    if not isinstance(model, FrameModel):
        raise EmollamaError(
            f"fusion.system {model.config.system}: strategy windows is for systems that answer "
            "over time, e.g. va_fclstm"
        )
    return model
