"""Skip factors: a modality that is learned fast rests in most epochs (AMST).

Modality m is active in epoch e, counted from 0, iff e mod s_m == 0. One that is not runs no
forward and has no gradient: its weights, statistics and momentum stay as they are to the last bit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import Field

from emollama.base.config import Strict
from emollama.base.errors import EmollamaError
from emollama.fusion.configuration import FusionTask
from emollama.fusion.modeling import FusionModel
from emollama.fusion.training.strategies.base import Plan, Strategy
from emollama.fusion.training.strategies.unimodal import require_modalities, require_unimodal


class SkipOptions(Strict):
    """`skip`: factors by modality; one that is not named is active in every epoch."""

    skip: dict[str, Annotated[int, Field(ge=1)]] = Field(default={})


class Skipping(Strategy):
    """A strategy some of whose modalities rest in an epoch.

    Attributes:
        active: the modalities of this epoch, in alphabetical order.
    """

    options_class = SkipOptions

    def __init__(self, model: FusionModel, options: Any, plan: Plan) -> None:
        super().__init__(model, options, plan)
        self.names = tuple(sorted(model.config.names))
        self.active = self.names

    @classmethod
    def check(cls, options: Any, modalities: Sequence[str], task: FusionTask) -> None:
        """Factors are of modalities, and in every epoch one of them is active.

        The second epoch has the number 1, which no factor above 1 divides.
        """
        require_modalities(list(options.skip), modalities, "strategy.skip")
        if all(options.skip.get(name, 1) > 1 for name in modalities):
            factors = ", ".join(f"{name} {options.skip[name]}" for name in modalities)
            raise EmollamaError(
                f"strategy.skip: with {factors} the second epoch has no modality to learn from; "
                "one of them must be 1"
            )

    @classmethod
    def check_system(cls, system: type[FusionModel], options: Mapping[str, Any]) -> None:
        """Each modality has an answer of its own."""
        require_unimodal(system)

    def begin_epoch(self, epoch: int) -> None:
        """Find the epoch's modalities."""
        skip = self.options.skip
        self.active = tuple(n for n in self.names if epoch % skip.get(n, 1) == 0)

    def set_training(self) -> None:
        """Training mode but for the encoders that rest."""
        super().set_training()
        for model in self.models.values():
            for name in set(self.names) - set(self.active):
                model.encoders[name].eval()
                if name in model.backbones:
                    model.backbones[name].eval()
