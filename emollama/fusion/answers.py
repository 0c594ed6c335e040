"""Logits to answers: probabilities of labels, and values of clips or frames."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import torch

from emollama.errors import EmollamaError
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
        values: of each sample float64 [T] for a clip, [L, T] for frames: those of its first
            modality, also where this is left out; NaN where a frame has no answer.
    """

    labels: np.ndarray | None
    values: list[np.ndarray] | None


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
    hidden = tuple(without)
    for batch in batches:
        batch = batch.to(device)
        output = answer(batch.without(hidden) if hidden else batch)
        assert output.logits is not None
        if not bool(output.logits.isfinite().all()):
            raise EmollamaError(
                f"the model's answers to '{batch.ids[0]}' and others are not finite: it has "
                "diverged; lower training.learning_rate"
            )
        logits, valid = output.logits, None
        if config.goal.kind == "frames":
            first = config.names[0]
            logits, valid = on_frames(output, batch.valid[first], batch.times[first])
        columns, numbers = split_logits(config, logits.double())
        if columns is not None:
            several = config.goal.kind == "labels"
            shown = columns.sigmoid() if several else columns.softmax(-1)
            labels.append(shown.cpu().numpy())
        if numbers is not None:
            found = expectation(config, numbers)
            if valid is not None:
                found = torch.where(valid[..., None], found, torch.nan)
            values += _rows(config, batch, found.cpu().numpy())
    return Answers(np.concatenate(labels) if labels else None, values if values else None)


def _rows(config: FusionConfig, batch: FusionBatch, found: np.ndarray) -> list[np.ndarray]:
    if config.goal.kind != "frames":
        return list(found)
    lengths = batch.valid[config.names[0]].sum(1).tolist()
    return [row[:length] for row, length in zip(found, lengths, strict=True)]
