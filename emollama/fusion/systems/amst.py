"""AMST's model: one encoder per modality and a head that can also answer from each modality alone.

Facts of the public system (CXianRen/AMST): ResNet-18 from scratch over frames and over fbank, and
three heads of which the training strategies make use: one linear layer shared by all modalities
("msum", their mean), one over the embeddings side by side ("concat"), one a modality ("lsum",
their sum). In all of them an absent modality is a term left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from emollama.base.config import Strict
from emollama.base.errors import EmollamaError
from emollama.fusion.configuration import FusionConfig, ModalitySection
from emollama.fusion.layers import (
    MLPEncoder,
    Pooling,
    Tokens,
    masked_mean,
    masked_pool,
    side_by_side,
)
from emollama.fusion.modeling import FusionModel, FusionOutput
from emollama.fusion.systems.resnet import ResNet18


class AmstOptions(Strict):
    """`width` of the embeddings; `pooling` over the steps of a cached track, or of a text or sound
    through an encoder that is trained, and `track_encoder` behind it.

    "identity" keeps a track's width. `fbank_frames` windows of 10 ms are read; a shorter sound is
    padded with zeros. `dropout` is that of "mlp".
    """

    head: Literal["msum", "concat", "lsum"] = "msum"
    width: int = Field(default=512, ge=1)
    pooling: Pooling = "mean"
    track_encoder: Literal["linear", "mlp", "identity"] = "linear"
    dropout: float = Field(default=0.0, ge=0, lt=1)
    fbank_frames: int = Field(default=1024, ge=1)


class AmstConfig(FusionConfig):
    """Configuration of `Amst`."""

    model_type = "emollama_amst"
    system = "amst"
    options_class = AmstOptions


class TrackEncoder(nn.Module):
    """A track pooled over its valid steps, then a layer: [B, L, D] to [B, width]."""

    def __init__(self, pooling: Pooling, layer: nn.Module) -> None:
        super().__init__()
        self.pooling: Pooling = pooling
        self.layer = layer

    def forward(self, values: Tensor, valid: Tensor) -> Tensor:
        """One vector a row."""
        vector: Tensor = self.layer(masked_pool(values, valid, self.pooling))
        return vector


class PictureEncoder(nn.Module):
    """ResNet-18 over the valid frames alone, then their mean: [B, L, C, H, W] to [B, width].

    Invalid frames never enter the network, so that batch norm does not count them.
    """

    def __init__(self, network: ResNet18, width: int) -> None:
        super().__init__()
        self.network = network
        self.width = width

    def forward(self, values: Tensor, valid: Tensor) -> Tensor:
        """One vector a row; 0 for a row without a frame."""
        vectors = values.new_zeros(*valid.shape, self.width)
        if bool(valid.any()):
            vectors = vectors.index_put((valid,), self.network(values[valid]))
        return masked_mean(vectors, valid)


class FbankEncoder(nn.Module):
    """ResNet-18 over log mel energies as a picture: [B, L, mel] to [B, width]."""

    def __init__(self, network: ResNet18, width: int, frames: int) -> None:
        super().__init__()
        self.network = network
        self.width, self.frames = width, frames

    def forward(self, values: Tensor, valid: Tensor) -> Tensor:
        """One vector a row; 0 for a row without sound, which never enters the network."""
        present = valid.any(dim=1)
        vectors = values.new_zeros(len(values), self.width)
        if not bool(present.any()):
            return vectors
        kept = torch.where(valid[..., None], values, 0.0)[present, : self.frames]
        picture = nn.functional.pad(kept, (0, 0, 0, self.frames - kept.shape[1]))
        return vectors.index_put((present,), self.network(picture[:, None]))


class Amst(FusionModel):
    """Embeddings of the modalities through a shared, a joint or separate linear heads."""

    config_class = AmstConfig
    takes = (*FusionModel.takes, "frames", "fbank")

    def __init__(self, config: FusionConfig) -> None:
        super().__init__(config)
        o = AmstOptions.model_validate(config.options)
        sections = config.sections
        self.encoders = nn.ModuleDict(
            {m.name: _encoder(m, self.widths[m.name], o) for m in sections}
        )
        self.embedded = {
            m.name: self.widths[m.name]
            if m.kind in FusionModel.takes and o.track_encoder == "identity"
            else o.width
            for m in sections
        }
        self.head = o.head
        if o.head == "msum":
            first = sections[0].name
            for name, width in self.embedded.items():
                if width != self.embedded[first]:
                    raise EmollamaError(
                        f"fusion.options of amst: head msum is shared, but modality '{first}' is "
                        f"{self.embedded[first]} wide and '{name}' {width}; set track_encoder: "
                        "linear"
                    )
            self.output = nn.ModuleDict({"shared": nn.Linear(self.embedded[first], config.width)})
        else:
            self.output = nn.ModuleDict(
                {
                    m.name: nn.Linear(self.embedded[m.name], config.width, bias=o.head == "lsum")
                    for m in sections
                }
            )
        # The joint layer is kept in slices, one a modality, with one bias between them.
        self.bias = nn.Parameter(torch.zeros(config.width)) if o.head == "concat" else None
        for layer in self.output.values():
            assert isinstance(layer, nn.Linear)
            nn.init.xavier_normal_(layer.weight)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
        self.post_init()

    def encode_one(self, name: str, values: Tensor, valid: Tensor, times: Tensor) -> Tokens:
        """One embedding a row: values [B, 1, width]."""
        present = valid.any(dim=1, keepdim=True)
        vector = self.encoders[name](values, valid)
        return Tokens(vector[:, None], present, masked_mean(times[..., None], valid))

    def unimodal_logits(self, tokens: Mapping[str, Tokens]) -> dict[str, Tensor]:
        """Each modality's own logits [B, W] through the head; 0 in rows that lack it.

        Under "concat" the bias is divided: each of the M modalities gets 1/M of it, whichever are
        present.
        """
        found = {}
        for name, track in tokens.items():
            layer = self.output["shared" if self.head == "msum" else name]
            logits = layer(track.values[:, 0])
            if self.bias is not None:
                logits = logits + self.bias / len(self.config.names)
            found[name] = torch.where(track.present[:, None], logits, 0.0)
        return found

    def fuse(
        self,
        tokens: Mapping[str, Tokens],
        state: Mapping[str, Tensor] | None = None,
        explain: bool = False,
    ) -> FusionOutput:
        """Mean ("msum") or sum of the present modalities' logits; map "unimodal" [B, M, W]."""
        each = self.unimodal_logits(tokens)
        some = next(iter(each.values()))
        parts = [each.get(n, torch.zeros_like(some)) for n in self.config.names]
        logits = torch.stack(parts, dim=1)
        total = logits.sum(dim=1)
        if self.head == "msum":
            count = torch.stack([t.present for t in tokens.values()]).sum(dim=0)
            total = total / count.clamp(min=1)[:, None]
        embeddings = {n: torch.where(t.valid, t.values[:, 0], 0.0) for n, t in tokens.items()}
        return FusionOutput(
            logits=total,
            features=side_by_side(embeddings, self.embedded),
            maps={"unimodal": logits} if explain else None,
        )


def _encoder(section: ModalitySection, width: int, options: AmstOptions) -> nn.Module:
    if section.kind == "frames":
        return PictureEncoder(ResNet18(3, options.width), options.width)
    if section.kind == "fbank":
        return FbankEncoder(ResNet18(1, options.width), options.width, options.fbank_frames)
    layer: nn.Module = nn.Identity()
    if options.track_encoder == "linear":
        layer = nn.Linear(width, options.width)
    if options.track_encoder == "mlp":
        layer = MLPEncoder(width, options.width, options.dropout)
    return TrackEncoder(options.pooling, layer)
