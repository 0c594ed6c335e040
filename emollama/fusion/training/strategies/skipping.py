"""Skip factors: a quickly learned modality is skipped in most epochs (AMST).

Modality m is active in epoch e, counted from 0, iff e mod s_m == 0. An inactive one does not run
and has no gradient: its weights, statistics and momentum are exactly unchanged.
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
    """`skip`: factors by modality; others are active in every epoch."""

    skip: dict[str, Annotated[int, Field(ge=1)]] = Field(default={})


class Skipping(Strategy):
    """A strategy that skips some modalities in an epoch.

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
        """Check that factors name modalities, and that every epoch has an active one.

        The second epoch has number 1, which no factor above 1 divides.
        """
        require_modalities(list(options.skip), modalities, "strategy.skip")
        if all(options.skip.get(name, 1) > 1 for name in modalities):
            factors = ", ".join(f"{name} {options.skip[name]}" for name in modalities)
            raise EmollamaError(
                f"strategy.skip: with {factors} the second epoch has no active "
                "modality; one factor must be 1"
            )

    @classmethod
    def check_system(cls, system: type[FusionModel], options: Mapping[str, Any]) -> None:
        """Check that each modality can answer alone."""
        require_unimodal(system)

    def begin_epoch(self, epoch: int) -> None:
        """Choose the epoch's modalities."""
        skip = self.options.skip
        self.active = tuple(n for n in self.names if epoch % skip.get(n, 1) == 0)

    def set_training(self) -> None:
        """Training mode except for skipped encoders."""
        super().set_training()
        for model in self.models.values():
            for name in set(self.names) - set(self.active):
                model.encoders[name].eval()
                if name in model.backbones:
                    model.backbones[name].eval()
