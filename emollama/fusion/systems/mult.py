"""MulT: the multimodal transformer (Tsai et al. 2019), as in MERBench.

A convolution brings every modality to one width. Each is then read through the others by a stack of
layers whose queries are its own and whose keys are the other's convolved steps; the concatenated
results go through a stack of self-attention, whose last valid step represents the modality.

With three modalities each is read through both others (six stacks), a single one through itself.
Missing keys leave only the residual; a missing modality gives 0.

The original's attention is causal and knows no positions; here both are options (`causal: true`,
`positions: false`), and the defaults are the opposite, since a step read through another modality
has no reason to see only that one's beginning.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from emollama.base.config import Strict
from emollama.fusion.blocks import feed_forward
from emollama.fusion.configuration import FusionConfig
from emollama.fusion.layers import (
    Attention,
    Tokens,
    compact,
    directed_pairs,
    require_whole_heads,
    side_by_side,
    sinusoids,
)
from emollama.fusion.modeling import FusionModel, FusionOutput

_LEAST_SELF_LAYERS = 3


class MulTOptions(Strict):
    """`layers` of a cross-modal stack (a self-attention stack has at least 3), `heads` of each,
    `hidden`: width after the convolution of `kernel` steps, `dropout` everywhere. `positions` adds
    sinusoids to the convolved steps; under `causal` a step sees no later ones (of another modality:
    none further ahead than its sequence is longer or shorter, in that row).
    """

    hidden: int = Field(default=64, ge=2, multiple_of=2)
    layers: int = Field(default=4, ge=1)
    heads: int = Field(default=8, ge=1)
    kernel: int = Field(default=3, ge=1)
    dropout: float = Field(default=0.1, ge=0, lt=1)
    positions: bool = True
    causal: bool = False

    @model_validator(mode="after")
    def _sound(self) -> MulTOptions:
        require_whole_heads(self.hidden, self.heads, "hidden")
        if self.kernel % 2 == 0:
            raise ValueError(f"kernel {self.kernel}: must be odd, so that steps stay aligned")
        return self


class MulTConfig(FusionConfig):
    """Configuration of `MulT`."""

    model_type = "emollama_mult"
    system = "mult"
    options_class = MulTOptions


class PreNormLayer(nn.Module):
    """Attention and a feed-forward network of four times the width, each behind a layer norm."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(width)
        self.attention = Attention(width, heads, dropout)
        self.forward_norm = nn.LayerNorm(width)
        self.feed_forward = feed_forward(width, 4 * width, dropout)
        self.dropout = nn.Dropout(dropout)

    def forward(
        self, values: Tensor, keys: Tensor, allowed: Tensor, explain: bool = False
    ) -> tuple[Tensor, Tensor | None]:
        """[B, Lq, d] and weights [B, Lq, Lk]; keys go through the queries' norm."""
        attended, weights = self.attention(
            self.attention_norm(values), self.attention_norm(keys), allowed, explain
        )
        values = values + self.dropout(attended)
        return values + self.dropout(self.feed_forward(self.forward_norm(values))), weights


