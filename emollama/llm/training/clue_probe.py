"""Initial projectors from a linear probe of the clues, for streams that reasons are to read.

A projector that starts from the labels (`probe`) tells of six directions of its features and drops
what a reason is to name. Here a ridge regression of each clue of a channel, times the embeddings of
the clue's phrase, is the map into token space: at step 0 the stream reads as a blend of the phrases
of what it shows. Training samples are presented as by a regression fitted without their group.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

import numpy as np
import torch
from sklearn.model_selection import GroupKFold

from emollama.base.errors import EmollamaError
from emollama.features.tracks import TrackReader
from emollama.llm.modeling import EmotionLlama
from emollama.llm.partitioned import whole
from emollama.llm.processing import EmotionLlamaProcessor
from emollama.llm.training.methods.phrases import clues_named
from emollama.llm.training.probe import (
    FOLDS,
    Shifts,
    groups_of,
    held_out_shifts,
    set_projectors,
    side_by_side,
)
from emollama.manifest.channels import Channel
from emollama.manifest.sample import Sample
from emollama.probe.vocabulary import PHRASES, rendered_clues

FEWEST = 8
"""Samples with a clue, and without, for it to be learned."""


@torch.no_grad()
def start_from_clues(
    model: EmotionLlama,
    processor: EmotionLlamaProcessor,
    streams: Sequence[str],
    readers: Mapping[str, TrackReader],
    samples: Sequence[Sample],
    strength: float,
) -> Shifts:
    """Set the linear projectors of some streams from regressions of the clues of their channel.

    `strength` is the inverse of the ridge's penalty: smaller where few people are known. The other
    arguments, the result and the scale are those of `probe.start_from_probe`.

    Raises:
        EmollamaError: too few samples have known clues of a channel.
    """
    channels: dict[Channel, list[str]] = {}
    for stream in processor.streams:
        if stream.name in streams:
            channels.setdefault(stream.channel, []).append(stream.name)
    held = [clues_known(s) for s in samples]
    known = [(s, clues) for s, clues in zip(samples, held, strict=True) if clues]
    shifts: Shifts = {}
    for channel, names in channels.items():
        shifts |= _of_channel(model, processor, channel, names, readers, known, strength)
    return shifts


def clues_known(sample: Sample) -> frozenset[str]:
    """The clues of a training sample: what was rendered, else what its reference reason names."""
    if "face_units" in sample.truth:
        return frozenset(rendered_clues(sample.truth))
    return frozenset(clues_named(sample.targets.reason or ""))


def channel_of(clue: str) -> Channel:
    """The channel that a clue is of."""
    if clue.startswith(("AU", "face=")):
        return "face"
    return "words" if clue.startswith("words=") else "voice"


def _of_channel(
    model: EmotionLlama,
    processor: EmotionLlamaProcessor,
    channel: Channel,
    names: Sequence[str],
    readers: Mapping[str, TrackReader],
    known: Sequence[tuple[Sample, frozenset[str]]],
    strength: float,
) -> Shifts:
    samples = [sample for sample, _ in known]
    clues = [c for c in PHRASES if channel_of(c) == channel]
    shown = np.array([[float(c in held) for c in clues] for _, held in known])
    counts = shown.sum(0) if known else np.zeros(len(clues))
    kept = np.flatnonzero((counts >= FEWEST) & (len(known) - counts >= FEWEST))
    if len(kept) < 2:
        raise EmollamaError(
            f"initial_weights: clues needs two clues of the {channel} that {FEWEST} training "
            f"samples have and {FEWEST} have not; reasons or truth tell of {len(kept)}"
        )
    x, spans = side_by_side(model, names, readers, samples)
    targets = shown[:, kept]
    rows = _ridge(x, targets, strength)
    table = cast(torch.nn.Parameter, model.get_input_embeddings().weight)
    with whole([table]):
        words = torch.stack([_embedded(table, processor, PHRASES[clues[k]]) for k in kept])
    set_projectors(model, names, spans, x, rows, words)
    groups = groups_of(samples)
    folds = GroupKFold(FOLDS).split(x, None, groups) if len(set(groups)) >= FOLDS else ()
    return held_out_shifts(
        model, names, spans, samples, x, rows, folds,
        lambda fit: _ridge(x[fit], targets[fit], strength),
    )  # fmt: skip


def _ridge(x: np.ndarray, targets: np.ndarray, strength: float) -> np.ndarray:
    """Coefficients [K, D] of targets [n, K], each in its own deviations, on features [n, D]."""
    y = (targets - targets.mean(0)) / np.maximum(targets.std(0), 1e-6)
    centred = x - x.mean(0)
    inner = centred @ centred.T  # n x n: there are more columns than samples
    inner[np.diag_indices_from(inner)] += 1 / strength
    found: np.ndarray = np.linalg.solve(inner, y).T @ centred
    return found


def _embedded(
    table: torch.nn.Parameter, processor: EmotionLlamaProcessor, phrase: str
) -> torch.Tensor:
    """Mean embedding of a phrase's words, as they stand within a sentence."""
    words = phrase.removeprefix("a ").removeprefix("an ")
    return table[processor.text_ids(f" {words}")].float().mean(dim=0)
