"""Shared by MERBench's systems: one vector per modality and clip, and the options.

MERBench (Lian et al. 2024) encodes an utterance vector by a small network and a frame sequence by
an LSTM. Here every modality is a sequence with a mask: the utterance encoder reads its mean over
time.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from emollama.base.config import Strict
from emollama.fusion.configuration import FusionConfig
from emollama.fusion.layers import LSTMEncoder, MLPEncoder, Tokens, masked_mean
from emollama.fusion.modeling import FusionModel


class MERBenchOptions(Strict):
    """`encoder` "utterance" reads each modality's mean over time, "frames" its steps by an LSTM;
    `hidden` is the width after it, `dropout` comes before (utterance) or after (frames) the
    encoder.
    """

    encoder: Literal["utterance", "frames"] = "utterance"
    hidden: int = Field(default=128, ge=1)
    dropout: float = Field(default=0.3, ge=0, lt=1)


class MERBenchModel(FusionModel):
    """Encoders of one vector a modality; a system subclasses this."""

    def __init__(self, config: FusionConfig) -> None:
        super().__init__(config)
        options = config.options
        self.frames = options["encoder"] == "frames"
        encoder = LSTMEncoder if self.frames else MLPEncoder
        self.encoders = nn.ModuleDict(
            {
                name: encoder(width, options["hidden"], options["dropout"])
                for name, width in self.widths.items()
            }
        )

    def encode_one(self, name: str, values: Tensor, valid: Tensor, times: Tensor) -> Tokens:
        """One token [B, 1, hidden], at the mean time; 0 and not valid in rows without a step."""
        encoder = self.encoders[name]
        if self.frames:
            encoded = encoder(values, valid)
        else:
            # A vector is its own mean; where it is not valid, its row becomes 0 below.
            encoded = encoder(values[:, 0] if values.shape[1] == 1 else masked_mean(values, valid))
        present = valid.any(dim=1, keepdim=True)
        centre = masked_mean(times[..., None], valid)
        return Tokens(torch.where(present, encoded, 0.0)[:, None], present, centre)

    def vectors(self, tokens: Mapping[str, Tokens]) -> tuple[Tensor, Tensor]:
        """Encoded modalities in order [B, M, hidden] and present [B, M]; 0 if absent."""
        some = next(iter(tokens.values()))
        absent = torch.zeros_like(some.values), torch.zeros_like(some.valid)
        pairs = [
            (tokens[name].values, tokens[name].valid) if name in tokens else absent
            for name in self.config.names
        ]
        return torch.cat([v for v, _ in pairs], dim=1), torch.cat([p for _, p in pairs], dim=1)
