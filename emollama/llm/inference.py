"""Asking a model about many clips: label scores in batches, reasons as free text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from emollama.llm.batch import by_count, to_device
from emollama.llm.modeling import EmotionLlama
from emollama.llm.processing import EmotionLlamaProcessor, Evidence
from emollama.llm.scoring import Method, label_distribution, score_labels

Progress = Callable[[int], None]


def label_probabilities(
    model: EmotionLlama,
    processor: EmotionLlamaProcessor,
    evidence: Sequence[Evidence],
    batch_size: int = 8,
    method: Method = "tree",
    progress: Progress | None = None,
) -> np.ndarray:
    """Distribution over the label set [N, K] for each piece of evidence.

    Prompts are batched by length, so that little is padded; results do not depend on batch mates.
    """
    question = processor.instruction("emotion")
    prompts = [processor.encode_prompt(processor.for_label(e), question) for e in evidence]
    label_ids = processor.label_ids()
    result = np.zeros((len(prompts), len(label_ids)))
    for rows in by_count([len(p.input_ids) for p in prompts], batch_size):
        batch = to_device(processor.collate([prompts[i] for i in rows]), _device(model))
        scores = score_labels(model, batch, label_ids, method)
        result[rows] = label_distribution(scores).double().cpu().numpy()
        if progress:
            progress(len(rows))
    return result


def reasons(
    model: EmotionLlama,
    processor: EmotionLlamaProcessor,
    evidence: Sequence[Evidence],
    max_new_tokens: int = 96,
    batch_size: int = 8,
    progress: Progress | None = None,
    **options: Any,
) -> list[str]:
    """A generated reason for each piece of evidence; greedy unless `options` say otherwise."""
    return written(
        model, processor, evidence, "reason", max_new_tokens, batch_size, progress, **options
    )


def written(
    model: EmotionLlama,
    processor: EmotionLlamaProcessor,
    evidence: Sequence[Evidence],
    task: str,
    max_new_tokens: int,
    batch_size: int = 8,
    progress: Progress | None = None,
    **options: Any,
) -> list[str]:
    """The generated answer to a task's question for each piece of evidence."""
    question = processor.instruction(task)
    prompts = [processor.encode_prompt(e, question) for e in evidence]
    answers = [""] * len(prompts)
    for rows in by_count([len(p.input_ids) for p in prompts], batch_size):
        batch = to_device(processor.collate([prompts[i] for i in rows]), _device(model))
        ids = generate(model, processor, batch, max_new_tokens, **options)
        for row, answer in zip(rows, ids, strict=True):
            answers[row] = processor.decode(answer)
        if progress:
            progress(len(rows))
    return answers


def generate(
    model: EmotionLlama,
    processor: EmotionLlamaProcessor,
    batch: dict[str, Any],
    max_new_tokens: int,
    **options: Any,
) -> list[list[int]]:
    """New token ids of each row; sampling options as transformers' `generate` takes them."""
    options.setdefault("do_sample", False)
    return model.generate(
        input_ids=batch["input_ids"],
        stream_ids=batch["stream_ids"],
        features=batch["features"],
        present=batch["present"],
        attention_mask=batch["attention_mask"],
        max_new_tokens=max_new_tokens,
        eos_token_id=processor.end_id,
        pad_token_id=processor.pad_id,
        **options,
    ).tolist()


def _device(model: EmotionLlama) -> torch.device:
    return next(model.parameters()).device
