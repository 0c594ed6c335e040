"""What transformers' own `generate` writes: the reference that our loop is held against."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import torch

from emollama.llm.batch import Encoded
from emollama.llm.modeling import EmotionLlama
from emollama.llm.processing import EmotionLlamaProcessor


@torch.inference_mode()
def transformers_greedy(
    model: EmotionLlama,
    processor: EmotionLlamaProcessor,
    prompts: Sequence[Encoded],
    tokens: int,
    ends: bool = True,
) -> list[list[int]]:
    """The greedy answer to each prompt of a batch, without its end."""
    batch = processor.collate(prompts)
    embeddings = model.embed(
        batch["input_ids"], batch["stream_ids"], batch["features"], batch["present"]
    )
    end = processor.end_id if ends else None
    ids = cast(Any, model.language_model).generate(
        inputs_embeds=embeddings, attention_mask=batch["attention_mask"], max_new_tokens=tokens,
        do_sample=False, eos_token_id=end, pad_token_id=processor.pad_id,
    ).tolist()  # fmt: skip
    return [row[: row.index(end)] if end in row else row for row in ids]
