"""Samples for a language model; their features are read on demand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from emollama.features.tracks import TrackReader
from emollama.llm.batch import by_count
from emollama.llm.clues import ClueWords
from emollama.llm.evidence import EvidenceReader
from emollama.llm.inference import label_probabilities, written
from emollama.llm.interop.engine import PromptEngine
from emollama.llm.modeling import EmotionLlama
from emollama.llm.processing import EmotionLlamaProcessor, Evidence
from emollama.llm.subject import LlmSubject
from emollama.manifest.channels import CHANNELS, Channel
from emollama.manifest.sample import Sample
from emollama.runs.artefact import LoadedSamples, ModelAnswer
from emollama.scoring.reasons.check import CheckedReason, checked_reason
from emollama.scoring.reasons.facts import facts_of

BATCHES = 4
"""Batches per chunk: a killed process loses at most one chunk."""


@dataclass
class LlmSamples(LoadedSamples):
    """Samples whose tracks are read on demand; see `LoadedSamples`."""

    model: EmotionLlama
    processor: EmotionLlamaProcessor
    clues: ClueWords
    samples: Sequence[Sample]
    readers: Mapping[str, TrackReader]
    left_out: Mapping[str, str]
    engine: PromptEngine | None = None

    def __post_init__(self) -> None:
        known: set[Channel] = {s.channel for s in self.processor.streams}
        if self.processor.reads_text:
            known.add("words")
        if self.processor.clues == "always":  # a label is asked with them
            known |= {channel for sample in self.samples for channel in sample.clues}
        self.channels = frozenset(known)

    def check(self, ids: Sequence[str]) -> None:
        """Read the tracks of these once."""
        self._evidence(ids)

    def chunks(self, batch_size: int, first: int | None = None) -> tuple[tuple[str, ...], ...]:
        """Chunks of a few batches with similar lengths, so that there is little padding."""
        lengths = [len(s.text or "") for s in self.samples[:first]]
        groups = by_count(lengths, BATCHES * batch_size)
        return tuple(tuple(self.samples[i].id for i in group) for group in groups)

    def answers(
        self, ids: Sequence[str], channels: Sequence[Channel], batch_size: int
    ) -> list[ModelAnswer]:
        """Label scores with these channels present."""
        evidence = self._evidence(ids, channels)
        found = label_probabilities(self.model, self.processor, evidence, batch_size)
        return [ModelAnswer(row) for row in found]

    def written(
        self,
        ids: Sequence[str],
        channels: Sequence[Channel] | None,
        task: str,
        max_new_tokens: int,
        batch_size: int,
        clues: bool = True,
    ) -> list[ModelAnswer]:
        """Text that answers the question of a task; see `LoadedSamples.written`."""
        evidence = self._evidence(ids, channels)
        if not clues:
            evidence = [replace(e, clues={}) for e in evidence]
        texts = written(
            self.model, self.processor, evidence, task, max_new_tokens, batch_size, self.engine
        )
        return [ModelAnswer(text=text) for text in texts]

    def given(self, sample_id: str) -> frozenset[Channel]:
        """The channels of a sample, by its tracks, words or clues; see `LoadedSamples.given`."""
        (evidence,) = self._evidence([sample_id])
        found = frozenset(self.processor.channels(evidence))
        told: set[Channel] = {c for c in CHANNELS if evidence.clues.get(c)}
        return found if self.processor.clues == "never" else found.union(told)

    @property
    def clues_are_told(self) -> bool:
        """Whether prompts for reasons hold clues; see `LoadedSamples.clues_are_told`."""
        asked = self.processor.clues != "never" and "clues" in self.processor.layout.fields
        measured = any(s.columns for s in self.clues.statistics.values())
        measured = measured or self.clues.heads is not None
        return asked and (measured or any(s.clues for s in self.samples))

    def checked(self, sample_id: str, written: str, label: str) -> CheckedReason:
        """A reason held against the sample's clues; see `LoadedSamples.checked`."""
        (evidence,) = self._evidence([sample_id])
        labels, used = self.processor.labels, self.processor.channels(evidence)
        facts = facts_of(label, used, evidence.clues, evidence.text, labels)
        prior, person = (
            (self.known.prior, self.known.person(sample_id)) if self.known else (None, None)
        )
        against = self.clues.compared_with(evidence.tracks, self.processor.streams, prior, person)
        return checked_reason(written, facts, labels, evidence.clues, against)

    def subject(self) -> LlmSubject:
        """The samples as a subject of explanations."""
        evidence = self._evidence([s.id for s in self.samples])
        return LlmSubject(self.model, self.processor, evidence)

    def _evidence(
        self, ids: Sequence[str], channels: Sequence[Channel] | None = None
    ) -> list[Evidence]:
        found = [self._reader.read(self._of_id[i], self.known) for i in ids]
        if channels is None:
            return found
        return [self.processor.for_label(e, channels) for e in found]

    @cached_property
    def _reader(self) -> EvidenceReader:
        return EvidenceReader(self.readers, self.clues)

    @cached_property
    def _of_id(self) -> dict[str, Sample]:
        return {s.id: s for s in self.samples}
