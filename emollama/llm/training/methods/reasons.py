"""The schedules of DPO and GRPO: a question for a reason, and what its answers are held against."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from emollama.base.errors import EmollamaError
from emollama.inputs.enrolment import Known
from emollama.llm.batch import Branched, branched
from emollama.llm.processing import Evidence
from emollama.llm.training.instructions import InstructionSchedule
from emollama.llm.training.methods.phrases import clues_named
from emollama.manifest.sample import Sample
from emollama.manifest.twins import Unit, twins_of
from emollama.probe.vocabulary import rendered_clues
from emollama.scoring.reasons.sentences import clue_reason


@dataclass
class Asked(Branched):
    """A question for a reason.

    Attributes:
        clues: that are in the clip.
        label: of it.
        room: number of answers that will be drawn, and the most tokens of each.
    """

    clues: frozenset[str] = frozenset()
    label: str = ""
    room: tuple[int, int] = (0, 0)

    @property
    def positions(self) -> int:
        """How many positions it takes in a row at most."""
        count, most = self.room
        return super().positions + count * (1 + most)

    @property
    def supervised(self) -> int:
        """At how many of them a token is learned at most."""
        return super().supervised + self.room[0] * self.room[1]


class QuestionSchedule(InstructionSchedule):
    """Questions for a reason, each clip's with all its channels; see `InstructionSchedule`.

    A micro-batch is a list of `Asked`, which becomes tensors once its answers are known.

    Attributes:
        room: number of answers to a question that will be drawn, and the most tokens of each.
    """

    room: tuple[int, int] = (0, 0)

    def encode(self, sample: Sample, epoch: int, repeat: int = 0) -> Asked:
        """One clip's question in one epoch."""
        draw = self.draws(sample, epoch, repeat)
        people = self.people.in_epoch(self.seed, epoch) if self.people else None
        evidence = self.evidence.read(sample, people)
        choice = draw.randrange(self.processor.instruction_count("reason"))
        prompt = self.processor.encode_prompt(
            evidence, self.processor.instruction("reason", choice)
        )
        return Asked(
            prompt.input_ids, prompt.stream_ids, prompt.labels, prompt.features, prompt.present,
            answers=self.answers(sample, evidence, draw, people),
            clues=clues_of(sample, evidence),
            label=sample.targets.emotion or "",
            room=self.room,
        )  # fmt: skip

    def answers(
        self, sample: Sample, evidence: Evidence, draw: Random, people: Known | None
    ) -> list[list[int]]:
        """Token ids of the answers that are known before the model writes; none here."""
        del sample, evidence, draw, people
        return []

    def collate(self, items: Sequence[list[list[Any]]]) -> dict[str, list[Any]]:
        """The questions of each micro-batch, and its share of the step."""
        (groups,) = items
        return {
            "micro_batches": groups,
            "shares": [len(group) * self.world / self.batch_size for group in groups],
        }


class PreferenceSchedule(QuestionSchedule):
    """A clip's own reason and that of its twin, as two answers to its question.

    Only twins whose reasons differ are drawn, both clips of a pair in one step. Where a corpus has
    no reference reasons they are made of measured clues, both in the same wording.
    """

    def units(self, corpora: Sequence[str]) -> list[Unit]:
        """The pairs whose reasons differ."""
        del corpora
        pairs = [pair for pair in twins_of(self.samples) if self._both_tell(pair)]
        if not pairs:
            raise EmollamaError(
                "training.method: dpo needs twins whose reasons differ, and there are none among "
                "the training samples"
            )
        self._twin = {one.id: other for a, b in pairs for one, other in ((a, b), (b, a))}
        return pairs

    def answers(
        self, sample: Sample, evidence: Evidence, draw: Random, people: Known | None
    ) -> list[list[int]]:
        """The clip's own reason, then its twin's."""
        state = draw.getstate()
        own = self._reason(sample, evidence, draw)
        draw.setstate(state)
        twin = self._twin[sample.id]
        other = self._reason(twin, self.evidence.read(twin, people), draw)
        return [self._ids(own), self._ids(other)]

    def collate(self, items: Sequence[list[list[Any]]]) -> dict[str, list[Any]]:
        """Tensors of each micro-batch; every two answers are those to one question."""
        found = super().collate(items)
        streams, pad = self.processor.streams, self.processor.pad_id
        found["micro_batches"] = [branched(g, streams, pad) for g in found["micro_batches"]]
        return found

    def _both_tell(self, pair: Unit) -> bool:
        """Whether there is a reason for each clip, and they differ."""
        told = {self._reason(s, self.evidence.read(s), Random(0)) for s in pair}
        return len(told) == 2 and "" not in told

    def _reason(self, sample: Sample, evidence: Evidence, draw: Random) -> str:
        given = sample.targets.reason
        return given or clue_reason(evidence.clues, sample.targets.emotion or "", draw) or ""

    def _ids(self, reason: str) -> list[int]:
        prompt = self.processor.with_answer(_NOTHING, reason)
        return prompt.input_ids


_NOTHING = Asked([], [], [], {}, {})


def clues_of(sample: Sample, evidence: Evidence) -> frozenset[str]:
    """The clues of a clip: what was rendered, or else those of its measured words."""
    if "face_units" in sample.truth:
        return frozenset(rendered_clues(sample.truth))
    return frozenset(clues_named("; ".join(evidence.clues.values())))
