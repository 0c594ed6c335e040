"""A fusion model's configuration and weights in a folder, as transformers writes them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file

from emollama.base.errors import EmollamaError
from emollama.base.files import read_json
from emollama.fusion.configuration import FusionConfig
from emollama.fusion.modeling import FusionModel
from emollama.fusion.systems.table import SYSTEMS

WEIGHTS_FILE = "model.safetensors"
MAIN = "model"
"""The model in the artefact's own folder."""


def save_models(models: Mapping[str, FusionModel], folder: Path) -> None:
    """Write configuration and weights of all models into an existing folder."""
    for name, model in models.items():
        model.save_pretrained(folder if name == MAIN else folder / name)


def read_config(folder: Path) -> FusionConfig:
    """The configuration in a folder, as an instance of its system's class."""
    path = folder / "config.json"
    values = read_json(path)
    kind = values.get("model_type") if isinstance(values, dict) else None
    known = {model.config_class.model_type: model for model in SYSTEMS.values()}
    if kind not in known:
        raise EmollamaError(f"{path}: model_type '{kind}' is not a fusion system of this release")
    try:
        return known[kind].config_class(**{k: v for k, v in values.items() if k != "model_type"})
    except (TypeError, ValueError, EmollamaError) as error:
        raise EmollamaError(f"{path}: cannot be used: {error}") from error


def new_model(config: FusionConfig, where: Path | str = "fusion") -> FusionModel:
    """A model with initial weights drawn from torch's generator."""
    try:
        return SYSTEMS[config.system](config)
    except EmollamaError as error:
        raise EmollamaError(f"{where}: {error}") from error


def load_weights(model: FusionModel, path: Path) -> None:
    """Load a safetensors file, which must hold exactly the model's tensors.

    Raises:
        EmollamaError: the file is missing or corrupt; a tensor is missing, unexpected or has
            another shape.
    """
    try:
        state = load_file(path)
    except (SafetensorError, OSError) as error:
        raise EmollamaError(f"{path}: cannot be read: {error}") from error
    wanted = {k: tuple(v.shape) for k, v in model.state_dict().items()}
    found = {k: tuple(v.shape) for k, v in state.items()}
    for key in sorted(wanted.keys() | found.keys()):
        if wanted.get(key) != found.get(key):
            raise EmollamaError(
                f"{path}: does not match the model: {key} is "
                f"{found.get(key, 'missing')}, but the model needs {wanted.get(key, 'none')}"
            )
    model.load_state_dict(state)
