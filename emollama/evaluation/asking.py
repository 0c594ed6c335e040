"""What an evaluation asks a model, pass by pass, and the predictions that the answers make."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

from emollama.base.errors import EmollamaError
from emollama.evaluation.config import EvalConfig
from emollama.evaluation.known_clues import KNOWN_CLUES
from emollama.evaluation.passes import Answer, Pass, chunks_of
from emollama.evaluation.results import SET_SIZES, asked_sets
from emollama.llm import artefact
from emollama.llm.evidence import EvidenceReader
from emollama.llm.inference import label_probabilities, written
from emollama.llm.processing import Evidence
from emollama.manifest.channels import Channel
from emollama.manifest.labels import LabelSet
from emollama.manifest.sample import Sample
from emollama.scoring.predictions.parsing import Parsed, get_parser, parse_words
from emollama.scoring.predictions.prediction import Prediction, channel_truth, set_name

REASONS = "reasons"
BATCHES = 4
"""Batches of a chunk: what a killed process loses at most, and what a rank takes at a time."""


@dataclass(frozen=True)
class Questions:
    """A model and the samples it is asked about.

    Attributes:
        config: of the evaluation.
        model: the artefact.
        labels: the corpus's label set; of the model's labels these can be the answer.
        samples: in the order of the predictions file.
        reader: of the samples' evidence.
        corpus: its name in the manifest.
    """

    config: EvalConfig
    model: artefact.Artefact
    labels: LabelSet
    samples: Sequence[Sample]
    reader: EvidenceReader
    corpus: str

    def __post_init__(self) -> None:
        trained = self.model.processor.labels.labels
        if not set(self.labels.labels) <= set(trained):
            raise EmollamaError(
                f"{self.config.model}: was trained on the labels {', '.join(trained)}, "
                f"{self.config.data.manifest} has {', '.join(self.labels.labels)}"
            )

    def sets(self) -> list[tuple[Channel, ...]]:
        """The sets of channels that are asked with; the last one is the largest."""
        processor = self.model.processor
        known: set[Channel] = {"words", *(s.channel for s in processor.streams)}
        if processor.clues == "always":
            known |= {channel for sample in self.samples for channel in sample.clues}
        largest = 0 if self.config.task == "reason" else SET_SIZES[self.config.modality_report]
        return asked_sets(known, largest)

    def passes(self) -> list[Pass]:
        """Reasons, then labels from each set of channels."""
        found = []
        count = len(self.samples) if self.config.task == "reason" else self.config.reasons.count
        if explained := self.samples[:count]:
            found.append(Pass(REASONS, self._chunks(explained), self._reasons))
        if self.config.task == "emotion":
            ask = self._scores if self.config.answers.by == "scores" else self._texts
            for channels in self.sets():
                chunks = self._chunks(self.samples)
                found.append(Pass(set_name(channels), chunks, partial(ask, channels)))
        return found

    def predictions(self, answers: Mapping[str, Mapping[str, Answer]]) -> list[Prediction]:
        """Rows in the order of channel sets and samples."""
        sets = self.sets()
        if self.config.task == "reason":
            return [self._explained(s, sets[-1], answers[REASONS][s.id]) for s in self.samples]
        rows = []
        reasons = answers.get(REASONS, {})
        for channels in sets:
            for sample in self.samples:
                answer = answers[set_name(channels)][sample.id]
                more: dict[str, Any] = {"latency_ms": answer["ms"], "fold": self._fold}
                if channels == sets[-1] and sample.id in reasons:
                    more |= self._reason(sample, reasons[sample.id]["text"])
                rows.append(self._row(sample, channels, answer, more))
        return rows

    def _row(
        self, sample: Sample, channels: Sequence[Channel], answer: Answer, more: dict[str, Any]
    ) -> Prediction:
        if "scores" in answer:
            return Prediction.scored(sample, self.labels, answer["scores"], channels, **more)
        text = str(answer["text"])
        found = get_parser(self.config.answers.parser)(text, self.labels)
        return self._labelled(sample, channels, found, answer=text, **more)

    def _explained(self, sample: Sample, channels: Sequence[Channel], answer: Answer) -> Prediction:
        text = str(answer["text"])
        found = parse_words(text, self.labels) if sample.targets.emotion else Parsed(None)
        more = {"latency_ms": answer["ms"], "fold": self._fold}
        return self._labelled(sample, channels, found, **self._reason(sample, text), **more)

    def _labelled(
        self, sample: Sample, channels: Sequence[Channel], found: Parsed, **more: Any
    ) -> Prediction:
        return Prediction(
            id=sample.id,
            channels=tuple(channels),
            reference=sample.targets.emotion,
            label=found.label,
            parse_failure=found.failure,
            reference_reason=sample.targets.reason if "reason" in more else None,
            truth=channel_truth(sample, self.labels),
            group=sample.group,
            **more,
        )

    def _reason(self, sample: Sample, text: str) -> dict[str, Any]:
        """The reason, and where the corpus knows them the clues that are there."""
        known = KNOWN_CLUES.get(self.corpus)
        clues = known.of(sample.truth) if known else None
        return {"reason": text, "clues": tuple(sorted(clues)) if clues else None}

    def _chunks(self, samples: Sequence[Sample]) -> tuple[tuple[str, ...], ...]:
        size = BATCHES * self.config.batch_size
        return chunks_of([s.id for s in samples], [len(s.text or "") for s in samples], size)

    def _evidence(self, ids: Sequence[str]) -> list[Evidence]:
        return [self.reader.read(self._of_id[i]) for i in ids]

    @property
    def _fold(self) -> str | None:
        fold = self.config.data.fold
        return None if fold is None else str(fold)

    @cached_property
    def _of_id(self) -> dict[str, Sample]:
        return {s.id: s for s in self.samples}

    def _scores(self, channels: Sequence[Channel], ids: Sequence[str]) -> list[Answer]:
        processor = self.model.processor
        # The question stays as it was trained; of its words those of this corpus can be the answer.
        columns = [processor.labels.labels.index(label) for label in self.labels.labels]
        chosen = self._for_label(channels, ids)
        found = label_probabilities(self.model.model, processor, chosen, self.config.batch_size)
        kept = found[:, columns]
        kept /= kept.sum(axis=1, keepdims=True)
        return [{"scores": row.tolist()} for row in kept]

    def _texts(self, channels: Sequence[Channel], ids: Sequence[str]) -> list[Answer]:
        texts = written(
            self.model.model, self.model.processor, self._for_label(channels, ids), "emotion",
            self.config.answers.max_new_tokens, self.config.batch_size,
        )  # fmt: skip
        return [{"text": text} for text in texts]

    def _reasons(self, ids: Sequence[str]) -> list[Answer]:
        texts = written(
            self.model.model, self.model.processor, self._evidence(ids), "reason",
            self.config.reasons.max_new_tokens, self.config.batch_size,
        )  # fmt: skip
        return [{"text": text} for text in texts]

    def _for_label(self, channels: Sequence[Channel], ids: Sequence[str]) -> list[Evidence]:
        return [self.model.processor.for_label(e, channels) for e in self._evidence(ids)]
