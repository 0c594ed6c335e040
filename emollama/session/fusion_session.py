"""A fusion model ready to be asked about clips."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

import numpy as np
import torch

from emollama.config import checked
from emollama.errors import EmollamaError, did_you_mean
from emollama.explain.fusion_subject import FusionSubject
from emollama.explain.subject import Subject
from emollama.fusion import artefact
from emollama.fusion.answers import Answers, answers
from emollama.fusion.artefact import FusionArtefact
from emollama.fusion.batch import FusionBatch
from emollama.fusion.data import require_same_encoder
from emollama.fusion.thresholds import THRESHOLD
from emollama.fusion.track_table import TrackTable, shaped
from emollama.llm.decoding import Reply, Sampling
from emollama.llm.device import default_device
from emollama.llm.processing import Turn
from emollama.session.answer import Answer, Frames
from emollama.session.base import Input, Session, open_encoders, writes_no_text
from emollama.session.look import Look
from emollama.training.strategies.table import strategy_class


class FusionSession(Session):
    """A fusion artefact with the encoders of its modalities; see `Session`.

    Raises:
        EmollamaError: no encoder can be built for any of them, or one is another version.
    """

    kind = "fusion"

    def __init__(self, loaded: FusionArtefact, folder: Path, describe: bool = True) -> None:
        sections = {s.name: s for s in loaded.config.sections}
        inputs = [Input(s.name, s.channel, s.source, s.fingerprint, "modality")
                  for s in sections.values()]  # fmt: skip
        if not any(one.online for one in inputs):
            raise EmollamaError(
                f"{folder}: all its modalities come from folders of .npy files, which cannot be "
                "made from a clip; evaluate it on a manifest instead"
            )
        encoders = open_encoders(
            folder,
            inputs,
            lambda one, found: require_same_encoder(sections[one.name], found, str(folder)),
        )
        labels = loaded.config.labels if loaded.config.goal.has_labels else ()
        super().__init__(folder, inputs, labels, encoders, describe)
        self.artefact = loaded
        self.device = default_device()

    @classmethod
    def open(cls, folder: Path, describe: bool = True) -> FusionSession:
        """Load an artefact and build the encoders that its modalities name."""
        return cls(artefact.load(folder, default_device()), folder, describe)

    def _complete(self, look: Look) -> Look:
        has = {i.channel for i in self.inputs if look.tracks[i.name] is not None}
        return replace(look, present=tuple(c for c in self.channels if c in has))

    # --- asking --------------------------------------------------------------------------------

    def answer(
        self,
        look: Look,
        explain: bool = True,
        sampling: Sampling | None = None,
        labels: Sequence[str] | None = None,
    ) -> Answer:
        """Scores of labels, or values; a fusion model gives no reason. See `Session.answer`."""
        started = time.monotonic()
        loaded = self.artefact
        kind = strategy_class(loaded.about.strategy)
        options = checked(
            kind.options_class, loaded.about.options, f"strategy {loaded.about.strategy}"
        )
        batch = self.batch(look)
        found = answers(
            loaded.config,
            lambda batch: kind.answered(loaded.models, batch, options),
            [batch],
            self.device,
        )
        return replace(self._told(found, look, batch, labels), seconds=time.monotonic() - started)

    def answers(self, looks: Sequence[Look], labels: Sequence[str] | None = None) -> list[Answer]:
        """Answers about several clips, one by one: a small model gains nothing by batches."""
        return [self.answer(look, False, labels=labels) for look in looks]

    def _told(
        self, found: Answers, look: Look, batch: FusionBatch, chosen: Sequence[str] | None
    ) -> Answer:
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
            raise EmollamaError(f"{self.folder}: answers with values, and has no labels to choose")
        if found.values is not None:
            one = found.values[0]
            if config.goal.kind == "frames":
                first = config.names[0]
                times = batch.times[first][0][batch.valid[first][0]].tolist()
                frames = Frames(
                    tuple(times),
                    {n: tuple(one[:, i].tolist()) for i, n in enumerate(config.goal.values)},
                )
                one = np.nanmean(one, axis=0)
            values = dict(zip(config.goal.values, one.tolist(), strict=True))
        return Answer(
            label=label,
            scores=scores,
            channels=look.used,
            clues={},
            text=look.text,
            reason=None,
            notes=look.notes,
            seconds=0.0,
            labels=labels,
            values=values,
            frames=frames,
        )

    def ask(
        self,
        look: Look,
        turns: Sequence[Turn],
        sampling: Sampling | None = None,
        stopped: Callable[[], bool] = lambda: False,
    ) -> Reply:
        """A fusion model cannot be chatted with."""
        self._refuse()

    def prompt(self, look: Look, turns: Sequence[Turn]) -> str:
        """A fusion model has no prompt."""
        self._refuse()

    def question(self, task: str, labels: Sequence[str] | None = None) -> str:
        """A fusion model is asked no question."""
        self._refuse()

    def _refuse(self) -> NoReturn:
        raise writes_no_text(self.folder)

    def _subject(self, look: Look) -> Subject | None:
        if not self.artefact.config.goal.has_labels:
            return None
        return FusionSubject(self.artefact, [self.batch(look)], [look.text])

    def batch(self, look: Look) -> FusionBatch:
        """A batch of one clip, its tracks shaped as in training; what is left out is absent."""
        rows = torch.zeros(1, dtype=torch.int64)
        taken = {}
        for section in self.artefact.config.sections:
            track = look.tracks[section.name] if section.channel in look.channels else None
            shape = None if track is None else shaped(section, track)
            taken[section.name] = TrackTable([shape], section.width).take(rows)
        return FusionBatch(
            ids=("clip",),
            values={name: parts[0] for name, parts in taken.items()},
            valid={name: parts[1] for name, parts in taken.items()},
            times={name: parts[2] for name, parts in taken.items()},
            groups=(None,),
        )


def _chosen(
    scores: dict[str, float], chosen: Sequence[str] | None, several: bool
) -> dict[str, float]:
    """The scores of the labels to choose from, shared out anew unless each is by itself."""
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
