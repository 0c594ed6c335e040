"""Which kind of model a configuration is of."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from emollama.base.config import load_config
from emollama.base.errors import EmollamaError
from emollama.base.files import read_text
from emollama.fusion.training.config import FusionTrainConfig
from emollama.llm.training.config import TrainConfig


def load_training(path: Path, overrides: Sequence[str] = ()) -> TrainConfig | FusionTrainConfig:
    """The configuration of a run: of a fusion model where it says `fusion:`, else of an LLM.

    Raises:
        EmollamaError: as `load_config`; or it says both `fusion:` and `model:`.
    """
    if not is_fusion(path):
        return load_config(TrainConfig, path, overrides)
    return load_config(FusionTrainConfig, path, overrides)


def is_fusion(path: Path) -> bool:
    """Whether a training configuration is of a fusion model."""
    try:
        values = OmegaConf.create(read_text(path))
    except (YAMLError, OmegaConfBaseException):
        return False  # load_config tells what is wrong with it
    if not OmegaConf.is_dict(values) or "fusion" not in values:
        return False
    if "model" in values:
        raise EmollamaError(f"{path}: has fusion and model; a run trains one of them")
    return True
