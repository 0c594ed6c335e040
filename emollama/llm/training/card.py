"""The model card of a tuned EmotionLlama."""

from __future__ import annotations

from typing import Any

from emollama.llm.training.config import TrainConfig
from emollama.manifest.sample import Manifest
from emollama.runs.card import INTENDED_USE, terms


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
