"""The model card of a fusion model."""

from __future__ import annotations

from typing import Any

from emollama.fusion.configuration import FusionConfig, ModalitySection
from emollama.fusion.training.config import FusionTrainConfig
from emollama.manifest.sample import Manifest
from emollama.runs.card import INTENDED_USE, terms


def fusion_card(
    config: FusionTrainConfig, manifest: Manifest, model: FusionConfig, record: dict[str, Any]
) -> str:
    """Markdown: the fusion model, its training data and its intended use."""
    rows = "\n".join(
        f"| {s.name} | {s.channel} | {_features(s)} | {s.width or ''} |" for s in model.sections
    )
    best = record["best"]
    kept = (
        f"the weights are those of epoch {best['epoch']}, the best on "
        f"`{config.data.validation_split}` ({best['metric']} {best['value']:.4f})"
        if best
        else "the weights are those of the last epoch, because there was no validation split"
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
    """The input of a modality: a track, or the clip's media through an encoder of the model."""
    if section.kind == "track":
        return f"`{section.source}`"
    return f"{section.kind}, `{section.source}`" if section.source else section.kind
