"""The model card that stands in every artefact."""

from __future__ import annotations

from typing import Any

from emollama.config import TrainConfig
from emollama.fusion.configuration import FusionConfig, ModalitySection
from emollama.sample import Manifest
from emollama.training.fusion_config import FusionTrainConfig

TERMS: dict[str, str] = {
    "ravdess": "RAVDESS is CC BY-NC-SA 4.0: what is trained on it is for non-commercial use.",
    "merr": "MERR and the MER2023 clips it annotates are for research only, under their end-user "
    "licence agreement.",
    "mer2023": "MER2023 is for research only, under its end-user licence agreement.",
    "mer2024": "MER2024 is for research only, under its end-user licence agreement.",
    "relative": "MER2023 is for research only, under its end-user licence agreement.",
    "meld": "MELD is GPL-3.0; its clips are from a television series and for research only.",
    "probe": "The probe corpus is rendered: it holds no recordings of people.",
}
"""Terms of the training data by how a corpus' name begins."""


INTENDED_USE = """## Intended use

Research on how emotion is shown in face, voice and words. The labels are of emotion as acted or
annotated, which is not emotion as felt. Not for judging people at work, at school, in policing,
credit or health, nor for watching anyone who has not agreed to it.
"""


def terms(corpus: str) -> str:
    """What the data's terms mean for a model that was trained on it."""
    for name, text in TERMS.items():
        if corpus.lower().startswith(name):
            return text
    return f"The terms of `{corpus}` are not known here; they hold for this model too. See to them."


def model_card(config: TrainConfig, manifest: Manifest, record: dict[str, Any]) -> str:
    """Markdown: what the model is, what it was trained on, what it is not for."""
    streams = "\n".join(
        f"| {s.name} | {s.channel} | `{s.source}` | {s.tokens} |" for s in config.model.streams
    )
    return f"""---
library_name: emollama
base_model: {config.model.llm}
tags: [emotion-recognition, multimodal, lora]
---

# {config.output.name}

An EmotionLlama: `{config.model.llm}` with LoRA (rank {config.model.lora.r}) and one projector a
stream, tuned for {record["steps"]} steps of {config.training.batch_size} samples on
{record["samples"]} samples of `{manifest.corpus}` (last logged loss {record["final_loss"]}).

| stream | channel | features | tokens |
|---|---|---|---|
{streams}

Labels (`{manifest.labels.name}`): {", ".join(manifest.labels.labels)}.

Use: `emollama predict CLIP --model FOLDER`. The effective configuration, the versions of all
libraries and the training log are in `training_record.json`.

## Terms

{terms(manifest.corpus)} The language model `{config.model.llm}` keeps its own licence.

{INTENDED_USE}"""


def fusion_card(
    config: FusionTrainConfig, manifest: Manifest, model: FusionConfig, record: dict[str, Any]
) -> str:
    """Markdown: what a fusion model is, what it was trained on, what it is not for."""
    rows = "\n".join(
        f"| {s.name} | {s.channel} | {_features(s)} | {s.width or ''} |" for s in model.sections
    )
    best = record["best"]
    kept = (
        f"the weights are those of epoch {best['epoch']}, the best on "
        f"`{config.data.validation_split}` ({best['metric']} {best['value']:.4f})"
        if best
        else "the weights are those of the last epoch, for there was no validation split"
    )
    predicted = [*model.labels, *model.goal.values]
    return f"""---
library_name: emollama
tags: [emotion-recognition, multimodal]
---

# {config.output.name}

A fusion model: system `{config.fusion.system}`, {record["parameters"]:,} parameters, trained by
strategy `{config.strategy.name}` for {record["epochs"]} epochs on {record["samples"]} samples of
`{manifest.corpus}`; {kept}.

| modality | channel | features | width |
|---|---|---|---|
{rows}

Predicts (task `{model.goal.kind}`): {", ".join(predicted)}.

Use: `emollama predict CLIP --model FOLDER`. The effective configuration, the versions of all
libraries and the training log are in `training_record.json`.

## Terms

{terms(manifest.corpus)}

{INTENDED_USE}"""


def _features(section: ModalitySection) -> str:
    """What a modality reads: a track, or the clip's own media through an encoder of the model."""
    if section.kind == "track":
        return f"`{section.source}`"
    return f"{section.kind}, `{section.source}`" if section.source else section.kind
