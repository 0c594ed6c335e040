"""The artefact of a fusion run: one folder that holds a trained model whole.

`config.json` (system, options, modalities with their sources, widths and encoders, labels, task)
and `model.safetensors` (weights, standardisers) as transformers writes them; `fusion.json` with
everything else that is needed to answer; the tokenizers of text encoders that were trained, in
`tokenizers/<modality>`; `training_record.json` and a model card. A strategy with several models
keeps the others in folders of their names.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import torch

from emollama.base.device import default_device
from emollama.base.errors import EmollamaError
from emollama.base.files import read_json, write_json, write_text, written_whole
from emollama.base.paths import FAMILIARITY_FILE, FUSION_FILE
from emollama.base.precision import Quantisation
from emollama.fusion.data.data import read_data
from emollama.fusion.modeling import FusionModel
from emollama.fusion.samples import FusionSamples, input_of
from emollama.fusion.trainable import TrainableEncoder
from emollama.fusion.trained import TOKENIZERS, About, TrainedFusion
from emollama.fusion.weights import MAIN, WEIGHTS_FILE, load_weights, new_model, read_config
from emollama.fusion.weights import save_models as save_models
from emollama.inputs.familiarity import Familiarity, write_familiarity
from emollama.inputs.opening import reopen_inputs
from emollama.inputs.person import PersonPrior
from emollama.inputs.person_file import PRIOR_FILE, write_prior
from emollama.inputs.spec import InputSpec
from emollama.manifest.labels import LabelSet
from emollama.manifest.sample import Manifest, Sample
from emollama.runs.artefact import Artefact, TaskKind
from emollama.runs.run_folder import CARD_FILE, RECORD_FILE

FUSION_VERSION = 1


class FusionArtefact(TrainedFusion, Artefact):
    """A trained fusion model."""

    family = "fusion"
    title = "a fusion model"

    @classmethod
    def open(
        cls, folder: Path, dtype: str = "auto", quantise: Quantisation | None = None
    ) -> FusionArtefact:
        """Load it onto the accelerator, if there is one; `dtype` is for language models."""
        del dtype
        if quantise not in (None, "none"):
            raise EmollamaError(f"{folder}: is a fusion model; --quantise is for language models")
        return load(folder, default_device())

    @property
    def labels(self) -> tuple[str, ...]:
        """Its label set; () if it answers with values only."""
        return tuple(self.config.labels) if self.config.goal.has_labels else ()

    @property
    def task(self) -> TaskKind:
        """What it predicts."""
        return self.config.goal.kind

    @property
    def values(self) -> tuple[str, ...]:
        """Names of the quantities that it predicts."""
        return self.config.goal.values

    @property
    def thresholds(self) -> Mapping[str, float]:
        """For several labels: the score from which each is answered."""
        return self.about.thresholds

    @property
    def inputs(self) -> tuple[InputSpec, ...]:
        """What it reads."""
        return tuple(input_of(s) for s in self.sections)

    def load_samples(
        self,
        manifest: Manifest,
        samples: Sequence[Sample],
        split: str,
        store: Path | None,
        features: Path | None = None,
    ) -> FusionSamples:
        """Samples with their features and media; see `Artefact.load_samples`."""
        sections = self.sections
        readers = reopen_inputs(store, sections, features, manifest.lacks)
        data = read_data(
            manifest, split, self.config.goal, self.about.labels, sections, readers,
            samples=samples, known_only=False,
        )  # fmt: skip
        return FusionSamples(self, data, readers)


def save(
    models: Mapping[str, FusionModel],
    about: About,
    folder: Path,
    record: dict[str, Any],
    card: str,
    prior: PersonPrior | None = None,
    familiarity: Familiarity | None = None,
) -> None:
    """Write an artefact atomically; an older one at `folder` is replaced.

    `prior`: where an input is measured against people. `familiarity`: where one is a feature track.
    """
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
        write_text(draft / RECORD_FILE, json.dumps(record, indent=2) + "\n")
        write_text(draft / CARD_FILE, card)
        if prior is not None:
            write_prior(prior, draft / PRIOR_FILE)
        if familiarity is not None:
            write_familiarity(familiarity, draft / FAMILIARITY_FILE)


def load(folder: Path, device: torch.device | str = "cpu") -> FusionArtefact:
    """Load an artefact.

    Raises:
        EmollamaError: a file is missing or corrupt, a system is unknown here, or a tensor is
            missing or misshapen.
    """
    if not (folder / FUSION_FILE).is_file():
        raise EmollamaError(f"{folder}: is not a fusion model: {FUSION_FILE} is missing")
    about = _read_about(folder / FUSION_FILE)
    models = {}
    for name in about.models:
        place = folder if name == MAIN else folder / name
        model = new_model(read_config(place), place / "config.json")
        load_weights(model, place / WEIGHTS_FILE)
        models[name] = model.to(device).eval()  # type: ignore[arg-type]
    return FusionArtefact(models, about, folder)


def _read_about(path: Path) -> About:
    values = read_json(path)
    try:
        if values["version"] != FUSION_VERSION:
            raise EmollamaError(
                f"{path}: version {values['version']} is not supported; this release "
                f"reads version {FUSION_VERSION}"
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
