"""From laid-out samples to tensors for EmotionLlama: padded rows, one packed row, or branches.

Packed samples follow one another without padding. Their position ids restart, from which
transformers infers the boundaries and blocks attention across them, so that each sample's loss is
the same as alone.

Answers to one prompt are branches of its row: the prompt is read once, and under a tree mask each
answer sees the prompt and itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from emollama.llm.configuration import StreamConfig
from emollama.llm.modeling import IGNORED, TEXT


@dataclass
class Encoded:
    """One sample, laid out: lists over S positions, and [tokens, width] features a stream."""

    input_ids: list[int]
    stream_ids: list[int]
    labels: list[int]
    features: dict[str, np.ndarray]
    present: dict[str, bool]
    weight: float = 1.0

    @property
    def positions(self) -> int:
        """How many positions it takes in a row."""
        return len(self.input_ids)

    @property
    def supervised(self) -> int:
        """At how many of them a token is learned."""
        return sum(label != IGNORED for label in self.labels)


@dataclass
class Branched(Encoded):
    """A prompt and token ids of several `answers` to it; each begins where the prompt ends."""

    answers: Sequence[Sequence[int]] = ()

    @property
    def positions(self) -> int:
        """The last token of the prompt stands again before each answer, which it predicts."""
        return len(self.input_ids) - 1 + sum(1 + len(answer) for answer in self.answers)

    @property
    def supervised(self) -> int:
        """All tokens of the answers."""
        return sum(map(len, self.answers))


def by_count(lengths: Sequence[int], size: int) -> list[list[int]]:
    """Indices in groups of `size`, shortest first, so that rows of a group have similar lengths."""
    order = sorted(range(len(lengths)), key=lambda i: (lengths[i], i))
    return [order[i : i + size] for i in range(0, len(order), size)]


def padded(
    samples: Sequence[Encoded], streams: Sequence[StreamConfig], pad_id: int
) -> dict[str, Any]:
    """One row per sample, padded on the left; see `EmotionLlama.forward` for the shapes."""
    size = max(len(s.input_ids) for s in samples)

    def rows(lists: Sequence[Sequence[int]], fill: int) -> Tensor:
        return torch.tensor([[fill] * (size - len(r)) + list(r) for r in lists])

    mask = rows([[1] * len(s.input_ids) for s in samples], 0)
    return {
        "input_ids": rows([s.input_ids for s in samples], pad_id),
        "stream_ids": rows([s.stream_ids for s in samples], TEXT),
        "attention_mask": mask,
        "position_ids": (mask.cumsum(1) - 1).clamp(min=0),
        "labels": rows([s.labels for s in samples], IGNORED),
        **_beside(samples, streams),
    }


def packed(samples: Sequence[Encoded], streams: Sequence[StreamConfig]) -> dict[str, Any]:
    """All samples in one row [1, S], without an attention mask; `sample_ids` distinguishes them."""
    lengths = [len(s.input_ids) for s in samples]
    # The token before a sample's first is its neighbour's last, and must not learn to predict it.
    labels = [[IGNORED, *s.labels[1:]] for s in samples]
    return {
        "input_ids": _row([s.input_ids for s in samples]),
        "stream_ids": _row([s.stream_ids for s in samples]),
        "position_ids": _row([range(n) for n in lengths]),
        "sample_ids": _row([[i] * n for i, n in enumerate(lengths)]),
        "labels": _row(labels),
        **_beside(samples, streams),
    }


def branched(
    samples: Sequence[Branched], streams: Sequence[StreamConfig], pad_id: int
) -> dict[str, Any]:
    """One row per prompt with its answers, padded on the left; `sample_ids` counts all answers.

    `attention_mask` is bool [B, 1, S, S], True where the position of a row sees that of a column.
    """
    size = max(s.positions for s in samples)
    ids, streams_of, places, labels, owners, branches = ([] for _ in range(6))
    count = 0
    for sample in samples:
        end = len(sample.input_ids) - 1
        row, place, label = sample.input_ids[:end], list(range(end)), [IGNORED] * end
        owner, branch = [0] * end, [0] * end
        for number, answer in enumerate(sample.answers, start=1):
            length = 1 + len(answer)
            row = [*row, sample.input_ids[end], *answer]
            place += range(end, end + length)
            label += [IGNORED, *answer]
            owner += [count] * length
            branch += [number] * length
            count += 1
        pad = size - len(row)
        ids.append([pad_id] * pad + row)
        streams_of.append([TEXT] * pad + sample.stream_ids[:end] + [TEXT] * (len(row) - end))
        places.append([0] * pad + place)
        labels.append([IGNORED] * pad + label)
        owners.append([0] * pad + owner)
        branches.append([-1] * pad + branch)
    of = torch.tensor(branches)
    seen = (of[:, None, :] == of[:, :, None]) | (of[:, None, :] == 0) & (of[:, :, None] > 0)
    # A padding position sees padding, or its row of the softmax would be empty.
    mask = seen & torch.ones(size, size, dtype=torch.bool).tril()
    beside = _beside(samples, streams)
    return {
        "input_ids": torch.tensor(ids),
        "stream_ids": torch.tensor(streams_of),
        "attention_mask": mask[:, None],
        "position_ids": torch.tensor(places),
        "sample_ids": torch.tensor(owners),
        "labels": torch.tensor(labels),
        "features": beside["features"],
        "present": beside["present"],
    }


def to_device(batch: dict[str, Any], device: torch.device) -> dict[str, Any]:
    """A batch on a device, its dictionaries of streams included."""
    return {
        key: to_device(value, device) if isinstance(value, dict) else value.to(device)
        for key, value in batch.items()
    }


def _row(parts: Sequence[Sequence[int]]) -> Tensor:
    return torch.tensor([[value for part in parts for value in part]])


def _beside(samples: Sequence[Encoded], streams: Sequence[StreamConfig]) -> dict[str, Any]:
    """Loss weights [N], and features and presence of the samples that have a stream's tokens."""
    batch: dict[str, Any] = {
        "loss_weights": torch.tensor([s.weight for s in samples]),
        "features": {},
        "present": {},
    }
    for stream in streams:
        having = [s for s in samples if stream.name in s.features]
        if having:
            values = np.stack([s.features[stream.name] for s in having])
            batch["features"][stream.name] = torch.from_numpy(values)
            batch["present"][stream.name] = torch.tensor([s.present[stream.name] for s in having])
    return batch
