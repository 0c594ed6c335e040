"""The questions of an evaluation, pass by pass, and the predictions from the answers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

from emollama.base.errors import EmollamaError
from emollama.evaluation.config import EvalConfig
from emollama.evaluation.known_clues import KNOWN_CLUES
from emollama.evaluation.passes import Answer, Pass
from emollama.evaluation.results import SET_SIZES, asked_sets
from emollama.evaluation.rows import RowMaker
from emollama.manifest.channels import Channel
from emollama.manifest.sample import Manifest, Sample
from emollama.runs.artefact import Artefact, LoadedSamples, ModelAnswer
from emollama.scoring.predictions.parsing import Parsed, get_parser, parse_words
from emollama.scoring.predictions.prediction import Prediction, set_name
from emollama.scoring.predictions.systems import SHOWN, TEMPLATE, WITHOUT_CLUES

REASONS, DESCRIBE = "reasons", "describe"
UNAIDED = "reasons without clues"


@dataclass(frozen=True)
class Questions:
    """A model and the samples of an evaluation.

    Attributes:
        config: of the evaluation.
        model: the artefact.
        manifest: of the corpus.
        loaded: the samples, in the order of the predictions file.
    """

    config: EvalConfig
    model: Artefact
    manifest: Manifest
    loaded: LoadedSamples

    def __post_init__(self) -> None:
        self._rows  # noqa: B018  labels unknown to the model are reported before it is asked

    def sets(self) -> list[tuple[Channel, ...]]:
        """The sets of channels to evaluate; the last one is the largest."""
        largest = 0 if self.config.task != "emotion" else SET_SIZES[self.config.modality_report]
        return asked_sets(self.loaded.channels, largest)

    def passes(self) -> list[Pass]:
        """Reasons, then labels from each set of channels."""
        found = []
        size, samples = self.config.batch_size, self.loaded.samples
        count = len(samples) if self.config.task == "reason" else self.config.reasons.count
        if self.config.task == DESCRIBE:
            return [Pass(DESCRIBE, self.loaded.chunks(size), self._described)]
        if count:
            found.append(Pass(REASONS, self.loaded.chunks(size, count), self._reasons))
        if count and self.config.task == "emotion" and self._without_clues:
            found.append(Pass(UNAIDED, self.loaded.chunks(size, count), self._unaided))
        if self.config.task == "emotion":
            ask = self._scores if self.config.answers.by == "scores" else self._texts
            for channels in self.sets():
                chunks = self.loaded.chunks(size)
                found.append(Pass(set_name(channels), chunks, partial(ask, channels)))
        return found

    def predictions(self, answers: Mapping[str, Mapping[str, Answer]]) -> list[Prediction]:
        """Rows in the order of channel sets and samples."""
        sets = self.sets()
        reasons = answers.get(REASONS, {})
        if self.config.task == "reason":
            return [self._explained(s, sets[-1], reasons[s.id]) for s in self.loaded.samples]
        if self.config.task == DESCRIBE:
            return [self._listed(s, sets[-1], answers[DESCRIBE][s.id]) for s in self.loaded.samples]
        rows = []
        for channels in sets:
            for sample in self.loaded.samples:
                answer = answers[set_name(channels)][sample.id]
                more: dict[str, Any] = {"fold": self._fold, "lacks": self.lacks(sample, channels)}
                if channels == sets[-1] and sample.id in reasons:
                    more |= self._reason(sample, reasons[sample.id]["text"])
                rows.append(self._rows.row(sample, channels, ModelAnswer.from_dict(answer), more))
        unaided = answers.get(UNAIDED, {})
        given = {s.id: s for s in self.loaded.samples}
        return rows + [
            copy for row in rows if row.reason is not None
            for copy in self._compared(row, given[row.id], unaided.get(row.id))
        ]  # fmt: skip

    def _compared(
        self, row: Prediction, sample: Sample, unaided: Answer | None
    ) -> Iterator[Prediction]:
        """A row with other reasons for its label, to compare the model's own with."""
        plain = row.model_copy(update={"latency_ms": None, "answer": None})
        for system, written in ((SHOWN, row.reason or ""), (TEMPLATE, "")):
            if row.label and (fields := self.checked(sample, written, row.label)):
                yield plain.model_copy(update={"system": system, **fields})
        if unaided is not None:
            fields = {"system": WITHOUT_CLUES, "reason": str(unaided["text"])}
            yield plain.model_copy(update=fields)

    def _explained(self, sample: Sample, channels: Sequence[Channel], answer: Answer) -> Prediction:
        text = str(answer["text"])
        labels = self.manifest.labels
        found = parse_words(text, labels) if sample.targets.emotion else Parsed(None)
        more = {"fold": self._fold, "lacks": self.lacks(sample, channels)}
        more |= self._reason(sample, text)
        return self._rows.labelled(sample, channels, found, more)

    def _listed(self, sample: Sample, channels: Sequence[Channel], answer: Answer) -> Prediction:
        more = {"fold": self._fold}
        return self._rows.worded(sample, channels, str(answer["text"]), more)

    def template(self, sample: Sample, label: str) -> dict[str, Any]:
        """The sentence of a clip's measured clues as a reason for `label`; {} without clues."""
        return self.checked(sample, "", label)

    def checked(self, sample: Sample, written: str, label: str) -> dict[str, Any]:
        """What stands of a reason for `label`, else the sentence of the clip's measured clues."""
        text = self.loaded.checked(sample.id, written, label).text
        return {} if text is None else self._reason(sample, text)

    def _reason(self, sample: Sample, text: str) -> dict[str, Any]:
        """The reason, and the true clues if the corpus knows them."""
        known = KNOWN_CLUES.get(self.manifest.corpus)
        clues = known.of(sample.truth) if known else None
        return {"reason": text, "clues": tuple(sorted(clues)) if clues else None}

    def lacks(self, sample: Sample, channels: Sequence[Channel]) -> tuple[Channel, ...] | None:
        """Those of some channels that a sample does not have; None where it has all."""
        if sample.id not in self._given:
            self._given[sample.id] = self.loaded.given(sample.id)
        return tuple(c for c in channels if c not in self._given[sample.id]) or None

    @property
    def _fold(self) -> str | None:
        fold = self.config.data.fold
        return None if fold is None else str(fold)

    @cached_property
    def _given(self) -> dict[str, frozenset[Channel]]:
        """Channels by id, of the samples that were looked at."""
        return {}

    @cached_property
    def _rows(self) -> RowMaker:
        return RowMaker(
            self.model, self.manifest.labels, self.loaded,
            get_parser(self.config.answers.parser),
            (str(self.config.model), str(self.config.data.manifest)),
        )  # fmt: skip

    def _scores(self, channels: Sequence[Channel], ids: Sequence[str]) -> list[Answer]:
        found = self.loaded.answers(ids, channels, self.config.batch_size)
        return [answer.to_dict() for answer in found]

    def _texts(self, channels: Sequence[Channel], ids: Sequence[str]) -> list[Answer]:
        return self._written(ids, channels, "emotion", self.config.answers.max_new_tokens)

    def _reasons(self, ids: Sequence[str]) -> list[Answer]:
        return self._written(ids, None, "reason", self.config.reasons.max_new_tokens)

    def _unaided(self, ids: Sequence[str]) -> list[Answer]:
        tokens = self.config.reasons.max_new_tokens
        return self._written(ids, None, "reason", tokens, clues=False)

    @property
    def _without_clues(self) -> bool:
        return self.config.reasons.without_clues and self.loaded.clues_are_told

    def _described(self, ids: Sequence[str]) -> list[Answer]:
        return self._written(ids, self.sets()[-1], DESCRIBE, self.config.answers.max_new_tokens)

    def _written(
        self,
        ids: Sequence[str],
        channels: Sequence[Channel] | None,
        task: str,
        tokens: int,
        clues: bool = True,
    ) -> list[Answer]:
        found = self.loaded.written(ids, channels, task, tokens, self.config.batch_size, clues)
        return [answer.to_dict() for answer in found]


def require_writes(config: EvalConfig, model: Artefact) -> None:
    """Raise an error if text is requested from a model that cannot write."""
    for key, given in (
        ("task", config.task != "emotion"),
        ("answers.by", config.answers.by == "text"),
        ("reasons.count", config.reasons.count > 0),
    ):
        if given and not model.writes:
            raise EmollamaError(
                f"{config.model}: is {model.title}, which cannot write text; leave {key} out"
            )
