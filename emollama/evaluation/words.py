"""Words as features for the classical baseline."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from sklearn.feature_extraction.text import CountVectorizer
from transformers import AutoTokenizer

from emollama.evaluation.baseline import FeatureMatrix
from emollama.llm.backbone import load_llm
from emollama.manifest.sample import Sample


def clue_features(channel: Literal["voice", "face"], samples: Sequence[Sample]) -> FeatureMatrix:
    """Phrases and words in the clues of a channel, [n, D] of 0 and 1.

    Clues are phrases between commas in parts between semicolons; a phrase in another part ("at the
    peak") has another column. Phrases of fewer than two samples are left out.
    """

    def pieces(clue: str) -> list[str]:
        found = []
        for place, part in enumerate(clue.lower().split(";")):
            phrases = [phrase.strip(" .") for phrase in part.split(",")]
            words = [word for phrase in phrases for word in phrase.split()]
            found += [f"{place}:{piece}" for piece in (*phrases, *words)]
        return found

    texts = [s.clues.get(channel, "") for s in samples]
    bag = CountVectorizer(analyzer=pieces, binary=True, min_df=2)
    try:
        values = bag.fit_transform(texts).toarray().astype(np.float32)
    except ValueError:  # no phrase stands in two clips
        values = np.zeros((len(texts), 1), np.float32)
    present = np.array([bool(text) for text in texts])
    return FeatureMatrix("clues", tuple(s.id for s in samples), values, present)


@torch.inference_mode()
def sentence_features(llm: Path, samples: Sequence[Sample], batch_size: int = 32) -> FeatureMatrix:
    """Mean of the last hidden states over a subtitle's tokens, [n, H]; absent without a subtitle.

    The language model is untuned, so the regression gets its original representation of the words.
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
