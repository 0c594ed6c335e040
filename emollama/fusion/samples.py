"""Samples for a fusion model: their features and media, in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property

import numpy as np
import torch

from emollama.base.errors import EmollamaError
from emollama.features.tracks import TrackReader
from emollama.fusion.configuration import ModalitySection
from emollama.fusion.data.data import FusionData
from emollama.fusion.data.raw_reading import MediaTool
from emollama.fusion.data.track_table import TrackTable
from emollama.fusion.readout import answers
from emollama.fusion.subject import FusionSubject, rows_of
from emollama.fusion.trained import TrainedFusion
from emollama.fusion.weights import MAIN
from emollama.inputs.spec import InputSpec
from emollama.inputs.standardiser import moments
from emollama.manifest.channels import Channel
from emollama.runs.artefact import LoadedSamples, ModelAnswer

GATES = ("beta", "modalities")
"""Maps with weights of the modalities: [B, M, d] or [B, M], in the order of the configuration."""


def input_of(section: ModalitySection) -> InputSpec:
    """A modality as a model input; for raw media, `source` is its reader."""
    source = MediaTool.of(section).key if section.takes_media else section.source
    return replace(section.spec, source=source)


class FusionSamples(LoadedSamples):
    """Samples that have been read; see `LoadedSamples`.

    Args:
        model: the model.
        data: the samples and their tracks.
        readers: of the cached tracks.
    """

    def __init__(
        self, model: TrainedFusion, data: FusionData, readers: Mapping[str, TrackReader]
    ) -> None:
        self.model, self.data, self.readers = model, data, readers
        self.samples, self.left_out, self.notes = data.samples, data.left_out, data.notes
        self.channels = frozenset(s.channel for s in model.sections)

    def chunks(self, batch_size: int, first: int | None = None) -> tuple[tuple[str, ...], ...]:
        """Batches as large as memory allows, in order of the samples."""
        del batch_size
        ids = self.data.ids
        return tuple(tuple(ids[i] for i in rows) for rows in self.data.batches(first))

    def answers(
        self, ids: Sequence[str], channels: Sequence[Channel], batch_size: int
    ) -> list[ModelAnswer]:
        """Scores and values with these channels present; see `LoadedSamples.answers`."""
        del batch_size
        return self.answers_of([self._row[i] for i in ids], channels)

    def answers_of(self, rows: Sequence[int], channels: Sequence[Channel]) -> list[ModelAnswer]:
        """The answers to these rows, as one batch."""
        config = self.model.config
        hidden = [s.name for s in config.sections if s.channel not in channels]
        batch = self.data.batch(rows, self.known)
        found = answers(config, self.model.answer, [batch], self.model.device, hidden)
        return [
            ModelAnswer(
                None if found.labels is None else found.labels[i],
                None if found.values is None else found.values[i],
                None if found.times is None else found.times[i],
            )
            for i in range(len(rows))
        ]

    def given(self, sample_id: str) -> frozenset[Channel]:
        """The channels of a sample; see `LoadedSamples.given`."""
        row, tracks = self._row[sample_id], self.data.tracks
        return frozenset(
            s.channel for s in self.model.sections if int(tracks[s.name].length[row]) > 0
        )

    def true_values(self, sample_id: str) -> np.ndarray:
        """float64 [T] of the clip, or [L, T] of its annotated frames; NaN where unknown."""
        row, targets = self._row[sample_id], self.data.targets
        if self.model.config.goal.kind == "frames":
            return targets.frames[row].astype(float)
        target = targets.whole["values"]
        known = torch.where(target.valid[row], target.values[row].double(), torch.nan)
        return np.asarray(known)

    def subject(self) -> FusionSubject:
        """The samples as a subject of explanations."""
        rows = rows_of([self.data.batch([i], self.known) for i in range(len(self.data))])
        return FusionSubject(self.model, rows, [s.text for s in self.samples])

    @torch.no_grad()
    def gate_weights(self, row: int, noisy: str, level: float, seed: int) -> np.ndarray | None:
        """The gate's weight of each modality; see `LoadedSamples.gate_weights`."""
        names = self.model.config.names
        if not all(int(self.data.tracks[n].length[row]) > 0 for n in names):
            return None
        batch = self.data.batch([row], self.known)
        if level:
            if not isinstance(self.data.tracks[noisy], TrackTable):
                raise EmollamaError(
                    f"modality '{noisy}': --noise needs cached tracks, but this "
                    "modality is raw media; leave --noise out"
                )
            # Each clip's noise is its own, and the same at every level but for its size.
            draw = torch.Generator().manual_seed(seed * 1_000_003 + row)
            noise = torch.randn(batch.values[noisy].shape, generator=draw)
            values = batch.values[noisy] + level * self._deviations[noisy] * noise
            batch = replace(batch, values={**batch.values, noisy: values})
        maps = self.model.models[MAIN](batch.to(self.model.device), explain=True).maps or {}
        for name in GATES:
            if name in maps and maps[name].shape[1] == len(names):
                weights = maps[name].double().flatten(1).unflatten(1, (len(names), -1)).mean(-1)
                return np.asarray(weights[0].cpu())
        return None

    @cached_property
    def _deviations(self) -> dict[str, torch.Tensor]:
        """Standard deviations of the columns of each cached track."""
        tables = {n: t for n, t in self.data.tracks.items() if isinstance(t, TrackTable)}
        return {n: found[1] for n, t in tables.items() if (found := moments(t.parts())) is not None}

    @cached_property
    def _row(self) -> dict[str, int]:
        return {name: i for i, name in enumerate(self.data.ids)}
