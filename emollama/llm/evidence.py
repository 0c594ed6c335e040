"""From manifest and feature store to evidence: tracks a stream, standardisers, clue words."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch

from emollama.base.errors import EmollamaError
from emollama.encoders.base import FeatureTrack
from emollama.features.tracks import TrackReader, usable
from emollama.inputs.config import DataSection
from emollama.inputs.enrolment import Known
from emollama.inputs.opening import Readers, Store, open_inputs
from emollama.inputs.segments import fit_steps
from emollama.llm.clues import VOICE_RULES, ClueWords, VoiceRule
from emollama.llm.configuration import StreamConfig
from emollama.llm.modeling import EmotionLlama
from emollama.llm.options import StreamSection
from emollama.llm.processing import Evidence
from emollama.manifest.sample import Manifest, Sample, Targets


def open_streams(
    store: Store, sections: Sequence[StreamSection]
) -> tuple[list[StreamConfig], Readers]:
    """Streams as an artefact keeps them (source in full, which encoder made it), and readers."""
    specs, readers = open_inputs(store, sections)
    streams = [
        StreamConfig(
            **section.model_dump(exclude={"initial_weights", "source"}),
            source=spec.source, width=spec.width, fingerprint=spec.fingerprint,
        )
        for section, spec in zip(sections, specs, strict=True)
    ]  # fmt: skip
    return streams, readers


def training_samples(
    manifest: Manifest,
    data: DataSection,
    readers: Mapping[str, TrackReader],
    shares: Callable[[Targets], Mapping[str, float]],
) -> tuple[list[Sample], dict[str, str]]:
    """Samples of the training split with something to learn and features to learn it from.

    `shares` are the tasks that a sample's targets answer. The second value says of the others why
    their features cannot be read (`usable`).
    """
    split = manifest.split(data.train_split)
    samples = [s for s in split if shares(s.targets)]
    if not samples:
        raise EmollamaError(
            f"{manifest.path}: no training sample has an answer to one of the tasks: a label, a "
            "reason, or with tasks.describe.share a set of words"
        )
    kept, left_out = usable(samples, readers)
    if not kept:
        raise EmollamaError(
            f"{manifest.path}: no sample of split '{data.train_split}' has its features in "
            f"{data.store}; run: emollama extract {manifest.path} --store DIR"
        )
    return kept, left_out


def read_tracks(
    readers: Mapping[str, TrackReader], sample_id: str
) -> dict[str, FeatureTrack | None]:
    """The tracks of one sample by stream; None where the clip has no such channel."""
    return {name: reader.get(sample_id) for name, reader in readers.items()}


class EvidenceReader:
    """Reads the evidence of samples, with the clue words of the training split.

    `known`: what people are known by. `shifts` are added to the tracks of training samples
    (`probe.start_from_probe`). Clue words are those of the tracks that are shown, before a shift;
    by training sample and channel, the known ones that are `given`.
    """

    def __init__(
        self,
        readers: Mapping[str, TrackReader],
        clues: ClueWords,
        shifts: Mapping[str, Mapping[str, np.ndarray]] | None = None,
        known: Known | None = None,
        given: Mapping[str, Mapping[str, str]] | None = None,
    ) -> None:
        self.readers = readers
        self.clues = clues
        self.shifts = shifts or {}
        self.known = known
        self.given = given or {}

    def read(self, sample: Sample, known: Known | None = None) -> Evidence:
        """The evidence of one sample, all channels in use.

        `known`: what people are known by, in place of the reader's own.
        """
        tracks = read_tracks(self.readers, sample.id)
        shown: Mapping[str, FeatureTrack | None] = tracks
        if (known := known or self.known) is not None:
            shown = {name: known.track(name, sample.id, track) for name, track in tracks.items()}
        clues = self.clues.describe(shown) | dict(self.given.get(sample.id, {}))
        for channel, words in sample.clues.items():
            clues[channel] = "; ".join(filter(None, (clues.get(channel), words)))
        shown = {name: self._shifted(name, sample.id, track) for name, track in shown.items()}
        return Evidence(tracks=shown, text=sample.text, clues=clues, context=sample.context)

    def _shifted(
        self, name: str, sample_id: str, track: FeatureTrack | None
    ) -> FeatureTrack | None:
        shift = self.shifts.get(name, {}).get(sample_id)
        return (
            track if track is None or shift is None else replace(track, values=track.values + shift)
        )


def fit_standardisers(
    model: EmotionLlama, readers: Mapping[str, TrackReader], samples: Sequence[Sample]
) -> None:
    """Set each projector's mean and deviation from the training samples' steps."""
    for stream in model.config.stream_configs:
        if not stream.standardise:
            continue
        tracks = (readers[stream.name].get(sample.id) for sample in samples)
        steps = (fit_steps(t.values, stream.tokens) for t in tracks if t is not None)
        where = f"{stream.spec}: {stream.source}"
        model.projector(stream.name).fit(map(torch.as_tensor, steps), where)


def fit_clues(
    readers: Mapping[str, TrackReader],
    samples: Sequence[Sample],
    rules: tuple[VoiceRule, ...] = VOICE_RULES,
) -> ClueWords:
    """Clue words from every stream whose columns have names."""
    named = {}
    for name, reader in readers.items():
        if not reader.columns:
            continue
        tracks = (reader.get(s.id) for s in samples)
        values = [t.values for t in tracks if t is not None]
        if values:
            named[name] = (reader.columns, values)
    return ClueWords.fit(named, rules)
