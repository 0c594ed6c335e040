"""Initial projectors from a linear probe.

A random projector gives the language model an unreadable mixture, and training has to sort out its
hundreds of inputs from a few hundred samples. A logistic regression over all streams finds in a
second the directions that separate the labels. Each stream's part of its logits, times the
embeddings of the label words, is a linear map into token space: at step 0 a stream already reads as
a blend of label words, and the sum over streams is the regression. Tuning continues from there with
every weight free.

The regression overfits its training samples: on them each stream almost always names the label, on
a new speaker much less often, and a language model tuned on the former learns to trust the streams
too much. So in training a sample is presented as by a regression that was fitted without its group
(cross-fitting, as in stacked generalization: Wolpert, 1992).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
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
"""By stream and sample id: the shift [width] added to each step of a track in training."""


@torch.no_grad()
def start_from_probe(
    model: EmotionLlama,
    processor: EmotionLlamaProcessor,
    streams: Sequence[str],
    readers: Mapping[str, TrackReader],
    samples: Sequence[Sample],
    strength: float,
    alone: bool = False,
) -> Shifts:
    """Set the linear projectors of some streams from one probe of the training labels.

    `strength` is the probe's C: the smaller, the more it relies on what many speakers share.
    `alone`: fit it on every sample once with all channels and once with each channel alone, so that
    a channel's part of the logits also serves without the others.
    Returns the shifts that correct the projected training samples as if the probe had been fitted
    without their groups; they are for training only. The standardisers must have been fitted. One
    factor scales all maps, so that an uninformative stream stays weak beside an informative one. A
    constant of an embedding's size is added to each output: the language model
    normalises every token, and would otherwise amplify a weak one to full size.
    """
    labelled = [s for s in samples if s.targets.emotion is not None]
    targets = [processor.labels.labels.index(str(s.targets.emotion)) for s in labelled]
    if len(set(targets)) < 2:
        raise EmollamaError("initial_weights: probe needs two labels among the training samples")
    x, spans = _side_by_side(model, streams, readers, labelled)
    probe = Probe(strength, _channel_masks(processor, streams, spans) if alone else ())
    classes, rows = probe.fit(x, targets)
    table = cast(torch.nn.Parameter, model.get_input_embeddings().weight)
    with whole([table]):
        words = torch.stack(
            [table[processor.label_ids()[k][:-1]].float().mean(dim=0) for k in classes]
        )
    _set_projectors(model, streams, spans, x, rows, words)

    def refit(fit: np.ndarray) -> np.ndarray | None:
        if set(np.take(targets, fit)) != set(targets):
            return None  # a label that only the held-out groups show: nothing to compare with
        return probe.fit(x[fit], np.take(targets, fit).tolist())[1]

    folds = _folds(labelled, x, targets)
    return _held_out_shifts(model, streams, spans, labelled, x, rows, folds, refit)


@dataclass(frozen=True)
class Probe:
    """A regression of labels on features.

    Attributes:
        strength: its C.
        masks: bool [D] of the columns of each channel, which it is also fitted on alone.
    """

    strength: float
    masks: Sequence[np.ndarray] = ()

    def fit(self, x: np.ndarray, targets: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
        """Classes [K] and coefficients [K, D]."""
        shown = [x, *(x * mask for mask in self.masks)]
        fitted = LogisticRegression(C=self.strength, max_iter=3000)
        fitted.fit(np.concatenate(shown), np.tile(targets, len(shown)))
        rows = fitted.coef_
        return fitted.classes_, rows if len(fitted.classes_) > 2 else np.vstack([-rows, rows])


def _channel_masks(
    processor: EmotionLlamaProcessor, streams: Sequence[str], spans: Sequence[slice]
) -> list[np.ndarray]:
    """The columns of each channel; none where there is one channel only."""
    channels = {stream.name: stream.channel for stream in processor.streams}
    masks: dict[str, np.ndarray] = {}
    for name, span in zip(streams, spans, strict=True):
        mask = masks.setdefault(channels[name], np.zeros(spans[-1].stop, bool))
        mask[span] = True
    return list(masks.values()) if len(masks) > 1 else []


def _set_projectors(
    model: EmotionLlama,
    streams: Sequence[str],
    spans: Sequence[slice],
    x: np.ndarray,
    rows: np.ndarray,
    words: torch.Tensor,
) -> None:
    """Make projectors blend embeddings by the values that a regression gives their features.

    Args:
        model: whose projectors are set.
        streams: whose features stand side by side in `x`.
        spans: their columns.
        x: features [n, D], for the scale.
        rows: coefficients [K, D].
        words: embedding [K, H] of what each of them stands for.
    """
    common = words.mean(dim=0)
    weight = (words - common).T @ torch.from_numpy(rows).float()
    scale = model.projector(streams[0]).output_scale
    size = scale / (torch.from_numpy(x).float() @ weight.T).std()
    under = common / common.std() * scale
    for name, span in zip(streams, spans, strict=True):
        projector = model.projector(name)
        projector.output.weight.copy_(weight[:, span] * size)
        projector.output.bias.copy_(under)


def _held_out_shifts(
    model: EmotionLlama,
    streams: Sequence[str],
    spans: Sequence[slice],
    samples: Sequence[Sample],
    x: np.ndarray,
    rows: np.ndarray,
    folds: Iterable[tuple[np.ndarray, np.ndarray]],
    refit: Callable[[np.ndarray], np.ndarray | None],
) -> Shifts:
    """The smallest changes of the features [n, D] that turn values x · rows into held-out ones.

    Args:
        model: whose standardisers have been fitted.
        streams: whose features stand side by side in `x`.
        spans: their columns.
        samples: the rows of `x`.
        x: features.
        rows: coefficients [K, D] fitted on all samples.
        folds: (fitted on, held out) indices.
        refit: the coefficients fitted on some samples; None where they do not suffice.
    """
    shifts: Shifts = {name: {} for name in streams}
    back = [np.linalg.pinv(rows[:, span], rcond=1e-6) for span in spans]
    for fit, held_out in folds:
        others = refit(fit)
        if others is None:
            continue
        for name, span, inverse in zip(streams, spans, back, strict=True):
            part = x[held_out, span]
            change = part @ (others[:, span] - rows[:, span]).T @ inverse.T
            change[~part.any(axis=1)] = 0  # an absent track stays absent
            raw = change * model.projector(name).deviation.numpy()
            for i, row in zip(held_out, raw.astype(np.float32), strict=True):
                shifts[name][samples[i].id] = row
    return shifts


def groups_of(samples: Sequence[Sample]) -> list[str]:
    """The group of each sample; its own where it has none."""
    return [s.group or s.id for s in samples]


def _folds(
    samples: Sequence[Sample], x: np.ndarray, targets: Sequence[int]
) -> Iterable[tuple[np.ndarray, np.ndarray]]:
    groups = groups_of(samples)
    if len(set(groups)) >= FOLDS:
        return GroupKFold(FOLDS).split(x, targets, groups)
    if min(targets.count(k) for k in set(targets)) >= FOLDS:
        return StratifiedKFold(FOLDS).split(x, targets, groups)
    return ()


def _side_by_side(
    model: EmotionLlama,
    streams: Sequence[str],
    readers: Mapping[str, TrackReader],
    samples: Sequence[Sample],
) -> tuple[np.ndarray, list[slice]]:
    """Features [n, D] of streams side by side, as their projectors see them, and their columns."""
    blocks = [_standardised(model, name, readers[name], samples) for name in streams]
    edges = np.cumsum([0] + [block.shape[1] for block in blocks])
    return np.concatenate(blocks, axis=1), [slice(a, b) for a, b in pairwise(edges)]


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
