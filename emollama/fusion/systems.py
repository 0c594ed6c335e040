"""The fusion systems by name."""

from __future__ import annotations

from emollama.errors import EmollamaError, did_you_mean
from emollama.fusion.configuration import FusionConfig
from emollama.fusion.early import Early
from emollama.fusion.modeling import FusionModel

SYSTEMS: dict[str, type[FusionModel]] = {
    "early": Early,
}


def fusion_system(name: str) -> tuple[type[FusionConfig], type[FusionModel]]:
    """Configuration and model classes of a system."""
    if name not in SYSTEMS:
        raise EmollamaError(f"fusion.system '{name}'{did_you_mean(name, SYSTEMS)}")
    model = SYSTEMS[name]
    return model.config_class, model
