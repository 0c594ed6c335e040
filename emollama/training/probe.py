"""A projector's start from a linear probe.

A random projector hands the language model an unreadable mixture and has to be found by gradient
from a few hundred samples. A logistic regression finds in a second which directions of a track
tell the labels apart. Its logits, each times the embedding of the word it stands for, are a linear
map into token space: at step 0 the stream already reads as a blend of label words ("rather sad,
a little calm"), and tuning goes on from there with every weight free.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression

from emollama.errors import EmollamaError
from emollama.features.tracks import TrackReader
from emollama.llm.modeling import EmotionLlama
from emollama.llm.processing import EmotionLlamaProcessor, fit_steps
from emollama.sample import Sample

STRENGTH = 0.003
"""C of the probe: strong, so that it leans on what is common to many speakers."""


@torch.no_grad()
def start_from_probe(
    model: EmotionLlama,
    processor: EmotionLlamaProcessor,
    stream: str,
    readers: Mapping[str, TrackReader],
    samples: Sequence[Sample],
) -> None:
    """Set a linear projector's weights from a probe of the training samples' labels.

    The standardiser must have been fitted. The map is scaled so that its outputs over the training
    samples have the deviation of the language model's own embeddings.
    """
    projector = model.projector(stream)
    tokens = projector.config.tokens
    rows, labels = [], []
    for sample in samples:
        track = readers[stream].get(sample.id)
        if track is not None and sample.targets.emotion is not None:
            rows.append(fit_steps(track.values, tokens).mean(axis=0))
            labels.append(processor.labels.labels.index(sample.targets.emotion))
    if len(set(labels)) < 2:
        raise EmollamaError(
            f"stream '{stream}': start: probe needs two labels in training"
        )
    mean, deviation = projector.mean.numpy(), projector.deviation.numpy()
    x = ((np.stack(rows) - mean) / deviation).clip(-10, 10)
    probe = LogisticRegression(C=STRENGTH, max_iter=2000, class_weight="balanced").fit(x, labels)
    coefficients = (
        probe.coef_ if len(probe.classes_) > 2 else np.vstack([-probe.coef_, probe.coef_])
    )
    table = model.get_input_embeddings().weight
    words = torch.stack(
        [table[processor.label_ids()[k][:-1]].float().mean(dim=0) for k in probe.classes_]
    )
    words = words - words.mean(dim=0)
    weight = words.T @ torch.from_numpy(coefficients).float()
    outputs = torch.from_numpy(x).float() @ weight.T
    size = projector.output_scale / outputs.std()
    projector.output.weight.copy_(weight * size)
    projector.output.bias.copy_(-(outputs.mean(dim=0) * size))
