"""Projectors that start from a linear probe.

A random projector hands the language model an unreadable mixture, and its hundreds of inputs have
to be sorted by gradient from a few hundred samples. A logistic regression over all streams finds
in a second which directions tell the labels apart. Each stream's share of its logits, times the
embeddings of the words that they stand for, is a linear map into token space: at step 0 a stream
already reads as a blend of label words, and adding the streams up is the regression. Tuning goes
on from there with every weight free.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression

from emollama.errors import EmollamaError
from emollama.features.tracks import TrackReader
from emollama.llm.modeling import EmotionLlama
from emollama.llm.processing import EmotionLlamaProcessor, fit_steps
from emollama.sample import Sample

STRENGTH = 0.01
"""C of the probe: strong, so that it leans on what is common to many speakers."""


@torch.no_grad()
def start_from_probe(
    model: EmotionLlama,
    processor: EmotionLlamaProcessor,
    streams: Sequence[str],
    readers: Mapping[str, TrackReader],
    samples: Sequence[Sample],
) -> None:
    """Set the linear projectors of some streams from one probe of the training labels.

    The standardisers must have been fitted. One factor scales all of the maps, so that a stream
    that tells little stays quiet beside one that tells much. A constant of an embedding's own size
    stands under each output: the language model normalises every token, and would blow a quiet
    one up to the size of a loud one.
    """
    labelled = [s for s in samples if s.targets.emotion is not None]
    targets = [processor.labels.labels.index(str(s.targets.emotion)) for s in labelled]
    if len(set(targets)) < 2:
        raise EmollamaError("start: probe needs two labels among the training samples")
    blocks = [_standardised(model, name, readers[name], labelled) for name in streams]
    x = np.concatenate(blocks, axis=1)
    probe = LogisticRegression(C=STRENGTH, max_iter=3000).fit(x, targets)
    rows = probe.coef_ if len(probe.classes_) > 2 else np.vstack([-probe.coef_, probe.coef_])
    table = cast(torch.Tensor, model.get_input_embeddings().weight)
    words = torch.stack(
        [table[processor.label_ids()[k][:-1]].float().mean(dim=0) for k in probe.classes_]
    )
    common = words.mean(dim=0)
    weight = (words - common).T @ torch.from_numpy(rows).float()
    scale = model.projector(streams[0]).output_scale
    size = scale / (torch.from_numpy(x).float() @ weight.T).std()
    under = common / common.std() * scale
    start = 0
    for name, block in zip(streams, blocks, strict=True):
        projector = model.projector(name)
        part = weight[:, start : start + block.shape[1]] * size
        start += block.shape[1]
        projector.output.weight.copy_(part)
        projector.output.bias.copy_(under)


def _standardised(
    model: EmotionLlama, name: str, reader: TrackReader, samples: Sequence[Sample]
) -> np.ndarray:
    """[n, width]: a stream's mean over steps as its projector sees it; 0 where it is absent."""
    projector = model.projector(name)
    mean, deviation = projector.mean.numpy(), projector.deviation.numpy()
    values = np.zeros((len(samples), projector.config.width))
    for row, sample in enumerate(samples):
        track = reader.get(sample.id)
        if track is not None:
            steps = fit_steps(track.values, projector.config.tokens)
            values[row] = ((steps - mean) / deviation).clip(-10, 10).mean(axis=0)
    return values
