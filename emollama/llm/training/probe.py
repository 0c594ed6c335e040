"""Projectors that start from a linear probe.

A random projector hands the language model an unreadable mixture, and its hundreds of inputs have
to be sorted by gradient from a few hundred samples. A logistic regression over all streams finds
in a second which directions tell the labels apart. Each stream's share of its logits, times the
embeddings of the words that they stand for, is a linear map into token space: at step 0 a stream
already reads as a blend of label words, and adding the streams up is the regression. Tuning goes
on from there with every weight free.

The regression knows its training samples too well: on them each stream names the label almost
always, on a new speaker a good deal less, and a language model tuned on the former learns to
believe whatever it reads. So in training a sample is shown as a regression sees it that was fitted
without its group (cross-fitting, as in stacked generalization: Wolpert, 1992).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import cast

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold, StratifiedKFold

from emollama.base.errors import EmollamaError
from emollama.features.tracks import TrackReader
from emollama.inputs.segments import fit_steps
from emollama.llm.modeling import EmotionLlama
from emollama.llm.partitioned import whole
from emollama.llm.processing import EmotionLlamaProcessor
from emollama.manifest.sample import Sample

FOLDS = 5

Shifts = dict[str, dict[str, np.ndarray]]
"""By stream and sample id: what is added to each step of a track [width] in training."""


@torch.no_grad()
def start_from_probe(
    model: EmotionLlama,
    processor: EmotionLlamaProcessor,
    streams: Sequence[str],
    readers: Mapping[str, TrackReader],
    samples: Sequence[Sample],
    strength: float,
) -> Shifts:
    """Set the linear projectors of some streams from one probe of the training labels.

    `strength` is the probe's C: the smaller, the more it leans on what is common to many speakers.

    Returns the shifts that make the projected training samples what they would be had the probe
    been fitted without their groups; they belong to training alone. The standardisers must have
    been fitted. One factor scales all of the maps, so that a stream
    that tells little stays quiet beside one that tells much. A constant of an embedding's own size
    stands under each output: the language model normalises every token, and would blow a quiet
    one up to the size of a loud one.
    """
    labelled = [s for s in samples if s.targets.emotion is not None]
    targets = [processor.labels.labels.index(str(s.targets.emotion)) for s in labelled]
    if len(set(targets)) < 2:
        raise EmollamaError("initial_weights: probe needs two labels among the training samples")
    blocks = [_standardised(model, name, readers[name], labelled) for name in streams]
    x = np.concatenate(blocks, axis=1)
    classes, rows = _probe(x, targets, strength)
    table = cast(torch.nn.Parameter, model.get_input_embeddings().weight)
    with whole([table]):
        words = torch.stack(
            [table[processor.label_ids()[k][:-1]].float().mean(dim=0) for k in classes]
        )
    common = words.mean(dim=0)
    weight = (words - common).T @ torch.from_numpy(rows).float()
    scale = model.projector(streams[0]).output_scale
    size = scale / (torch.from_numpy(x).float() @ weight.T).std()
    under = common / common.std() * scale
    edges = np.cumsum([0] + [block.shape[1] for block in blocks])
    spans = [slice(a, b) for a, b in pairwise(edges)]
    for name, span in zip(streams, spans, strict=True):
        projector = model.projector(name)
        projector.output.weight.copy_(weight[:, span] * size)
        projector.output.bias.copy_(under)
    return _shifts(model, streams, spans, labelled, x, targets, rows, strength)


def _probe(x: np.ndarray, targets: Sequence[int], strength: float) -> tuple[np.ndarray, np.ndarray]:
    """Classes [K] and coefficients [K, D] of the regression."""
    fitted = LogisticRegression(C=strength, max_iter=3000).fit(x, targets)
    rows = fitted.coef_
    return fitted.classes_, rows if len(fitted.classes_) > 2 else np.vstack([-rows, rows])


def _shifts(
    model: EmotionLlama,
    streams: Sequence[str],
    spans: Sequence[slice],
    samples: Sequence[Sample],
    x: np.ndarray,
    targets: Sequence[int],
    rows: np.ndarray,
    strength: float,
) -> Shifts:
    """The smallest changes of the features [n, D] that turn logits into held-out logits."""
    shifts: Shifts = {name: {} for name in streams}
    groups = [s.group or s.id for s in samples]
    folds: GroupKFold | StratifiedKFold
    if len(set(groups)) >= FOLDS:
        folds = GroupKFold(FOLDS)
    elif min(targets.count(k) for k in set(targets)) >= FOLDS:
        folds = StratifiedKFold(FOLDS)
    else:
        return shifts
    back = [np.linalg.pinv(rows[:, span], rcond=1e-6) for span in spans]
    for fit, held_out in folds.split(x, targets, groups):
        if set(np.take(targets, fit)) != set(targets):
            continue  # a label that only the held-out groups show: nothing to compare with
        _, others = _probe(x[fit], np.take(targets, fit).tolist(), strength)
        for name, span, inverse in zip(streams, spans, back, strict=True):
            part = x[held_out, span]
            change = part @ (others[:, span] - rows[:, span]).T @ inverse.T
            change[~part.any(axis=1)] = 0  # an absent track stays absent
            raw = change * model.projector(name).deviation.numpy()
            for i, row in zip(held_out, raw.astype(np.float32), strict=True):
                shifts[name][samples[i].id] = row
    return shifts


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
