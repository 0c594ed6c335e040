"""Words: the subtitle as one vector from a frozen language model.

The tuned language model reads the subtitle itself, but learns slowly from a few hundred clips. The
mean of its hidden states before tuning is a sentence embedding that even a regression can use, and
as a stream it is on equal terms with voice and face.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
import torch

from emollama.assets import fetch, weights_hash
from emollama.encoders.base import FeatureTrack
from emollama.manifest.channels import Channel
from emollama.media.clip import Clip

_CODE = "sentence-1"
_WIDTHS = {"smollm2-135m-instruct": 576}
_LONGEST = 512  # tokens of a subtitle that are read


class SentenceEncoder:
    """One vector [1, hidden size] per subtitle; None without one.

    Subtitles are encoded one by one, so that none depends on the batch, and each distinct one once
    per process. Special tokens in a subtitle are read as text.
    """

    channel: Channel = "words"
    frames = 0
    columns: tuple[str, ...] = ()

    def __init__(self, asset: str) -> None:
        self.key = asset
        self.width = _WIDTHS[asset]
        self._vector = lru_cache(maxsize=4096)(self._encode)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over code version and weights."""
        return hashlib.sha256(f"{_CODE}:{weights_hash(fetch(self.key))}".encode()).hexdigest()

    @cached_property
    def _model(self) -> tuple[Any, Any]:
        from transformers import AutoModel, AutoTokenizer

        folder = fetch(self.key)
        model = AutoModel.from_pretrained(
            folder, dtype=torch.float32, local_files_only=True, use_safetensors=True
        )
        return model.eval(), AutoTokenizer.from_pretrained(folder, local_files_only=True)

    def encode(self, clips: Sequence[Clip]) -> list[FeatureTrack | None]:
        """One track [1, width] per clip; None without a subtitle."""
        tracks: list[FeatureTrack | None] = []
        for clip in clips:
            text = (clip.text or "").strip()
            if not text:
                tracks.append(None)
                continue
            # A subtitle has no place in time.
            tracks.append(FeatureTrack(self._vector(text)[None], np.zeros(1, np.float32)))
        return tracks

    @torch.inference_mode()
    def _encode(self, text: str) -> np.ndarray:
        model, tokenizer = self._model
        ids = tokenizer(text, add_special_tokens=False, split_special_tokens=True).input_ids
        hidden = model(input_ids=torch.tensor([ids[:_LONGEST]]), use_cache=False).last_hidden_state
        return hidden[0].mean(dim=0).numpy()
