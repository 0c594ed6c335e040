"""Sentence features for the classical baseline: what the frozen language model makes of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from transformers import AutoTokenizer

from emollama.evaluation.baseline import FeatureMatrix
from emollama.llm.artefact import load_llm
from emollama.sample import Sample


@torch.inference_mode()
def sentence_features(llm: Path, samples: Sequence[Sample], batch_size: int = 32) -> FeatureMatrix:
    """Mean of the last hidden states over a subtitle's tokens, [n, H]; absent without a subtitle.

    Without any tuning, so that the regression gets the words as the language model first had them.
    """
    model = load_llm(llm, torch.float32).eval()
    tokenizer = AutoTokenizer.from_pretrained(llm, local_files_only=True)
    texts = sorted({s.text for s in samples if s.text}, key=lambda t: (len(t), t))
    vectors: dict[str, np.ndarray] = {}
    for start in range(0, len(texts), batch_size):
        chunk = texts[start : start + batch_size]
        ids = [
            tokenizer(t, add_special_tokens=False, split_special_tokens=True).input_ids
            for t in chunk
        ]
        size = max(len(row) for row in ids)
        tokens = torch.tensor([row + [0] * (size - len(row)) for row in ids])
        mask = torch.tensor([[1] * len(row) + [0] * (size - len(row)) for row in ids])
        hidden = model.get_decoder()(input_ids=tokens, attention_mask=mask).last_hidden_state
        means = (hidden * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)
        vectors.update(zip(chunk, means.numpy(), strict=True))
    width = model.config.hidden_size
    values = np.stack([vectors[s.text] if s.text else np.zeros(width) for s in samples])
    present = np.array([bool(s.text) for s in samples])
    return FeatureMatrix("words", tuple(s.id for s in samples), values.astype(np.float32), present)
