"""Configuration of a fusion run; `emollama train` reads it from a file with a section `fusion:`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from emollama.base.config import Seed, Strict, checked
from emollama.base.errors import EmollamaError
from emollama.fusion.configuration import FusionTask, ModalitySection
from emollama.fusion.systems.table import fusion_system
from emollama.fusion.trainable import require_source
from emollama.fusion.training.optimising import OptimizerSection
from emollama.fusion.training.strategies.table import strategy_class
from emollama.fusion.training.validation import SELECTABLE, Select
from emollama.inputs.config import DataSection, ModalityDropout


class FusionSection(Strict):
    """`system` is a name of `emollama.fusion.systems.table`, `options` are its own.

    `initialise_from`: an artefact of the same system and modalities whose weights the run begins
    with.
    """

    system: str
    modalities: list[ModalitySection] = Field(min_length=1)
    options: dict[str, Any] = Field(default={})
    initialise_from: Path | None = None


class StrategySection(BaseModel):
    """`name` is one of `emollama.fusion.training.strategies.table`; its options are beside it."""

    model_config = ConfigDict(extra="allow", allow_inf_nan=False)

    name: str = "joint"

    @property
    def options(self) -> dict[str, Any]:
        """Everything except the name."""
        return dict(self.model_extra or {})


class FusionTraining(OptimizerSection):
    """`batch_size` is the number of samples per step over all processes.

    `select` is the validation metric by which the best epoch is kept; "auto" is weighted F1, macro
    F1 of several labels, CCC of values, or weighted F1 - 0.25 MSE of labels with values.
    `keep_per_target` keeps besides, for each value by itself, the epoch with its best CCC, as a
    model of its own (`model-valence`). `patience` above 0 ends the run after so many epochs without
    a better one. A checkpoint is written every `save_every_epochs` and, above 0, every
    `save_every_steps` of an epoch. `resume`: "auto" goes on from the newest checkpoint of this run,
    "never" starts anew.
    """

    epochs: int | None = Field(default=None, ge=1)
    select: Select = "auto"
    keep_per_target: bool = False
    patience: int = Field(default=0, ge=0)
    evaluate_every_epochs: int = Field(default=1, ge=1)
    save_every_epochs: int = Field(default=1, ge=1)
    save_every_steps: int = Field(default=0, ge=0)
    log_every_epochs: int = Field(default=1, ge=1)
    resume: Literal["auto", "never"] = "auto"


class FusionTrainConfig(Strict):
    """A fusion run."""

    former_names: ClassVar[Mapping[str, str]] = {
        "fusion.start": "initialise_from",
        "training.log_every": "log_every_epochs",
        "training.save_every": "save_every_epochs",
        "training.save_steps": "save_every_steps",
        "training.evaluate_every": "evaluate_every_epochs",
        "training.warmup": "warmup_share",
        "training.decay_every": "decay_every_epochs",
    }
    seed: Seed = 7
    output: Path
    data: DataSection
    fusion: FusionSection
    task: FusionTask = FusionTask()
    strategy: StrategySection = StrategySection()
    modality_dropout: ModalityDropout = ModalityDropout()
    training: FusionTraining

    @model_validator(mode="after")
    def _names_are_known(self) -> FusionTrainConfig:
        names = [m.name for m in self.fusion.modalities]
        if len(set(names)) != len(names):
            raise ValueError(f"fusion.modalities: names must be distinct, got {', '.join(names)}")
        config_class, system = fusion_system(self.fusion.system)
        options = config_class.checked_options(self.fusion.options)
        strategy = strategy_class(self.strategy.name)
        strategy.epochs(self.strategy_options(), self.training.epochs)
        strategy.check(self.strategy_options(), names, self.task)
        strategy.check_system(system, options.model_dump())
        system.check(self.fusion.modalities, self.task)
        self._sources_are_there()
        held_out = (self.data.validation_split or "").split("+")
        both = set(self.data.train_split.split("+")) & set(filter(None, held_out))
        if both:
            raise ValueError(
                f"data.validation_split: '{both.pop()}' is also in data.train_split; "
                "validate on another split, or set validation_split: null"
            )
        if self.training.select not in SELECTABLE[self.task.kind]:
            raise ValueError(
                f"training.select: {self.training.select} is not a metric of task "
                f"{self.task.kind}; use one of {', '.join(SELECTABLE[self.task.kind])}"
            )
        if self.training.keep_per_target and not self.task.values:
            raise ValueError(f"training.keep_per_target: task {self.task.kind} has no values")
        if self.training.keep_per_target and not self.data.validation_split:
            raise ValueError("training.keep_per_target: needs data.validation_split")
        return self

    def _sources_are_there(self) -> None:
        for section in self.fusion.modalities:
            try:
                require_source(section)
            except EmollamaError as error:
                raise EmollamaError(f"fusion.modalities: {error}") from error

    def strategy_options(self) -> Strict:
        """The strategy's options, with their defaults."""
        schema = strategy_class(self.strategy.name).options_class
        return checked(schema, self.strategy.options, f"strategy {self.strategy.name}")
