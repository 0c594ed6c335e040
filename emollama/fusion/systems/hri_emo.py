"""HRI-EMO: cross-modal encoder, a gate between the modalities, one query per emotion.

Facts of the public system (Makiato1999/HRI-EMO): linear projections; layers of self-attention and
attention to the other modality; a gate β over the dimensions that mixes the two sequences; learned
emotion queries that read the mixture, each giving a logit. Differences are deliberate: the other
modalities are averaged onto the words by time (there, audio frame j was paired with word j and the
rest cut off), the mixture has the words' own validity, and one or three modalities work too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from emollama.fusion.alignment import Grid, pool, reference_grid
from emollama.fusion.blocks import AttentionBlock, FeedForwardBlock
from emollama.fusion.configuration import AttentionOptions, FusionConfig
from emollama.fusion.layers import Tokens, masked_mean, masked_softmax
from emollama.fusion.modeling import FusionModel, FusionOutput

Weights = dict[str, Tensor]


class HriEmoOptions(AttentionOptions):
    """The defaults are those of the public system's second configuration.

    `gate` "vector" weighs each dimension by itself, "scalar" all alike (and without layer norms).
    `entropy_weight` adds that many times the gate's entropy to the loss, which drives each
    dimension towards a single modality; its benefit has not been shown, hence 0.
    """

    encoder_layers: int = Field(default=1, ge=1)
    decoder_layers: int = Field(default=2, ge=1)
    decoder_hidden: int = Field(default=2048, ge=1)
    gate: Literal["vector", "scalar"] = "vector"
    gate_hidden: int = Field(default=64, ge=1)
    dropout: float = Field(default=0.4, ge=0, lt=1)
    entropy_weight: float = Field(default=0.0, ge=0)


class HriEmoConfig(FusionConfig):
    """Configuration of `HriEmo`."""

    model_type = "emollama_hri_emo"
    system = "hri_emo"
    options_class = HriEmoOptions


class CrossModalLayer(nn.Module):
    """Each modality attends to itself, then to all the others, then goes through feed-forward.

    16d² + 19d parameters per modality; a single modality has no attention to others.
    """

    def __init__(self, names: Sequence[str], width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.own = nn.ModuleDict({n: AttentionBlock(width, heads, dropout) for n in names})
        self.cross = nn.ModuleDict(
            {n: AttentionBlock(width, heads, dropout) for n in names if len(names) > 1}
        )
        self.feed_forward = nn.ModuleDict(
            {n: FeedForwardBlock(width, 4 * width, dropout) for n in names}
        )

    def forward(
        self, values: Mapping[str, Tensor], valid: Mapping[str, Tensor], explain: bool = False
    ) -> tuple[dict[str, Tensor], Weights]:
        """Sequences [B, Lm, d] by modality to the same; maps by name if `explain`."""
        maps: Weights = {}
        attended = {}
        for name, steps in values.items():
            attended[name], weights = self.own[name](steps, steps, valid[name], explain)
            if weights is not None:
                maps[f"{name}>{name}"] = weights
        done = {}
        for name, steps in attended.items():
            if name in self.cross:
                steps, across = self._look_across(name, attended, valid, explain)
                maps |= across
            done[name] = self.feed_forward[name](steps)
        return done, maps

    def _look_across(
        self,
        name: str,
        values: Mapping[str, Tensor],
        valid: Mapping[str, Tensor],
        explain: bool,
    ) -> tuple[Tensor, Weights]:
        """All steps of the other modalities are keys of one softmax."""
        block = self.cross[name]
        assert isinstance(block, AttentionBlock)
        others = [n for n in values if n != name]
        if not others:  # as if they were there without a valid step
            alone: Tensor = block.norm(values[name])
            return alone, {}
        keys = torch.cat([values[n] for n in others], dim=1)
        seen, weights = block(
            values[name], keys, torch.cat([valid[n] for n in others], dim=1), explain
        )
        if weights is None:
            return seen, {}
        parts = weights.split([values[n].shape[1] for n in others], dim=-1)
        return seen, {f"{name}>{n}": part for n, part in zip(others, parts, strict=True)}


class Gate(nn.Module):
    """β: the weight of each modality, from the modalities' means, differences and products.

    With two modalities the first has a sigmoid and the second the rest, as in the original; with
    three there is a softmax. A modality that a row lacks has weight 0 there.
    """

    def __init__(self, names: Sequence[str], width: int, hidden: int, scalar: bool) -> None:
        super().__init__()
        self.names = tuple(names)
        pairs = len(names) * (len(names) - 1) // 2
        self.norms = nn.ModuleDict(
            {n: nn.Identity() if scalar else nn.LayerNorm(width) for n in names}
        )
        self.hidden = nn.Linear((len(names) + 2 * pairs) * width, hidden)
        self.columns = 1 if scalar else width
        self.free = 1 if len(names) == 2 else len(names)
        self.output = nn.Linear(hidden, self.free * self.columns)

    def forward(
        self, values: Mapping[str, Tensor], valid: Mapping[str, Tensor]
    ) -> tuple[dict[str, Tensor], Tensor]:
        """Normalised sequences, and weights [B, M, d] (scalar: [B, M, 1]) that sum to 1 over M."""
        normed = {n: self.norms[n](v) for n, v in values.items()}
        like = next(iter(values.values()))
        nothing = like.new_zeros(len(like), like.shape[-1])
        means = [masked_mean(normed[n], valid[n]) if n in normed else nothing for n in self.names]
        pairs = list(combinations(means, 2))
        seen = [*means, *((a - b).abs() for a, b in pairs), *(a * b for a, b in pairs)]
        scores = self.output(self.hidden(torch.cat(seen, dim=-1)).relu())
        scores = scores.unflatten(-1, (self.free, self.columns))
        if self.free == 1:
            scores = torch.cat([scores, torch.zeros_like(scores)], dim=1)
        present = torch.stack(
            [
                valid[n].any(dim=1) if n in valid else torch.zeros_like(like[:, 0, 0]).bool()
                for n in self.names
            ],
            dim=1,
        )
        present = present[:, None, :].expand(-1, self.columns, -1)
        return normed, masked_softmax(scores.transpose(1, 2), present).transpose(1, 2)


def gate_entropy(weights: Tensor) -> Tensor:
    """Entropy in nats of gate weights [B, M, d], mean over dimensions and rows."""
    positive = weights.clamp(min=torch.finfo(weights.dtype).tiny)
    return -(weights * positive.log()).sum(dim=1).mean()


class DecoderLayer(nn.Module):
    """Queries attend to each other, then to the sequence, then go through feed-forward."""

    def __init__(self, width: int, heads: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.own = AttentionBlock(width, heads, dropout)
        self.cross = AttentionBlock(width, heads, dropout)
        self.feed_forward = FeedForwardBlock(width, hidden, dropout, dropout)

    def forward(
        self, queries: Tensor, steps: Tensor, valid: Tensor, explain: bool
    ) -> tuple[Tensor, Tensor | None]:
        """Queries [B, E, d]; weights over the steps [B, E, L] if `explain`."""
        every = torch.ones(queries.shape[:2], dtype=torch.bool, device=queries.device)
        queries = self.own(queries, queries, every)[0]
        queries, weights = self.cross(queries, steps, valid, explain)
        return self.feed_forward(queries), weights


class HriEmo(FusionModel):
    """One query per column of the logits reads the gated mixture on the words' steps.

    The steps are those of the words, or of the first modality that a row has. Maps (`explain`):
    "beta" [B, M, d or 1]; of encoder layer i "i:m>m" [B, Lm, Lm] and "i:m>n" [B, Lm, Ln], which sum
    to 1 over all other modalities together; of decoder layer i "decoder{i}" [B, E, L]; "times" and
    "valid" [B, L] of the steps; "alignment:m" [B, L, Lm], what each step averages.
    """

    config_class = HriEmoConfig

    def __init__(self, config: FusionConfig) -> None:
        super().__init__(config)
        o = HriEmoOptions.model_validate(config.options)
        sections, names = config.sections, config.names
        self.encoders = nn.ModuleDict({n: nn.Linear(w, o.width) for n, w in self.widths.items()})
        self.layers = nn.ModuleList(
            CrossModalLayer(names, o.width, o.heads, o.dropout) for _ in range(o.encoder_layers)
        )
        self.gate = (
            Gate(names, o.width, o.gate_hidden, o.gate == "scalar") if len(names) > 1 else None
        )
        self.queries = nn.Parameter(torch.randn(config.width, o.width))
        self.decoder = nn.ModuleList(
            DecoderLayer(o.width, o.heads, o.decoder_hidden, o.dropout)
            for _ in range(o.decoder_layers)
        )
        self.output = nn.Linear(o.width, 1)
        self.entropy_weight = o.entropy_weight
        self.order = sorted(names, key=lambda n: sections[names.index(n)].channel != "words")
        self.post_init()

    def fuse(
        self,
        tokens: Mapping[str, Tokens],
        state: Mapping[str, Tensor] | None = None,
        explain: bool = False,
    ) -> FusionOutput:
        """Logits [B, W] of the queries; an empty row is answered from the queries alone."""
        maps: Weights = {}
        values = {name: t.values for name, t in tokens.items()}
        valid = {name: t.valid for name, t in tokens.items()}
        for i, layer in enumerate(self.layers):
            values, found = layer(values, valid, explain)
            maps |= {f"{i}:{name}": w for name, w in found.items()}
        weights = None
        if self.gate is not None:
            values, weights = self.gate(values, valid)
        grid = reference_grid(tokens, self.order)
        fused = self._mix(values, tokens, grid, weights)
        queries = self.queries.expand(len(fused), -1, -1)
        for i, layer in enumerate(self.decoder):
            queries, attention = layer(queries, fused, grid.valid, explain)
            if attention is not None:
                maps[f"decoder{i}"] = attention
        auxiliary = None
        if weights is not None and self.entropy_weight:
            auxiliary = self.entropy_weight * gate_entropy(weights)
        if explain:
            maps |= {"times": grid.times, "valid": grid.valid} | _alignments(tokens, grid)
            if weights is not None:
                maps["beta"] = weights
        return FusionOutput(
            logits=self.output(queries).squeeze(-1),
            features=queries.flatten(1),
            auxiliary=auxiliary,
            maps=maps if explain else None,
        )

    def _mix(
        self,
        values: Mapping[str, Tensor],
        tokens: Mapping[str, Tokens],
        grid: Grid,
        weights: Tensor | None,
    ) -> Tensor:
        """The modalities on the grid, weighted: [B, L, d]."""
        fused: Tensor | None = None
        for name, steps in values.items():
            part = pool(Tokens(steps, tokens[name].valid, tokens[name].times), grid, name)
            if weights is not None:
                part = part * weights[:, self.config.names.index(name), None, :]
            fused = part if fused is None else fused + part
        assert fused is not None
        return fused


def _alignments(tokens: Mapping[str, Tokens], grid: Grid) -> Weights:
    found = {}
    for name, track in tokens.items():
        length = track.valid.shape[1]
        one_hot = torch.eye(length, device=track.valid.device).expand(len(track.valid), -1, -1)
        found[f"alignment:{name}"] = pool(Tokens(one_hot, track.valid, track.times), grid, name)
    return found
