"""From manifest, store and media to `FusionBatch`es: everything is read once, then indexed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from torch import Tensor

from emollama.base.errors import EmollamaError
from emollama.encoders.base import FeatureTrack
from emollama.features.tracks import TrackReader, usable
from emollama.fusion.batch import FusionBatch
from emollama.fusion.configuration import FusionTask, ModalitySection
from emollama.fusion.data.persons import measured
from emollama.fusion.data.raw_media import RawTrack
from emollama.fusion.data.raw_reading import read_raw
from emollama.fusion.data.raw_table import RawTable, Table, weight_of
from emollama.fusion.data.targets import TargetTable, require_values
from emollama.fusion.data.track_table import TrackTable, read_table
from emollama.fusion.modeling import FusionModel
from emollama.inputs.enrolment import Known
from emollama.inputs.opening import Readers, Store, open_inputs
from emollama.inputs.segments import shaped
from emollama.inputs.standardiser import Standardiser
from emollama.manifest.labels import LabelSet
from emollama.manifest.sample import Manifest, Sample

STEPS_AT_ONCE = 32_768
"""Steps of a batch in evaluation; bounds memory and changes no answer."""
NEEDS = {
    "track": "features of this channel",
    "tokens": "a `text`",
    "waveform": "a `video` or `audio` with sound",
    "frames": "a `video` with moving pictures",
    "fbank": "a `video` or `audio` with sound of 25 ms or more",
}
"""What a sample needs for a modality of each kind."""


def open_modalities(
    store: Store, sections: Sequence[ModalitySection]
) -> tuple[list[ModalitySection], Readers]:
    """Modalities as a model stores them (full source, width, encoder), and their readers."""
    specs, readers = open_inputs(store, sections)
    known = [{"source": s.source, "width": s.width, "fingerprint": s.fingerprint} for s in specs]
    found = [s.model_copy(update=new) for s, new in zip(sections, known, strict=True)]
    return found, readers


@dataclass(frozen=True)
class FusionData:
    """The samples of a split, in memory.

    Attributes:
        samples: row i of every table belongs to `samples[i]`.
        tracks: by modality: feature tracks, or raw input.
        targets: for the task.
        left_out: samples whose features or media cannot be read or are empty, and why.
        notes: remarks for the user about the data.
        known: what people are known by; None measures all features against the corpus.
    """

    samples: tuple[Sample, ...]
    tracks: Mapping[str, Table]
    targets: TargetTable
    left_out: Mapping[str, str]
    notes: tuple[str, ...] = ()
    known: Known | None = None

    def __len__(self) -> int:
        return len(self.samples)

    def chosen(self, rows: Sequence[int]) -> FusionData:
        """Only these rows, in this order."""
        return FusionData(
            tuple(self.samples[i] for i in rows),
            {name: table.chosen(rows) for name, table in self.tracks.items()},
            self.targets.chosen(rows),
            {},
            known=self.known,
        )

    @property
    def ids(self) -> list[str]:
        """The samples' ids in order."""
        return [s.id for s in self.samples]

    def batch(self, rows: Sequence[int] | np.ndarray, known: Known | None = None) -> FusionBatch:
        """These rows, collated; padding is no longer than the longest of them.

        `known`: what people are known by, in place of the data's own.
        """
        index = torch.as_tensor(np.asarray(rows, dtype=np.int64))
        values: dict[str, Tensor] = {}
        valid: dict[str, Tensor] = {}
        times: dict[str, Tensor] = {}
        for name, table in self.tracks.items():
            values[name], valid[name], times[name] = table.take(index)
        chosen = [self.samples[i] for i in index.tolist()]
        if (known := known or self.known) is not None:
            values = measured(values, known, [s.id for s in chosen])
        return FusionBatch(
            ids=tuple(s.id for s in chosen),
            values=values,
            valid=valid,
            times=times,
            targets=self.targets.take(index),
            groups=tuple(s.group or s.speaker for s in chosen),
        )

    def batches(self, first: int | None = None) -> list[range]:
        """All rows (or the first ones) in order, in batches as large as memory allows."""
        longest = max((t.longest * weight(t) for t in self.tracks.values()), default=1)
        size = max(1, min(1024, int(STEPS_AT_ONCE // max(1, longest))))
        count = len(self) if first is None else min(first, len(self))
        return [range(at, min(at + size, count)) for at in range(0, count, size)]

    def in_order(self) -> Iterator[FusionBatch]:
        """The batches of `batches`, collated."""
        return map(self.batch, self.batches())


def weight(table: Table) -> float:
    """Memory cost of a step of a table, in steps of a cached track."""
    return weight_of(table.section) if isinstance(table, RawTable) else 1.0


def read_data(
    manifest: Manifest,
    split: str,
    task: FusionTask,
    labels: LabelSet,
    sections: Sequence[ModalitySection],
    readers: Mapping[str, TrackReader],
    *,
    samples: Sequence[Sample] | None = None,
    known_only: bool = True,
) -> FusionData:
    """Read the samples of a split whose features exist and whose media can be decoded.

    Args:
        manifest: the corpus.
        split: name of a split, or several: "train+val".
        task: what is predicted.
        labels: the model's label set.
        sections: the modalities in order; the first one's steps are the grid of frames.
        readers: by modality, for cached tracks.
        samples: instead of the whole split.
        known_only: leave out samples without any target of the task.

    With raw input among the modalities, a sample without any modality is left out.

    Raises:
        EmollamaError: no such split, nothing left, features or targets that cannot be read.
    """
    require_values(task)
    wanted = list(manifest.split(split) if samples is None else samples)
    if known_only:
        kept = [s for s in wanted if _is_known(s, task)]
        if not kept:
            raise EmollamaError(
                f"{manifest.path}: no sample of split '{split}' has targets for task {task.kind}"
            )
        wanted = kept
    found, left_out = usable(wanted, readers)
    if not found:
        name, why = next(iter(left_out.items()))
        raise EmollamaError(
            f"{manifest.path}: no sample of split '{split}' has its features, e.g. {name} ({why}); "
            f"run: emollama extract {manifest.path} --store DIR"
        )
    raw = read_raw(manifest, found, sections)
    left_out |= raw.failed
    found = [s for s in found if s.id not in raw.failed]
    if not found:
        name, why = next(iter(raw.failed.items()))
        raise EmollamaError(
            f"{manifest.path}: no sample of split '{split}' can be read, e.g. {name} ({why})"
        )
    ids = [s.id for s in found]
    tracks: dict[str, Table] = {
        s.name: read_table(s, readers[s.name], ids) if s.kind == "track" else raw.table(s, ids)
        for s in sections
    }
    notes = raw.notes
    if any(isinstance(t, RawTable) for t in tracks.values()):
        notes += tuple(
            f"modality '{name}': absent in {missing} of {len(found)} samples"
            for name, t in tracks.items()
            if isinstance(t, RawTable) and (missing := int((t.length == 0).sum()))
        )
        something = torch.stack([t.length > 0 for t in tracks.values()]).any(dim=0).tolist()
        nothing = [i for i, some in zip(ids, something, strict=True) if not some]
        if len(nothing) == len(ids):
            asked = "; ".join(f"'{s.name}' ({s.kind}) needs {NEEDS[s.kind]}" for s in sections)
            raise EmollamaError(
                f"{manifest.path}: no sample of split '{split}' has any modality: {asked}"
            )
        if nothing:
            notes += (f"{len(nothing)} of {len(ids)} samples have no modality, e.g. {nothing[0]}",)
            left_out |= dict.fromkeys(nothing, "has no modality")
            rows = [row for row, some in enumerate(something) if some]
            found = [found[row] for row in rows]
            tracks = {name: t.chosen(rows) for name, t in tracks.items()}
    grids: list[list[np.ndarray]] = []
    if task.kind == "frames":
        clocks = [t for t in tracks.values() if isinstance(t, TrackTable)]
        grids = [[t.row(i)[1] for t in clocks] for i in range(len(found))]
    targets = TargetTable(manifest, found, task, labels, grids)
    return FusionData(tuple(found), tracks, targets, left_out, notes)


def clip_batch(
    sections: Sequence[ModalitySection], tracks: Mapping[str, FeatureTrack | RawTrack | None]
) -> FusionBatch:
    """A batch of one clip that is not in a manifest, with tracks shaped as in training.

    Args:
        sections: the modalities.
        tracks: for each, the feature track or the raw input (`raw_reading`); None if missing.
    """
    row = torch.zeros(1, dtype=torch.int64)
    taken = {}
    for section in sections:
        track = tracks[section.name]
        table: Table
        if isinstance(track, FeatureTrack):
            table = TrackTable([shaped(section.spec, track)], section.width)
        elif section.kind == "track":
            table = TrackTable([None], section.width)
        else:
            table = RawTable(section, [track])
        taken[section.name] = table.take(row)
    return FusionBatch(
        ids=("clip",),
        values={name: parts[0] for name, parts in taken.items()},
        valid={name: parts[1] for name, parts in taken.items()},
        times={name: parts[2] for name, parts in taken.items()},
        groups=(None,),
    )


def _is_known(sample: Sample, task: FusionTask) -> bool:
    """Whether a sample has any target of the task."""
    targets = sample.targets
    if task.kind == "frames":
        return targets.frames is not None
    voted = task.soft_labels and targets.votes is not None
    labelled = (targets.emotion is not None or voted) and task.kind in ("label", "label+values")
    shown = targets.words if targets.emotions is None else targets.emotions
    several = shown is not None and task.kind == "labels"
    return (
        labelled or several or any(getattr(targets, name, None) is not None for name in task.values)
    )


def require_raw(manifest: Manifest, data: FusionData) -> None:
    """Raise an error for a raw modality that no sample has: its encoder would learn nothing.

    Raises:
        EmollamaError: naming the modality and what samples need.
    """
    for name, table in data.tracks.items():
        if isinstance(table, RawTable) and not table.longest:
            raise EmollamaError(
                f"{manifest.path}: modality '{name}': no training sample has "
                f"{table.section.kind}; samples need {NEEDS[table.section.kind]}; "
                "otherwise leave the modality out"
            )


def fit_standardisers(model: FusionModel, data: FusionData) -> None:
    """Set means and deviations from the steps of these samples, the training split.

    Raises:
        EmollamaError: a modality that no sample has.
    """
    for section in model.config.sections:
        if section.kind != "track" or not section.standardise:
            continue
        table = data.tracks[section.name]
        assert isinstance(table, TrackTable)
        standardiser = cast(Standardiser, model.standardisers[section.name])
        standardiser.fit(table.parts(), f"{section.spec}: {section.source}")
