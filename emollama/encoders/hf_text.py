"""Words: full-size text models over the subtitle.

BERT (Devlin et al. 2019), RoBERTa (Liu et al. 2019), their Chinese descendants (Cui et al. 2021)
and MiniLM sentence vectors (Wang et al. 2020, Reimers and Gurevych 2019).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
import torch

from emollama.base.errors import EmollamaError
from emollama.encoders.base import FeatureTrack
from emollama.encoders.full_size import FullSizeEncoder
from emollama.encoders.hidden_states import HiddenStates, load_hidden_states
from emollama.manifest.channels import Channel
from emollama.media.clip import Clip

_SENTENCE_TOKENS = 256  # what MiniLM's sentence vectors were trained up to


class TextEncoder(FullSizeEncoder):
    """Hidden states of a text model over the subtitle's tokens; a subtitle has no place in time.

    The tokens that frame a text ([CLS], <s>, ...) are read by the model and left out of the track.
    Sentence vectors are computed as in training: the mean over all tokens, scaled to length 1.
    Special tokens in a subtitle are read as text. Long subtitles are cut to the model's limit.
    """

    channel: Channel = "words"
    frames = 0

    def model_class(self) -> Any:
        """transformers' class of the model."""
        from transformers import BertModel, RobertaModel

        return RobertaModel if self.model.kind == "roberta" else BertModel

    @cached_property
    def _net(self) -> HiddenStates:
        last = max(self.readout.layers(self.config.num_hidden_layers))
        return load_hidden_states(
            self.model_class(), self.folder, self.config, last, "encoder.layer", self.compute,
            add_pooling_layer=False,
        )  # fmt: skip

    @cached_property
    def _tokenizer(self) -> Any:
        from transformers import AutoTokenizer

        try:
            return AutoTokenizer.from_pretrained(
                self.folder, local_files_only=True, trust_remote_code=False
            )
        except (OSError, ValueError, KeyError, TypeError) as error:
            reason = " ".join(str(error).split())[:200]
            raise EmollamaError(
                f"{self.folder}: the tokenizer cannot be loaded: {reason}"
            ) from error

    @property
    def _longest(self) -> int:
        if self.model.kind == "sentence":
            return min(_SENTENCE_TOKENS, self.config.max_position_embeddings)
        # RoBERTa's positions begin behind the padding index.
        offset = self.config.pad_token_id + 1 if self.model.kind == "roberta" else 0
        return int(self.config.max_position_embeddings - offset)

    def encode(self, clips: Sequence[Clip]) -> list[FeatureTrack | None]:
        """One track per clip; None without a subtitle."""
        return [self._encode((clip.text or "").strip()) for clip in clips]

    def _encode(self, text: str) -> FeatureTrack | None:
        if not text:
            return None
        encoded = self._tokenizer(
            text,
            truncation=True,
            max_length=self._longest,
            return_special_tokens_mask=True,
            split_special_tokens=True,
        )
        inputs = {
            name: torch.tensor([encoded[name]])
            for name in ("input_ids", "attention_mask", "token_type_ids")
            if name in encoded
        }
        states = self._net.sum_of(self.readout.layers(self._net.total), inputs)[0].numpy()
        if self.model.kind != "sentence":
            states = states[np.array(encoded["special_tokens_mask"]) == 0]
        if not len(states):
            return None
        track = self.readout.pool(states, np.zeros(len(states)))
        if self.model.kind == "sentence" and self.readout.whole:
            length = np.linalg.norm(track.values, axis=1, keepdims=True)
            track = FeatureTrack(track.values / np.maximum(length, 1e-12), track.times)
        return track
