"""Asking a model about many clips: label scores in batches, reasons as free text."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from emollama.llm.batch import by_count, to_device
from emollama.llm.decoding import Sampling, generate
from emollama.llm.interop.engine import PromptEngine
from emollama.llm.modeling import EmotionLlama
from emollama.llm.processing import EmotionLlamaProcessor, Evidence
from emollama.llm.scoring import Method, label_distribution, score_labels

Progress = Callable[[int], None]
REASON_TOKENS = 96
"""Default maximum length of a reason."""


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
    A model's channel heads are combined with what the language model says.
    """
    question = processor.instruction("emotion")
    prompts = [processor.encode_prompt(processor.for_label(e), question) for e in evidence]
    label_ids = processor.label_ids()
    result = np.zeros((len(prompts), len(label_ids)))
    for rows in by_count([len(p.input_ids) for p in prompts], batch_size):
        batch = to_device(processor.collate([prompts[i] for i in rows]), model.device)
        scores = score_labels(model, batch, label_ids, method)
        result[rows] = label_distribution(scores).double().cpu().numpy()
        if progress:
            progress(len(rows))
    return processor.combined(result, evidence)


def written(
    model: EmotionLlama,
    processor: EmotionLlamaProcessor,
    evidence: Sequence[Evidence],
    task: str = "reason",
    max_new_tokens: int = REASON_TOKENS,
    batch_size: int = 8,
    engine: PromptEngine | None = None,
) -> list[str]:
    """The greedy answer to a task's question for each piece of evidence.

    `engine`: writes in place of our own loop.
    """
    question = processor.instruction(task)
    prompts = [processor.encode_prompt(e, question) for e in evidence]
    sampling = Sampling(max_new_tokens=max_new_tokens)
    if engine is not None:
        return [processor.decode(ids) for ids in engine.answers(prompts, sampling)]
    answers = [""] * len(prompts)
    for rows in by_count([len(p.input_ids) for p in prompts], batch_size):
        ids = generate(model, processor, [prompts[i] for i in rows], sampling)
        for row, answer in zip(rows, ids, strict=True):
            answers[row] = processor.decode(answer)
    return answers
