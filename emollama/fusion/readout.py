"""Logits to answers: probabilities of labels, and values of clips or frames."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from emollama.base.errors import EmollamaError
from emollama.fusion.alignment import to_length
from emollama.fusion.batch import FusionBatch
from emollama.fusion.configuration import FusionConfig
from emollama.fusion.modeling import FusionOutput
from emollama.fusion.tasks import expectation, on_frames, split_logits

Answer = Callable[[FusionBatch], FusionOutput]


@dataclass(frozen=True)
class Answers:
    """The answers of a model to n samples.

    Attributes:
        labels: float64 [n, K]: probabilities that sum to 1, or independent ones for several labels.
        values: of each sample float64 [T] for a clip, [L, T] for frames: those of its target, or
            without one those of the first modality, even if that modality is left out. NaN where a
            frame has no answer.
        times: of frames, float64 [L] of each sample: their centres in seconds. None for clips.
    """

    labels: np.ndarray | None
    values: list[np.ndarray] | None
    times: list[np.ndarray] | None = None


@torch.no_grad()
def answers(
    config: FusionConfig,
    answer: Answer,
    batches: Iterable[FusionBatch],
    device: torch.device,
    without: Iterable[str] = (),
) -> Answers:
    """Answer batches with a model in evaluation mode.

    Args:
        config: of the model.
        answer: function from batch to output.
        batches: in the order of the answers.
        device: of the model.
        without: modalities to leave out.

    Raises:
        EmollamaError: an answer that is not finite.
    """
    labels: list[np.ndarray] = []
    values: list[np.ndarray] = []
    times: list[np.ndarray] = []
    hidden = tuple(without)
    for batch in batches:
        batch = batch.to(device)
        output = answer(batch.without(hidden) if hidden else batch)
        assert output.logits is not None
        if not bool(output.logits.isfinite().all()):
            raise EmollamaError(
                f"the model's answers to '{batch.ids[0]}' and others are not finite: "
                "training has diverged; lower training.learning_rate"
            )
        columns, numbers = split_logits(config, output.logits.double())
        if columns is not None:
            several = config.goal.kind == "labels"
            shown = columns.sigmoid() if several else columns.softmax(-1)
            labels.append(shown.cpu().numpy())
        if config.goal.kind == "frames":
            for answered, when in _frames(config, batch, output):
                values.append(answered)
                times.append(when)
        elif numbers is not None:
            values += list(expectation(config, numbers).cpu().numpy())
    return Answers(
        np.concatenate(labels) if labels else None, values if values else None, times or None
    )


def _frames(
    config: FusionConfig, batch: FusionBatch, output: FusionOutput
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Values [L, T] and times [L] of each row, even where the model did not see all of `batch`.

    A row without a target whose first modality is raw uses the model's own frames.
    """
    assert output.logits is not None and output.valid is not None and output.times is not None
    times, frames = _asked(config, batch)
    wanted = _values(config, *on_frames(output, frames, times))
    own = _values(config, output.logits, output.valid)
    answered, own_times = output.valid.cpu().numpy(), output.times.cpu().numpy()
    for i, there in enumerate(frames.cpu().numpy()):
        if there.any():
            yield wanted[i][there], times[i].cpu().numpy()[there].astype(np.float64)
        else:
            yield own[i][answered[i]], own_times[i][answered[i]].astype(np.float64)


def _asked(config: FusionConfig, batch: FusionBatch) -> tuple[Tensor, Tensor]:
    """Times [B, L] of the frames to answer, and their mask."""
    first = config.sections[0]
    times, frames = batch.times[first.name], batch.valid[first.name]
    if first.kind != "track":
        frames = torch.zeros_like(frames)
    target = batch.targets.get("frames")
    if target is None or target.times is None:
        return times, frames
    told = target.times.isfinite()
    longest = max(times.shape[1], told.shape[1])
    with_target = told.any(dim=1, keepdim=True)
    return (
        torch.where(with_target, to_length(target.times, longest), to_length(times, longest)),
        torch.where(with_target, to_length(told, longest), to_length(frames, longest)),
    )


def _values(config: FusionConfig, logits: Tensor | None, known: Tensor | None) -> np.ndarray:
    """float64 [B, L, T], NaN where unknown."""
    assert logits is not None and known is not None
    numbers = split_logits(config, logits.double())[1]
    assert numbers is not None
    found = torch.where(known[..., None], expectation(config, numbers), torch.nan)
    return np.asarray(found.cpu())
