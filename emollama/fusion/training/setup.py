"""The setup of a fusion run: data in memory, the model and its initial weights."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from emollama.base.errors import EmollamaError
from emollama.fusion import weights
from emollama.fusion.configuration import ModalitySection
from emollama.fusion.data.data import (
    FusionData,
    fit_standardisers,
    open_modalities,
    read_data,
    require_raw,
)
from emollama.fusion.modeling import FusionModel
from emollama.fusion.systems.table import fusion_system
from emollama.fusion.training.config import FusionTrainConfig
from emollama.inputs.draws import generator
from emollama.inputs.enrolment import Enrolment, enrolment, fit_people
from emollama.inputs.mixture import read_corpora, store_of
from emollama.inputs.opening import Readers
from emollama.manifest.sample import Manifest
from emollama.manifest.split_file import leakage
from emollama.runs.run_folder import tell_left_out


@dataclass(frozen=True)
class Setup:
    """The splits and the model to train; the test split is not read.

    `readers`: of feature tracks, by modality. `people`: of the training split, where an input has
    `standardise: person`.
    """

    manifest: Manifest
    train: FusionData
    validation: FusionData | None
    model: FusionModel
    readers: Readers
    people: Enrolment | None = None


def set_up(config: FusionTrainConfig, say: Callable[[str], None]) -> Setup:
    """Read the data of a configuration and build the model.

    Raises:
        EmollamaError: for every mistake the user can fix (files, labels, widths).
    """
    manifest = read_corpora(config.data)
    for leak in leakage(manifest.samples):
        say(f"WARNING: {leak}")
    sections, readers = open_modalities(store_of(manifest, config.data), config.fusion.modalities)
    splits: dict[str, FusionData] = {}
    for split in filter(None, (config.data.train_split, config.data.validation_split)):
        splits[split] = read_data(manifest, split, config.task, manifest.labels, sections, readers)
        tell_left_out(splits[split].left_out, say)
        for note in splits[split].notes:
            say(note)
    train = splits[config.data.train_split]
    held_out = config.data.validation_split
    validation = splits[held_out] if held_out else None
    return assembled(config, manifest, sections, readers, train, validation)


def assembled(
    config: FusionTrainConfig,
    manifest: Manifest,
    sections: Sequence[ModalitySection],
    readers: Readers,
    train: FusionData,
    validation: FusionData | None,
) -> Setup:
    """Build a model for data that has been read; both from `open_modalities`.

    People of the validation split are known by as many clips as those of a training epoch.
    """
    people = fit_people(sections, readers, train.samples, manifest.labels.labels)
    if people is not None and validation is not None:
        held_out = enrolment(people.prior, readers, validation.samples)
        validation = replace(validation, known=held_out.in_epoch(config.seed, 0))
    balance: list[float] = []
    if config.task.class_weights == "balanced" and config.task.has_labels:
        balance = train.targets.class_weights()
    config_class, model_class = fusion_system(config.fusion.system)
    with torch.random.fork_rng():
        seed_weights(config.seed, weights.MAIN)
        model = model_class(
            config_class(
                modalities=[s.model_dump() for s in sections],
                labels=manifest.labels.labels if config.task.has_labels else (),
                task=config.task.model_dump(mode="json"),
                options=config.fusion.options,
                class_weights=balance,
            )
        )
    if config.fusion.initialise_from is None:
        require_raw(manifest, train)
        fit_standardisers(model, train)
    return Setup(manifest, train, validation, model, readers, people)


def seed_weights(seed: int, name: str) -> None:
    """Make the initial weights of a model a function of the seed and the model's name."""
    torch.manual_seed(generator(seed, "weights", name).getrandbits(63))


def another(
    model: FusionModel, seed: int, name: str, options: Mapping[str, Any] | None = None
) -> FusionModel:
    """Another model like an existing one, with changed options if given.

    Its weights are new, except standardisers and pretrained encoders.
    """
    config = copy.deepcopy(model.config)
    config.options |= dict(options or {})
    with torch.random.fork_rng():
        seed_weights(seed, name)
        made = weights.new_model(config)
    made.standardisers.load_state_dict(model.standardisers.state_dict())
    made.backbones.load_state_dict(model.backbones.state_dict())
    return made.to(model.device)  # type: ignore[arg-type]


def start_from(model: FusionModel, folder: Path) -> str:
    """Load an artefact's weights, with its standardisers, into a model; returns a line for the
    user.

    Raises:
        EmollamaError: it has another system, other modalities, labels or shapes.
    """
    try:
        found = weights.read_config(folder)
        ours = model.config
        for what, theirs, mine in (
            ("system", [found.system], [ours.system]),
            ("modalities", found.names, ours.names),
            ("labels", found.labels, ours.labels),
        ):
            if list(theirs) != list(mine):
                raise EmollamaError(
                    f"{folder}: has the {what} {', '.join(theirs)}, but this run has "
                    f"{', '.join(mine)}"
                )
        weights.load_weights(model, folder / weights.WEIGHTS_FILE)
    except EmollamaError as error:
        raise EmollamaError(f"fusion.initialise_from: {error}") from error
    return f"initial weights from {folder}"
