"""The session of a fusion model."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from emollama.base.errors import EmollamaError, did_you_mean
from emollama.fusion.artefact import FusionArtefact
from emollama.fusion.batch import FusionBatch
from emollama.fusion.data.data import clip_batch
from emollama.fusion.data.raw_reading import MediaTool
from emollama.fusion.data.tokenizing import load_tokenizer, text_ids
from emollama.fusion.readout import Answers, answers
from emollama.fusion.subject import FusionSubject
from emollama.runs.subject import Subject
from emollama.scoring.metrics.thresholds import THRESHOLD
from emollama.session.answer import Answer, Frames
from emollama.session.base import Session
from emollama.session.clip_view import ClipView
from emollama.session.observation import Observation, Track


class FusionSession(Session):
    """A fusion artefact with the encoders of its modalities; see `Session`.

    Raises:
        EmollamaError: no modality has an encoder, or an encoder has another version.
    """

    artefact: FusionArtefact

    def __init__(self, artefact: FusionArtefact, describe: bool = True) -> None:
        if not any(one.online for one in artefact.inputs):
            raise EmollamaError(
                f"{artefact.folder}: all its modalities are folders of .npy files, "
                "which cannot be made from a clip; use `emollama evaluate` on a manifest instead"
            )
        sections = artefact.sections
        media = [MediaTool.of(s) for s in sections if s.takes_media]
        super().__init__(artefact, describe, {tool.key: tool for tool in media})
        self.tokenizers: dict[str, Any] = {
            s.source: load_tokenizer(Path(s.source), f"modality '{s.name}'")
            for s in sections
            if s.kind == "tokens"
        }

    @classmethod
    def open(cls, folder: Path, describe: bool = True) -> FusionSession:
        """Load an artefact and build the encoders that its modalities name."""
        return cls(FusionArtefact.open(folder), describe)

    def look_at(
        self, observation: Observation, text: str | None = None, where: str = "the clip"
    ) -> ClipView:
        """The model's view of a clip; see `Session.look_at`."""
        look = super().look_at(observation, text, where)
        first = self.inputs[0]
        if self.artefact.config.goal.kind == "frames" and look.tracks[first.name] is None:
            raise EmollamaError(
                f"{where}: has no {first.channel}, which this model needs to answer frame by frame"
            )
        return look

    def _of_words(self, words: str | None, notes: list[str]) -> dict[str, Track | None]:
        found = super()._of_words(words, notes)
        for source, tokenizer in self.tokenizers.items():
            found[source], cut = text_ids(tokenizer, words)
            if cut:
                notes.append(
                    f"only the first {tokenizer.model_max_length} tokens of the words are read"
                )
        return found

    def _complete(self, look: ClipView) -> ClipView:
        has = {i.channel for i in self.inputs if look.tracks[i.name] is not None}
        return replace(look, present=tuple(c for c in self.channels if c in has))

    # --- asking --------------------------------------------------------------------------------

    def answers(
        self, looks: Sequence[ClipView], labels: Sequence[str] | None = None, again: bool = True
    ) -> list[Answer]:
        """Answers about several clips, one by one: batches do not speed up a small model."""
        return [self._answered(look, labels) for look in looks]

    def _answered(self, look: ClipView, labels: Sequence[str] | None) -> Answer:
        started = time.monotonic()
        # What is left out is hidden rather than taken out: its frames are still the ones asked for.
        batch = clip_batch(self.artefact.sections, look.tracks)
        found = answers(
            self.artefact.config,
            self.artefact.answer,
            [batch],
            self.artefact.device,
            without=self._left_out(look),
        )
        return replace(self._as_answer(found, look, labels), seconds=time.monotonic() - started)

    def _as_answer(self, found: Answers, look: ClipView, chosen: Sequence[str] | None) -> Answer:
        config = self.artefact.config
        scores: dict[str, float] = {}
        label, labels, values, frames = None, None, None, None
        several = config.goal.kind == "labels"
        if found.labels is not None:
            scores = dict(zip(config.labels, found.labels[0].tolist(), strict=True))
            scores = _chosen(scores, chosen, several)
            if several:
                limits = self.artefact.about.thresholds
                labels = tuple(x for x, p in scores.items() if p >= limits.get(x, THRESHOLD))
            else:
                label = max(scores, key=lambda x: scores[x])
        elif chosen is not None:
            raise EmollamaError(
                f"model '{self.name}' predicts values and has no labels to choose from"
            )
        if found.values is not None:
            one = found.values[0]
            if found.times is not None:
                known = np.isfinite(one).all(axis=1)
                if not known.any():
                    raise EmollamaError(
                        f"{', '.join(look.used)}: has no times, so it cannot be "
                        f"answered frame by frame; use {self.inputs[0].channel} as well"
                    )
                frames = Frames(
                    tuple(found.times[0].tolist()),
                    {n: tuple(one[:, i].tolist()) for i, n in enumerate(config.goal.values)},
                )
                one = one[known].mean(axis=0)
            values = dict(zip(config.goal.values, one.tolist(), strict=True))
        return Answer(
            label=label,
            scores=scores,
            channels=look.used,
            clues={},
            text=look.text,
            reason=None,
            notes=look.remarks,
            familiar=look.familiar_used,
            speech_seconds=look.observation.speech_seconds,
            absent=look.absent,
            person=look.person_summary,
            language=look.language,
            seconds=0.0,
            labels=labels,
            values=values,
            frames=frames,
        )

    def subject(self, look: ClipView) -> Subject | None:
        """The clip as the subject of an explanation; None for a model without labels."""
        if not self.artefact.config.goal.has_labels:
            return None
        return FusionSubject(self.artefact, [self.batch(look)], [look.text])

    def batch(self, look: ClipView) -> FusionBatch:
        """A batch of one clip, with tracks shaped as in training, without channels left out."""
        return clip_batch(self.artefact.sections, look.tracks).without(self._left_out(look))

    def _left_out(self, look: ClipView) -> list[str]:
        return [i.name for i in self.inputs if i.channel not in look.channels]


def _chosen(
    scores: dict[str, float], chosen: Sequence[str] | None, several: bool
) -> dict[str, float]:
    """The scores of the labels to choose from, renormalised unless they are independent."""
    if chosen is None:
        return scores
    for label in chosen:
        if label not in scores:
            raise EmollamaError(
                f"label '{label}' is not one of this fusion model's{did_you_mean(label, scores)}"
            )
    kept = {label: scores[label] for label in chosen}
    if several or not kept:
        return kept
    total = sum(kept.values())
    return {x: p / total if total > 0 else 1 / len(kept) for x, p in kept.items()}
