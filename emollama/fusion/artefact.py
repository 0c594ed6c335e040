"""The artefact of a fusion run: one folder that holds a trained model whole.

`config.json` (system, options, modalities with their sources, widths and encoders, labels, task)
and `model.safetensors` (weights, standardisers) as transformers writes them; `fusion.json` with
what answering needs beside them; the tokenizers of text encoders that were trained, in
`tokenizers/<modality>`; `training_record.json` and a model card. A strategy with several
models keeps the further ones in folders of their names.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from emollama.base.errors import EmollamaError
from emollama.base.files import read_json, write_json, write_text, written_whole
from emollama.fusion.configuration import FusionConfig, ModalitySection
from emollama.fusion.modeling import FusionModel
from emollama.fusion.systems.table import SYSTEMS
from emollama.fusion.trainable import TrainableEncoder
from emollama.manifest.labels import LabelSet

FUSION_FILE = "fusion.json"
WEIGHTS_FILE = "model.safetensors"
MAIN = "model"
"""The model that stands in the artefact's own folder."""
TOKENIZERS = "tokenizers"
FUSION_VERSION = 1


@dataclass(frozen=True)
class About:
    """What `fusion.json` holds.

    Attributes:
        labels: the label set, with its synonyms.
        strategy: name of the strategy, whose way of answering it is; `options` are its own.
        thresholds: of each label, fitted on the validation split; for several labels.
        models: names of all models.
        corpus: that it was trained on.
        split_sha256: of the split file, where the manifest's own splits were not used.
    """

    labels: LabelSet
    strategy: str = "joint"
    options: dict[str, Any] = field(default_factory=dict)
    thresholds: dict[str, float] = field(default_factory=dict)
    models: tuple[str, ...] = (MAIN,)
    corpus: str = ""
    split_sha256: str | None = None


@dataclass(frozen=True)
class FusionArtefact:
    """A trained fusion model, in evaluation mode."""

    models: dict[str, FusionModel]
    about: About
    folder: Path

    @property
    def config(self) -> FusionConfig:
        """Of the first model; the others have the same modalities, labels and task."""
        return self.models[MAIN].config

    @property
    def sections(self) -> tuple[ModalitySection, ...]:
        """The modalities; token ids are made by the tokenizers that the artefact keeps."""
        kept = []
        for section in self.config.sections:
            own = self.folder / TOKENIZERS / section.name
            if section.kind == "tokens" and own.is_dir():
                section = section.model_copy(update={"source": str(own)})
            kept.append(section)
        return tuple(kept)


def is_fusion_artefact(folder: Path) -> bool:
    """Whether a folder is one of these."""
    return (folder / FUSION_FILE).is_file()


def save_models(models: Mapping[str, FusionModel], folder: Path) -> None:
    """Write configuration and weights of all models into a folder that is there."""
    for name, model in models.items():
        model.save_pretrained(folder if name == MAIN else folder / name)


def save(
    models: Mapping[str, FusionModel],
    about: About,
    folder: Path,
    record: dict[str, Any],
    card: str,
) -> None:
    """Write an artefact whole or not at all; an older one at `folder` is replaced."""
    with written_whole(folder) as draft:
        save_models(models, draft)
        for name, backbone in models[MAIN].backbones.items():
            tokenizer = cast(TrainableEncoder, backbone).tokenizer
            if tokenizer is not None:
                tokenizer.save_pretrained(draft / TOKENIZERS / name)
        values = {
            "version": FUSION_VERSION,
            "labels": about.labels.to_dict(),
            "strategy": about.strategy,
            "options": about.options,
            "thresholds": about.thresholds,
            "models": list(about.models),
            "corpus": about.corpus,
            "split_sha256": about.split_sha256,
        }
        write_json(draft / FUSION_FILE, values)
        write_text(draft / "training_record.json", json.dumps(record, indent=2) + "\n")
        write_text(draft / "README.md", card)


def load(folder: Path, device: torch.device | str = "cpu") -> FusionArtefact:
    """Load an artefact.

    Raises:
        EmollamaError: a file is missing or corrupt, a system is unknown here, or a tensor is
            missing or misshapen.
    """
    if not is_fusion_artefact(folder):
        raise EmollamaError(f"{folder}: is not a fusion model: {FUSION_FILE} is missing")
    about = _read_about(folder / FUSION_FILE)
    models = {}
    for name in about.models:
        place = folder if name == MAIN else folder / name
        model = new_model(read_config(place), place / "config.json")
        load_weights(model, place / WEIGHTS_FILE)
        models[name] = model.to(device).eval()  # type: ignore[arg-type]
    return FusionArtefact(models, about, folder)


def read_config(folder: Path) -> FusionConfig:
    """The configuration in a folder, of its system's own class."""
    path = folder / "config.json"
    values = read_json(path)
    kind = values.get("model_type") if isinstance(values, dict) else None
    known = {model.config_class.model_type: model for model in SYSTEMS.values()}
    if kind not in known:
        raise EmollamaError(f"{path}: model_type '{kind}' is no fusion system of this release")
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
    """Fill a model from a safetensors file that must hold exactly its tensors.

    Raises:
        EmollamaError: the file is missing or corrupt; a tensor is missing, too many or misshapen.
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
                f"{path}: does not fit: {key} is {found.get(key, 'missing')}, this model needs "
                f"{wanted.get(key, 'none')}"
            )
    model.load_state_dict(state)


def _read_about(path: Path) -> About:
    values = read_json(path)
    try:
        if values["version"] != FUSION_VERSION:
            raise EmollamaError(
                f"{path}: version {values['version']} is not readable here; this release reads "
                f"version {FUSION_VERSION}"
            )
        labels = values["labels"]
        return About(
            labels=LabelSet(
                str(labels["name"]), tuple(labels["labels"]), dict(labels.get("synonyms", {}))
            ),
            strategy=str(values["strategy"]),
            options=dict(values["options"]),
            thresholds={str(k): float(v) for k, v in values["thresholds"].items()},
            models=tuple(str(name) for name in values["models"]),
            corpus=str(values["corpus"]),
            split_sha256=values["split_sha256"],
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise EmollamaError(f"{path}: is not the record of a fusion model ({error!r})") from error