class PreNormStack(nn.Module):
    """Pre-norm layers over the same keys, or each over its own input, and a last norm."""

    def __init__(self, width: int, heads: int, layers: int, dropout: float) -> None:
        super().__init__()
        self.scale = math.sqrt(width)
        self.dropout = nn.Dropout(dropout)
        self.layers = nn.ModuleList(PreNormLayer(width, heads, dropout) for _ in range(layers))
        self.norm = nn.LayerNorm(width)

    def forward(
        self,
        values: Tensor,
        keys: Tensor | None,
        allowed: Tensor,
        positions: bool,
        explain: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        """[B, Lq, d] and the layers' mean weights [B, Lq, Lk]; self-attention without keys."""
        values = self._embed(values, positions)
        keys = None if keys is None else self._embed(keys, positions)
        found = []
        for layer in self.layers:
            values, weights = layer(values, values if keys is None else keys, allowed, explain)
            found.append(weights)
        return self.norm(values), torch.stack(found).mean(0) if explain else None

    def _embed(self, values: Tensor, positions: bool) -> Tensor:
        values = self.scale * values
        if positions:
            place = torch.arange(values.shape[1], device=values.device)
            values = values + sinusoids(place, values.shape[2]).to(values.dtype)
        return self.dropout(values)


class MulT(FusionModel):
    """Convolutions, cross-modal stacks, self-attention stacks, last step, residual network, linear.

    Maps: "query>key" [B, Lq, Lk], the mean over layers and heads.
    """

    config_class = MulTConfig

    def __init__(self, config: FusionConfig) -> None:
        super().__init__(config)
        self.chosen = MulTOptions.model_validate(config.options)
        hidden, heads, dropout = self.chosen.hidden, self.chosen.heads, self.chosen.dropout
        kernel = self.chosen.kernel
        self.encoders = nn.ModuleDict(
            {
                name: nn.Conv1d(width, hidden, kernel, padding=kernel // 2, bias=False)
                for name, width in self.widths.items()
            }
        )
        self.pairs = directed_pairs(config.names)
        self.cross = nn.ModuleDict(
            {
                f"{query}>{key}": PreNormStack(hidden, heads, self.chosen.layers, dropout)
                for query, key in self.pairs
            }
        )
        each = self.crossed_width = hidden * max(1, len(config.names) - 1)
        depth = max(self.chosen.layers, _LEAST_SELF_LAYERS)
        self.selves = nn.ModuleDict(
            {name: PreNormStack(each, heads, depth, dropout) for name in config.names}
        )
        joined = each * len(config.names)
        self.residual = nn.Sequential(
            nn.Linear(joined, joined), nn.ReLU(), nn.Dropout(dropout), nn.Linear(joined, joined)
        )
        self.narrow = nn.Linear(joined, hidden // 2)
        self.output = nn.Linear(hidden // 2, config.width)
        self.post_init()

    def encode_one(self, name: str, values: Tensor, valid: Tensor, times: Tensor) -> Tokens:
        """The convolution over the valid steps only, ignoring everything around them."""
        steps = compact(Tokens(values, valid, times))
        convolved = self.encoders[name](steps.values.transpose(1, 2)).transpose(1, 2)
        return Tokens(convolved, steps.valid, steps.times)

    def fuse(
        self,
        tokens: Mapping[str, Tokens],
        state: Mapping[str, Tensor] | None = None,
        explain: bool = False,
    ) -> FusionOutput:
        """Last valid steps of all modalities, side by side."""
        maps: dict[str, Tensor] = {}
        found: dict[str, list[Tensor]] = {name: [] for name in tokens}
        for query, key in self.pairs:
            if query not in tokens:
                continue
            crossed, weights = self._cross(query, key, tokens, explain)
            found[query].append(crossed)
            if weights is not None:
                maps[f"{query}>{key}"] = weights
        last = {
            name: self._last(name, torch.cat(crossed, dim=-1), tokens[name].valid)
            for name, crossed in found.items()
        }
        joined = side_by_side(last, dict.fromkeys(self.config.names, self.crossed_width))
        features = self.narrow(joined + self.residual(joined))
        return FusionOutput(
            logits=self.output(features), features=features, maps=maps if explain else None
        )

    def _cross(
        self, query: str, key: str, tokens: Mapping[str, Tokens], explain: bool
    ) -> tuple[Tensor, Tensor | None]:
        queries = tokens[query]
        nothing = Tokens(
            torch.zeros_like(queries.values[:, :1]),
            torch.zeros_like(queries.valid[:, :1]),
            torch.zeros_like(queries.times[:, :1]),
        )
        keys = tokens.get(key, nothing)
        crossed, weights = self.cross[f"{query}>{key}"](
            queries.values,
            keys.values,
            self._allowed(queries.valid, keys.valid),
            self.chosen.positions,
            explain,
        )
        return crossed, weights if key in tokens else None

    def _last(self, name: str, values: Tensor, valid: Tensor) -> Tensor:
        # The positions are in the crossed steps already.
        read, _ = self.selves[name](values, None, self._allowed(valid, valid), positions=False)
        last = (valid.sum(dim=1) - 1).clamp(min=0)
        rows = torch.arange(len(values), device=values.device)
        return torch.where(valid.any(dim=1, keepdim=True), read[rows, last], 0.0)

    def _allowed(self, queries: Tensor, keys: Tensor) -> Tensor:
        """[B, Lk], or [B, Lq, Lk] under `causal`; valid steps come first in both."""
        if not self.chosen.causal:
            return keys
        ahead = (queries.sum(dim=1) - keys.sum(dim=1)).abs()
        query = torch.arange(queries.shape[1], device=queries.device)[None, :, None]
        key = torch.arange(keys.shape[1], device=keys.device)[None, None, :]
        return (key <= query + ahead[:, None, None]) & keys[:, None, :]
