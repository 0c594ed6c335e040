"""How a trained fusion model answers: as the strategy that trained it says."""

from __future__ import annotations

from emollama.base.config import checked
from emollama.fusion.answers import Answer
from emollama.fusion.artefact import FusionArtefact
from emollama.fusion.training.strategies.table import strategy_class


def answering(model: FusionArtefact) -> Answer:
    """How the model answers a batch: as the strategy that trained it says."""
    kind = strategy_class(model.about.strategy)
    options = checked(kind.options_class, model.about.options, f"strategy {model.about.strategy}")
    return lambda batch: kind.answered(model.models, batch, options)
