"""Tasks: the loss against the targets, and the conversion of logits into answers."""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

from emollama.fusion.alignment import between, have_times, stands_on, to_length
from emollama.fusion.batch import Target
from emollama.fusion.configuration import FusionConfig
from emollama.fusion.layers import Tokens
from emollama.fusion.modeling import FusionOutput

UNKNOWN = -100
"""Placeholder for an unknown label where torch needs a number."""


def split_logits(config: FusionConfig, logits: Tensor) -> tuple[Tensor | None, Tensor | None]:
    """Columns of the labels [..., K] and of the values [..., T] (or [..., T, bins]), or None."""
    goal = config.goal
    at = len(config.labels) if goal.has_labels else 0
    values = logits[..., at:] if goal.values else None
    if values is not None and goal.value_loss == "ce+ccc":
        values = values.unflatten(-1, (len(goal.values), goal.bins))
    return (logits[..., :at] if at else None), values


def bin_centres(bins: int, like: Tensor) -> Tensor:
    """Centres [bins] that cut -1..1 evenly, both ends included."""
    return torch.linspace(-1, 1, bins, dtype=like.dtype, device=like.device)


def expectation(config: FusionConfig, values: Tensor) -> Tensor:
    """The answered values [..., T] of the value columns of `split_logits`."""
    if config.goal.value_loss != "ce+ccc":
        return values
    return (values.softmax(-1) * bin_centres(config.goal.bins, values)).sum(-1)


def ccc_loss(answer: Tensor, truth: Tensor, valid: Tensor) -> Tensor:
    """1 - concordance correlation (Lin 1989), population variance, over valid entries of one value.

    With fewer than two valid entries, concordance is undefined: the loss is 0 with a gradient of 0.
    """
    weight = valid.to(answer.dtype)
    count = weight.sum().clamp(min=1)
    truth = torch.where(valid, truth, 0.0)
    answer = torch.where(valid, answer, 0.0)
    mean_a, mean_t = answer.sum() / count, truth.sum() / count
    da = (answer - mean_a) * weight
    dt = (truth - mean_t) * weight
    covariance = (da * dt).sum() / count
    spread = (da**2).sum() / count + (dt**2).sum() / count + (mean_a - mean_t) ** 2
    concordance = 2 * covariance / (spread + 1e-8)
    enough = (valid.sum() >= 2).to(answer.dtype)
    return (1 - concordance) * enough


def on_frames(
    output: FusionOutput, frames: Tensor, times: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Logits over time on given frames: [B, L, W], and the mask of answered frames.

    A row without the reference modality is answered on another modality's steps, at other times and
    of another number. There the logits are interpolated linearly between steps; a single one is
    held constant.

    Args:
        output: with `valid`, and `times` if these are given.
        frames: bool [B, L], the frames to answer.
        times: seconds [B, L] of the frames, arbitrary or NaN where there is none; if None, frame i
            is the answered frame i.
    """
    assert output.logits is not None and output.valid is not None
    length = frames.shape[1]
    logits, valid = to_length(output.logits, length), to_length(output.valid, length)
    if times is None:
        return logits, valid
    assert output.times is not None
    own = stands_on(output.times, output.valid, frames, times)
    if bool(own.all()):
        return logits, valid
    at = torch.where(times.isfinite(), times, 0.0)
    between_steps = between(Tokens(output.logits, output.valid, output.times), at)
    # Where its steps have no times of their own, a row cannot be put onto others.
    placed = have_times(output.times, output.valid) | (output.valid.sum(dim=1) == 1)
    return (
        torch.where(own[:, None, None], logits, between_steps),
        torch.where(own[:, None], valid, placed[:, None] & frames),
    )


def loss(config: FusionConfig, output: FusionOutput, targets: Mapping[str, Target]) -> Tensor:
    """The task's loss (a scalar) plus the model's auxiliary loss; unknown targets are ignored.

    A batch without targets gives 0 with a gradient of 0.
    """
    goal = config.goal
    assert output.logits is not None
    labels, values = split_logits(config, output.logits)
    parts: list[Tensor] = []
    if labels is not None and goal.kind == "labels":
        parts.append(_labels_loss(config, labels, targets["labels"]))
    elif labels is not None:
        voted = targets.get("votes")
        parts.append(
            _label_loss(config, labels, targets["label"])
            if voted is None
            else soft_label_loss(
                labels, voted, _weights(config, labels), config.goal.label_smoothing
            )
        )
    if values is not None:
        target = targets["frames" if goal.kind == "frames" else "values"]
        valid = target.valid
        if goal.kind == "frames":
            answered, known = on_frames(output, valid.any(dim=-1), target.times)
            values = split_logits(config, answered)[1]
            assert values is not None
            valid = valid & known[..., None]
        parts.append(goal.value_weight * _values_loss(config, values, target.values, valid))
    if output.auxiliary is not None:
        parts.append(output.auxiliary)
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    return total


def _weights(config: FusionConfig, like: Tensor) -> Tensor | None:
    weights = config.class_weights
    return torch.tensor(weights, dtype=like.dtype, device=like.device) if weights else None


def _label_loss(config: FusionConfig, logits: Tensor, target: Target) -> Tensor:
    if not bool(target.valid.any()):
        return logits.sum() * 0
    return F.cross_entropy(
        logits,
        target.values.masked_fill(~target.valid, UNKNOWN),
        weight=_weights(config, logits),
        ignore_index=UNKNOWN,
        label_smoothing=config.goal.label_smoothing,
    )


def soft_label_loss(
    logits: Tensor, target: Target, weights: Tensor | None = None, smoothing: float = 0.0
) -> Tensor:
    """Cross-entropy with shares of votes, over rows that have any; 0 with a gradient of 0 if none.

    Of votes for one label it is `torch.nn.functional.cross_entropy` with that label.

    Args:
        logits: [B, K].
        target: shares [B, K] that sum to 1, and which rows are known.
        weights: a factor a label [K]; the mean is over the votes' own weights then.
        smoothing: part of the target that is spread evenly over all labels.
    """
    shares = torch.where(target.valid, target.values, 0.0)
    factors = torch.ones_like(logits[0]) if weights is None else weights
    smooth = (1 - smoothing) * shares + smoothing / logits.shape[-1] * target.valid
    each = -(factors * smooth * logits.log_softmax(-1)).sum()
    total = (factors * shares).sum()
    return each / torch.where(total > 0, total, 1.0)


def _labels_loss(config: FusionConfig, logits: Tensor, target: Target) -> Tensor:
    each = F.binary_cross_entropy_with_logits(
        logits,
        torch.where(target.valid, target.values, 0.0),
        pos_weight=_weights(config, logits),
        reduction="none",
    )
    return (each * target.valid).sum() / target.valid.sum().clamp(min=1)


def _values_loss(config: FusionConfig, columns: Tensor, truth: Tensor, valid: Tensor) -> Tensor:
    goal = config.goal
    answers = expectation(config, columns)
    if goal.value_loss == "mse":
        error = (answers - torch.where(valid, truth, answers.detach())) ** 2
        return (error * valid).sum() / valid.sum().clamp(min=1)
    each = [
        ccc_loss(answers[..., i], truth[..., i], valid[..., i]) for i in range(len(goal.values))
    ]
    total = torch.stack(each).mean()
    if goal.value_loss == "ce+ccc" and bool(valid.any()):
        nearest = columns.new_tensor(1.0) * (truth[..., None] - bin_centres(goal.bins, columns))
        wanted = nearest.abs().argmin(-1)
        total = total + F.cross_entropy(columns[valid], wanted[valid])
    return total
