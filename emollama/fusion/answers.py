"""Logits to answers: probabilities of labels, and values of clips or frames."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from emollama.errors import EmollamaError
from emollama.fusion.alignment import to_length
from emollama.fusion.batch import FusionBatch
from emollama.fusion.configuration import FusionConfig
from emollama.fusion.modeling import FusionOutput
from emollama.fusion.tasks import expectation, on_frames, split_logits

Answer = Callable[[FusionBatch], FusionOutput]


@dataclass(frozen=True)
class Answers:
    """What a model says of n samples.

    Attributes:
        labels: float64 [n, K]: probabilities that sum to 1, or for several labels each by itself.
        values: of each sample float64 [T] for a clip, [L, T] for frames (NaN where a frame has no
            answer): the frames of its target, or where it has none those that the model answers.
        times: of frames, float64 [L] of each sample: seconds of their centres. None for clips.
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
    """Ask a model, which must be in evaluation mode, about batches.

    Args:
        config: the model's.
        answer: batch to output.
        batches: in the order of the answers.
        device: of the model.
        without: modalities that are left out.

    Raises:
        EmollamaError: an answer that is not finite.
    """
    labels: list[np.ndarray] = []
    values: list[np.ndarray] = []
    times: list[np.ndarray] = []
    hidden = tuple(without)
    for batch in batches:
        output = answer(batch.without(hidden).to(device) if hidden else batch.to(device))
        assert output.logits is not None
        if not bool(output.logits.isfinite().all()):
            raise EmollamaError(
                f"the model's answers to '{batch.ids[0]}' and others are not finite: it has "
                "diverged; lower training.learning_rate"
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
    """Values [L, T] and times [L] of each row."""
    assert output.logits is not None and output.valid is not None
    valid, first = output.valid.cpu(), config.names[0]
    if output.times is None:
        # Of the first modality's frames, one by one; a row that lacks it has no frames.
        times = to_length(batch.times[first], valid.shape[1])
        valid = valid & batch.present(first)[:, None]
    else:
        times = output.times.cpu()
    said = FusionOutput(logits=output.logits.cpu(), valid=valid, times=times)
    own = _values(config, said.logits, said.valid)
    target = batch.targets.get("frames")
    asked = torch.full_like(times[:, :1], torch.nan)
    if target is not None and target.times is not None:
        asked = target.times.cpu()
    placed = on_frames(said, asked.shape[1], None if output.times is None else asked)
    wanted = _values(config, *placed)
    for i, there in enumerate(asked.isfinite().numpy()):
        kept = valid[i].numpy()
        if there.any():
            yield wanted[i][there], asked[i].numpy()[there].astype(np.float64)
        else:
            yield own[i][kept], times[i].numpy()[kept].astype(np.float64)


def _values(config: FusionConfig, logits: Tensor | None, known: Tensor | None) -> np.ndarray:
    """float64 [B, L, T], NaN where not known."""
    assert logits is not None and known is not None
    numbers = split_logits(config, logits.double())[1]
    assert numbers is not None
    found = torch.where(known[..., None], expectation(config, numbers), torch.nan)
    return np.asarray(found.cpu())
