"""Trained fusion models and how they answer together."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import torch

from emollama.base.config import checked
from emollama.fusion.batch import FusionBatch
from emollama.fusion.configuration import FusionConfig, ModalitySection
from emollama.fusion.modeling import FusionModel, FusionOutput
from emollama.fusion.training.strategies.table import strategy_class
from emollama.fusion.weights import MAIN
from emollama.manifest.labels import LabelSet

TOKENIZERS = "tokenizers"


@dataclass(frozen=True)
class About:
    """The content of `fusion.json`.

    Attributes:
        labels: the label set, with its synonyms.
        strategy: name of the strategy, which defines how models answer; `options` are its options.
        thresholds: of each label, fitted on the validation split; for several labels.
        models: names of all models.
        corpus: the training corpus.
        split_sha256: of the split file, if one was used.
    """

    labels: LabelSet
    strategy: str = "joint"
    options: dict[str, Any] = field(default_factory=dict)
    thresholds: dict[str, float] = field(default_factory=dict)
    models: tuple[str, ...] = (MAIN,)
    corpus: str = ""
    split_sha256: str | None = None


@dataclass(frozen=True)
class TrainedFusion:
    """The models of a run, in evaluation mode, with the content of `fusion.json`."""

    models: dict[str, FusionModel]
    about: About
    folder: Path

    @property
    def config(self) -> FusionConfig:
        """That of the first model; the others have the same modalities, labels and task."""
        return self.models[MAIN].config

    @property
    def device(self) -> torch.device:
        """The models' device."""
        return self.models[MAIN].device

    @property
    def sections(self) -> tuple[ModalitySection, ...]:
        """The modalities; token ids come from the tokenizers in the artefact."""
        kept = []
        for section in self.config.sections:
            own = self.folder / TOKENIZERS / section.name
            if section.kind == "tokens" and own.is_dir():
                section = section.model_copy(update={"source": str(own)})
            kept.append(section)
        return tuple(kept)

    @cached_property
    def _strategy(self) -> Any:
        kind = strategy_class(self.about.strategy)
        where = f"strategy {self.about.strategy}"
        return kind, checked(kind.options_class, self.about.options, where)

    def answer(self, batch: FusionBatch) -> FusionOutput:
        """The answer to a batch, as defined by the strategy that trained the models."""
        kind, options = self._strategy
        output: FusionOutput = kind.answered(self.models, batch, options)
        return output
