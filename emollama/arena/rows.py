"""Questions and answers of an arena, and the predictions that they make."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from emollama.arena.configuration import Ablation, ArenaConfig
from emollama.arena.questions import Question
from emollama.arena.reading import NO_ANSWER, Read, read_row
from emollama.endpoints.many import Row
from emollama.manifest.sample import Manifest
from emollama.scoring.predictions.prediction import Prediction, channel_truth, twin_of

Place = tuple[str, str, int, str]
"""Clip, prompt, order and ablation ("" for none) of a question."""


@dataclass(frozen=True)
class Asked:
    """An arena.

    Attributes:
        config: its configuration.
        manifest: the clips, with labels as everybody is asked.
        questions: by place.
        rows: by contestant and place; a question may have none yet.
    """

    config: ArenaConfig
    manifest: Manifest
    questions: Mapping[Place, Question]
    rows: Mapping[str, Mapping[Place, Row]]

    @property
    def first(self) -> str:
        """The prompt with which everything but the wording is asked."""
        return next(iter(self.config.wordings))

    @cached_property
    def reads(self) -> dict[str, dict[Place, Read]]:
        """What every contestant says to every question; no answer is a failure."""
        labels = self.manifest.labels
        none = Read(None, NO_ANSWER)
        return {
            name: {
                place: read_row(rows[place], self.config.contestants[name].form, labels)
                if place in rows else none
                for place in self.questions
            }
            for name, rows in self.rows.items()
        }  # fmt: skip

    def place(
        self, sample: str, prompt: str | None = None, order: int = 0,
        ablation: Ablation | None = None,
    ) -> Place:  # fmt: skip
        """The place of a question that differs from the first in one thing."""
        return sample, prompt or self.first, order, ablation or ""

    def predictions(self, name: str, ablation: Ablation | None = None) -> list[Prediction]:
        """A contestant's answers to the first question about every clip, or under an ablation."""
        found = []
        for sample in self.manifest.samples:
            place = self.place(sample.id, ablation=ablation)
            if place not in self.questions:
                continue
            said, row = self.reads[name][place], self.rows[name].get(place, {})
            seconds = row.get("seconds")
            found.append(
                Prediction(
                    id=sample.id,
                    channels=self.questions[place].channels,
                    system=name,
                    reference=sample.targets.emotion,
                    label=said.label,
                    parse_failure=None if said.label is not None else said.failure,
                    scores=None if said.scores is None else dict(said.scores),
                    answer=row.get("text"),
                    truth=channel_truth(sample, self.manifest.labels),
                    latency_ms=None if seconds is None else 1000 * seconds,
                    group=sample.group,
                    **twin_of(sample),
                )
            )
        return found

    def answers(self, name: str, places: Sequence[Place]) -> list[str | None]:
        """A contestant's labels at places; None where there is none."""
        return [self.reads[name][place].label for place in places]
