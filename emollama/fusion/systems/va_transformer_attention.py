"""Valence-arousal transformer with a memory of the windows before, read by attention.

Facts of the public system (ABAW 2022, situAI, branch RUCAIM3; arXiv 2203.13032): a window's hidden
states are averaged over short chunks and stored; the oldest are dropped first.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from pydantic import Field
from torch import Tensor, nn

from emollama.fusion.configuration import FusionConfig
from emollama.fusion.layers import Attention, Tokens, gather_steps, mean_by, places
from emollama.fusion.modeling import FusionOutput
from emollama.fusion.systems.frame_model import (
    FrameEncoder,
    FrameModel,
    TransformerOptions,
    regressor,
)


class VaTransformerAttentionOptions(TransformerOptions):
    """`mem_avg_len` frames make one entry of the memory, which holds at most `mem_entries`."""

    mem_avg_len: int = Field(default=10, ge=1)
    mem_entries: int = Field(default=100, ge=1)


class VaTransformerAttentionConfig(FusionConfig):
    """Configuration of `VaTransformerAttention`."""

    model_type = "emollama_va_transformer_attention"
    system = "va_transformer_attention"
    options_class = VaTransformerAttentionOptions


class VaTransformerAttention(FrameModel):
    """Linear, transformer within the window, attention to the memory added, regressor.

    The first window of a video has no memory, and nothing is added: the memory's own attention
    learns from the second window on.
    """

    config_class = VaTransformerAttentionConfig

    def __init__(self, config: FusionConfig) -> None:
        super().__init__(config)
        o = VaTransformerAttentionOptions.model_validate(config.options)
        self.input = nn.Linear(self.width_in, o.width)
        self.encoder = FrameEncoder(o)
        self.recall = Attention(o.width, o.heads, o.dropout)
        self.output = regressor(o.width, o.regressor, o.regressor_dropout, config.width)
        self.chunk, self.entries = o.mem_avg_len, o.mem_entries
        self.post_init()

    def fuse(
        self,
        tokens: Mapping[str, Tokens],
        state: Mapping[str, Tensor] | None = None,
        explain: bool = False,
    ) -> FusionOutput:
        """Logits [B, L, W]; the state is `memory` [B, K, width] and `memory_valid` [B, K].

        Maps: "i:frames>frames" [B, L, L] and "frames>memory" [B, L, K], over the memory before this
        window; 0 in rows without one.
        """
        values, grid = self.frames(tokens)
        encoded, maps = self.encoder(self.input(values), grid.valid, explain)
        hidden = encoded
        if state is not None:
            recalled, weights = self.recall(
                encoded, state["memory"], state["memory_valid"], explain
            )
            hidden = encoded + recalled
            if weights is not None:
                maps["frames>memory"] = weights
        return FusionOutput(
            logits=self.output(hidden),
            valid=grid.valid,
            times=grid.times,
            maps=maps if explain else None,
            state=self._remember(encoded, grid.valid, state),
        )

    def _remember(
        self, encoded: Tensor, valid: Tensor, state: Mapping[str, Tensor] | None
    ) -> dict[str, Tensor]:
        """The memory with this window's chunks appended, limited to the newest entries."""
        new, known = chunk_means(encoded, valid, self.chunk)
        if state is not None:
            new = torch.cat([state["memory"], new], dim=1)
            known = torch.cat([state["memory_valid"], known], dim=1)
        # Stable: entries that hold something go last, in their order.
        order = known.to(torch.int8).argsort(dim=1, stable=True)[:, -self.entries :]
        return {
            "memory": gather_steps(new, order),
            "memory_valid": gather_steps(known, order),
        }


def chunk_means(values: Tensor, valid: Tensor, length: int) -> tuple[Tensor, Tensor]:
    """Means of every `length` valid steps: [B, K, d], and which of them exist [B, K].

    The last chunk of a row may have fewer steps.
    """
    return mean_by(values, valid, places(valid) // length, -(-values.shape[1] // length))
