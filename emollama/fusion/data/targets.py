"""Targets of samples as tensors with validity masks, from a manifest."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from emollama.base.errors import EmollamaError, did_you_mean
from emollama.corpora.readers.aff_wild2 import read_frame_rows
from emollama.fusion.batch import Target
from emollama.fusion.configuration import FusionTask
from emollama.manifest.labels import LabelSet
from emollama.manifest.open_words import labels_of_words
from emollama.manifest.sample import Manifest, Sample
from emollama.media.lengths import frame_times

FRAME_VALUES = ("valence", "arousal")
"""Columns of a file of targets over time."""
CLIP_VALUES = ("sentiment", *FRAME_VALUES)
"""Quantities that a manifest has for a whole clip."""


def require_values(task: FusionTask) -> None:
    """Raise an error for a quantity that manifests do not have."""
    known = FRAME_VALUES if task.kind == "frames" else CLIP_VALUES
    for name in task.values:
        if name not in known:
            raise EmollamaError(f"task.values: '{name}'{did_you_mean(name, known)}")


def shown_labels(sample: Sample, labels: LabelSet) -> dict[str, bool] | None:
    """Whether the sample shows each label: by intensities above 0, else by its set of words.

    None where neither says anything of these labels.
    """
    if sample.targets.emotions is None:
        named = labels_of_words(sample.targets.words, labels)
        return {x: x in named for x in labels.labels} if named else None
    where = f"sample '{sample.id}': targets.emotions"
    return {labels.require(x, where): y > 0 for x, y in sample.targets.emotions.items()}


class TargetTable:
    """Targets of n samples for a task, read once.

    Args:
        manifest: for the label set, and the folder of frame files.
        samples: in the order of the rows.
        task: what is predicted.
        labels: the label set of the model, in order.
        grids: for "frames": for each sample the times [L] of the steps of its tracks, the first
            modality's first. A frame file has a line for each step of one of them, or for each
            frame of the sample's video, which gives the times of its frames.

    Raises:
        EmollamaError: a quantity that manifests do not have, a label outside the set, or a frame
            file that cannot be read or has another number of frames.
    """

    def __init__(
        self,
        manifest: Manifest,
        samples: Sequence[Sample],
        task: FusionTask,
        labels: LabelSet,
        grids: Sequence[Sequence[np.ndarray]] = (),
    ) -> None:
        require_values(task)
        self.task = task
        self.size = len(labels.labels)
        self.whole: dict[str, Target] = {}
        self.frames: list[np.ndarray] = []
        self.times: list[np.ndarray] = []
        if task.kind in ("label", "label+values"):
            self.whole["label"] = _label(samples, labels)
            if task.soft_labels:
                self.whole["votes"] = _votes(samples, labels)
        if task.kind == "labels":
            self.whole["labels"] = _labels(samples, labels)
        if task.kind in ("values", "label+values"):
            self.whole["values"] = _values(samples, task.values)
        if task.kind == "frames":
            columns = [FRAME_VALUES.index(name) for name in task.values]
            for sample, grid in zip(samples, grids, strict=True):
                values, times = _frames(manifest, sample, grid)
                self.frames.append(values[:, columns])
                self.times.append(times)

    def take(self, rows: Tensor) -> dict[str, Target]:
        """Targets of rows (int64 [B]).

        Frames are padded to the longest of these rows, at least 1; their times are NaN where a row
        has none.
        """
        if self.task.kind != "frames":
            return {
                k: Target(t.values.index_select(0, rows), t.valid.index_select(0, rows))
                for k, t in self.whole.items()
            }
        chosen = rows.tolist()
        longest = max([1, *(len(self.frames[row]) for row in chosen)])
        values = torch.full((len(chosen), longest, len(self.task.values)), torch.nan)
        times = torch.full((len(chosen), longest), torch.nan)
        for i, row in enumerate(chosen):
            values[i, : len(self.frames[row])] = torch.from_numpy(self.frames[row])
            times[i, : len(self.times[row])] = torch.from_numpy(self.times[row])
        valid = ~values.isnan()
        return {"frames": Target(torch.where(valid, values, 0.0), valid, times)}

    def chosen(self, rows: Sequence[int]) -> TargetTable:
        """A table of these rows alone."""
        found = copy.copy(self)
        index = torch.as_tensor(rows, dtype=torch.int64)
        found.whole = {k: Target(t.values[index], t.valid[index]) for k, t in self.whole.items()}
        found.frames = [self.frames[row] for row in rows] if self.frames else []
        found.times = [self.times[row] for row in rows] if self.times else []
        return found

    def class_weights(self) -> list[float]:
        """One factor a label, over these samples: balanced as `FusionTask.class_weights` says."""
        if self.task.kind == "labels":
            target = self.whole["labels"]
            positive = (target.values * target.valid).sum(0)
            negative = target.valid.sum(0) - positive
            weights = torch.where((positive > 0) & (negative > 0), negative / positive, 1.0)
            return [float(w) for w in weights]
        target = self.whole["label"]
        counts: Tensor = torch.bincount(target.values[target.valid], minlength=self.size)
        if "votes" in self.whole:
            counts = self.whole["votes"].values.double().sum(0)
        held = counts > 0
        each = torch.where(held, counts, 1)
        weights = torch.where(held, counts.sum() / (held.sum() * each), 1.0)
        return [float(w) for w in weights]


def _label(samples: Sequence[Sample], labels: LabelSet) -> Target:
    codes = [
        -1 if s.targets.emotion is None else labels.labels.index(s.targets.emotion) for s in samples
    ]
    values = torch.tensor(codes, dtype=torch.int64)
    return Target(values.clamp(min=0), values >= 0)


def _votes(samples: Sequence[Sample], labels: LabelSet) -> Target:
    """Shares of votes, those of a sample without votes all for its label."""
    values = torch.zeros(len(samples), len(labels.labels))
    for i, sample in enumerate(samples):
        emotion = sample.targets.emotion
        shares = sample.targets.shares() or ({} if emotion is None else {emotion: 1.0})
        for label, share in shares.items():
            values[i, labels.labels.index(label)] = share
    return Target(values, (values.sum(1, keepdim=True) > 0).expand_as(values).clone())


def _labels(samples: Sequence[Sample], labels: LabelSet) -> Target:
    values = torch.full((len(samples), len(labels.labels)), torch.nan)
    for i, sample in enumerate(samples):
        for label, shown in (shown_labels(sample, labels) or {}).items():
            values[i, labels.labels.index(label)] = float(shown)
    return _known(values)


def _values(samples: Sequence[Sample], names: Sequence[str]) -> Target:
    rows = [[getattr(s.targets, name) for name in names] for s in samples]
    filled = [[np.nan if v is None else v for v in row] for row in rows]
    return _known(torch.tensor(filled, dtype=torch.float32).reshape(len(samples), len(names)))


def _known(values: Tensor) -> Target:
    valid = ~values.isnan()
    return Target(torch.where(valid, values, 0.0), valid)


def _frames(
    manifest: Manifest, sample: Sample, grids: Sequence[np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """float32 [L, 2], NaN where not annotated, and the frames' times [L]; L is 0 without a file."""
    if sample.targets.frames is None:
        return np.zeros((0, 2), np.float32), np.zeros(0, np.float32)
    path = manifest.media(sample.targets.frames)
    rows = read_frame_rows(path).astype(np.float32)
    for times in grids:
        if len(times) == len(rows):
            return rows, times.astype(np.float32)
    said = f"{path}: has {len(rows)} frames, the features of sample '{sample.id}' " + (
        " and ".join(f"{len(times)} steps" for times in grids) or "no steps"
    )
    if sample.video is not None:
        shown = frame_times(manifest.media(sample.video), sample.start, sample.end, sample.fps)
        if len(shown) == len(rows):
            return rows, shown.astype(np.float32)
        said += f", its video {len(shown)} frames"
    raise EmollamaError(f"{said}; frame targets need equal numbers of both")
