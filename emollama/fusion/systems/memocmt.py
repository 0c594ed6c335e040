"""MemoCMT: a pair of cross-attention blocks, pooled together (tpnam0901/MemoCMT, 2025).

Each block is attention, a linear layer and layer norm, without a residual: "voice>words" holds, for
each step of the voice, the result of attending to the words. The paper's best pooling is the
minimum.

With three modalities there is a block for each of the six directed pairs; with a single one, one
block in which it attends to itself. Since a block has no residual, a step without keys would lose
its information: in a row without the key modality the query attends to itself instead, through the
same block.

The original's `cls` pooling reads position 0 of all blocks joined in time, which is the first
block's alone, and leaves the other without a gradient. Here it is the mean of every block's first
valid position.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from pydantic import Field
from torch import Tensor, nn

from emollama.fusion.configuration import AttentionOptions, FusionConfig
from emollama.fusion.layers import (
    Attention,
    Pooling,
    Tokens,
    directed_pairs,
    masked_mean,
    masked_pool,
)
from emollama.fusion.modeling import FusionModel, FusionOutput


class MemoCMTOptions(AttentionOptions):
    """`width` of the blocks (a modality of another width is projected to it), `heads`, `dropout`
    everywhere, `pooling` over all blocks' valid positions, `head`: the classifier's hidden width.
    """

    width: int = Field(default=768, ge=1)
    heads: int = Field(default=8, ge=1)
    dropout: float = Field(default=0.1, ge=0, lt=1)
    pooling: Pooling = "min"
    head: int = Field(default=128, ge=1)


class MemoCMTConfig(FusionConfig):
    """Configuration of `MemoCMT`."""

    model_type = "emollama_memocmt"
    system = "memocmt"
    options_class = MemoCMTOptions


class CrossBlock(nn.Module):
    """Attention from queries to keys, linear, layer norm, dropout."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.attention = Attention(width, heads, dropout)
        self.output = nn.Sequential(
            nn.Linear(width, width), nn.LayerNorm(width), nn.Dropout(dropout)
        )

    def forward(
        self, queries: Tokens, keys: Tokens | None, explain: bool = False
    ) -> tuple[Tensor, Tensor | None]:
        """[B, Lq, d] and weights over the keys [B, Lq, Lk], if there are keys and `explain`."""
        if keys is None:
            values, valid, length = queries.values, queries.valid, 0
        else:
            values, valid, length = keys.values, keys.valid, keys.values.shape[1]
            if not bool(keys.present.all()):
                alone = queries.valid & ~keys.present[:, None]
                values = torch.cat([values, queries.values], dim=1)
                valid = torch.cat([valid, alone], dim=1)
        attended, weights = self.attention(queries.values, values, valid, explain)
        if weights is not None:
            weights = weights[..., :length] if length else None
        return self.output(attended), weights


class MemoCMT(FusionModel):
    """Cross blocks of every directed pair, masked pooling over all their positions, a small head.

    Maps: "query>key" [B, Lq, Lk]; 0 in rows without the key modality.
    """

    config_class = MemoCMTConfig

    def __init__(self, config: FusionConfig) -> None:
        super().__init__(config)
        options = MemoCMTOptions.model_validate(config.options)
        self.pooling = options.pooling
        self.encoders = nn.ModuleDict(
            {
                name: nn.Identity() if width == options.width else nn.Linear(width, options.width)
                for name, width in self.widths.items()
            }
        )
        self.pairs = directed_pairs(config.names)
        self.blocks = nn.ModuleDict(
            {
                f"{query}>{key}": CrossBlock(options.width, options.heads, options.dropout)
                for query, key in self.pairs
            }
        )
        self.dropout = nn.Dropout(options.dropout)
        self.head = nn.Sequential(
            nn.Dropout(options.dropout),
            nn.Linear(options.width, options.head),
            nn.LeakyReLU(),
            nn.Dropout(options.dropout),
            nn.Linear(options.head, config.width),
        )
        self.post_init()

    def fuse(
        self,
        tokens: Mapping[str, Tokens],
        state: Mapping[str, Tensor] | None = None,
        explain: bool = False,
    ) -> FusionOutput:
        """All blocks of the modalities that are given, pooled."""
        maps, values, valid = {}, [], []
        for query, key in self.pairs:
            if query not in tokens:
                continue
            attended, weights = self.blocks[f"{query}>{key}"](
                tokens[query], tokens.get(key), explain
            )
            values.append(attended)
            valid.append(tokens[query].valid)
            if weights is not None:
                maps[f"{query}>{key}"] = weights
        pooled = self._pool(values, valid)
        return FusionOutput(
            logits=self.head(self.dropout(pooled)), features=pooled, maps=maps if explain else None
        )

    def _pool(self, values: list[Tensor], valid: list[Tensor]) -> Tensor:
        if self.pooling != "cls":
            return masked_pool(torch.cat(values, dim=1), torch.cat(valid, dim=1), self.pooling)
        firsts = [masked_pool(v, m, "cls") for v, m in zip(values, valid, strict=True)]
        present = [m.any(dim=1) for m in valid]
        return masked_mean(torch.stack(firsts, dim=1), torch.stack(present, dim=1))
