"""`FusionModel`: the base class of all fusion systems, and its interface for strategies."""

from __future__ import annotations

import copy
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers.utils import ModelOutput

from emollama.base.errors import EmollamaError
from emollama.fusion.batch import FusionBatch
from emollama.fusion.configuration import FusionConfig, FusionTask, ModalitySection
from emollama.fusion.layers import Tokens
from emollama.fusion.trainable import TrainableEncoder
from emollama.inputs.standardiser import Standardiser


@dataclass
class FusionOutput(ModelOutput):
    """The output of a fusion model.

    Attributes:
        logits: [B, W] for a clip, [B, L, W] for frames; W is `config.width`.
        valid: bool [B, L], the frames of the logits; None for a clip.
        times: float [B, L], centres of those frames in seconds; None for a clip.
        features: [B, F], the input of the head.
        auxiliary: a scalar added to the loss (MISA), or None.
        maps: with `explain=True` only: attention, gates and alignments by name. Attention of one
            modality's steps over another's is "query>key" [B, Lq, Lk], attention pooling
            "pool:modality" [B, L], weights of the modalities "modalities" [B, M]. In layer i of
            several: "i:query>key". Other axes are named in the same way: "frames", "memory".
                Weights are the mean over heads, and sum to 1 over the keys.
        state: what a recurrent system carries into the next window; detached by the strategy.
            Every tensor has the rows of the batch first, and a row of zeros means a fresh start.
    """

    logits: Tensor | None = None
    valid: Tensor | None = None
    times: Tensor | None = None
    features: Tensor | None = None
    auxiliary: Tensor | None = None
    maps: dict[str, Tensor] | None = None
    state: dict[str, Tensor] | None = None


def restarted(state: Mapping[str, Tensor], reset: Tensor) -> dict[str, Tensor]:
    """A carried state, cleared in the rows where `reset` [B] is True."""
    return {
        name: torch.where(
            reset.reshape(-1, *[1] * (value.dim() - 1)), torch.zeros_like(value), value
        )
        for name, value in state.items()
    }


class FusionModel(PreTrainedModel):
    """Encoders of each modality, then a fusion with its head; a system subclasses this.

    A subclass puts its encoders into `self.encoders` (one module a modality, named as it is; here
    the modality stays as it is), writes `fuse`, and `encode_one` where an encoder reads more than
    a step by itself, and calls `post_init()`. `fuse` must accept any non-empty subset of the
    modalities, and rows in which a modality has no valid step.

    Raw text and sound go through a `TrainableEncoder` (in `self.backbones`) first, so that a system
    sees sequences of vectors of `self.widths` whatever a modality's kind.

    To skip a modality, leave it out of `only`: its encoder then does not run.

    `takes` are the kinds of modalities that it reads; `answers_frames` says whether it
    answers over time (task "frames") or once a clip.
    """

    config_class: type[FusionConfig] = FusionConfig
    config: FusionConfig
    main_input_name = "batch"
    base_model_prefix = ""
    takes: ClassVar[tuple[str, ...]] = ("track", "tokens", "waveform")
    answers_frames: ClassVar[bool] = False

    def __init__(self, config: FusionConfig) -> None:
        # A copy, since backbones are recorded: the caller's may be used for another model.
        super().__init__(copy.deepcopy(config))
        for name in config.names:
            if hasattr(nn.ModuleDict(), name) or hasattr(nn.ParameterDict(), name):
                raise EmollamaError(
                    f"modality '{name}': this name is reserved by torch; choose another"
                )
        if not config.sections:
            raise EmollamaError(f"{config.system}: needs at least one modality")
        self.check(config.sections, config.goal)
        self.sections = self.config.sections
        self.standardisers = nn.ModuleDict(
            {m.name: Standardiser(m.width) for m in config.sections if m.kind == "track"}
        )
        self.encoders = nn.ModuleDict({name: nn.Identity() for name in config.names})
        self.backbones = nn.ModuleDict()
        self.widths = {m.name: m.width for m in config.sections}
        for section in config.sections:
            if section.kind in ("tokens", "waveform"):
                backbone = TrainableEncoder(section, config.backbones.get(section.name))
                self.backbones[section.name] = backbone
                self.widths[section.name] = backbone.width
                self.config.backbones[section.name] = backbone.record

    @classmethod
    def check(cls, sections: Sequence[ModalitySection], task: FusionTask) -> None:
        """Check that the system takes these modalities and this task, without reading data.

        Raises:
            EmollamaError: it does not.
        """
        name = cls.config_class.system
        for section in sections:
            if section.kind not in cls.takes:
                raise EmollamaError(
                    f"modality '{section.name}': {name} does not take kind '{section.kind}'; it "
                    f"takes {', '.join(cls.takes)}"
                )
        if cls.answers_frames != (task.kind == "frames"):
            wanted = "frames" if cls.answers_frames else "a task for whole clips, e.g. label"
            raise EmollamaError(f"task.kind '{task.kind}': {name} needs {wanted}")

    def _init_weights(self, module: nn.Module) -> None:
        """Layers keep their initialisation from torch or the system."""

    def encode(self, batch: FusionBatch, only: Collection[str] | None = None) -> dict[str, Tokens]:
        """Tokens of each modality in order; only of those in `only`, if given."""
        tokens = {}
        for section in self.sections:
            name = section.name
            if name not in batch.values or (only is not None and name not in only):
                continue
            values, valid, times = batch.values[name], batch.valid[name], batch.times[name]
            if name in self.backbones:
                values, valid, times = self.backbones[name](values, valid, times)
            elif section.kind == "track" and section.standardise:
                values = self.standardisers[name](values, valid)
            elif section.kind == "track":
                values = torch.where(valid[..., None], values, 0.0)
            tokens[name] = self.encode_one(name, values, valid, times)
        return tokens

    def encode_one(self, name: str, values: Tensor, valid: Tensor, times: Tensor) -> Tokens:
        """Encode one modality; here each step by itself."""
        return Tokens(self.encoders[name](values), valid, times)

    def fuse(
        self,
        tokens: Mapping[str, Tokens],
        state: Mapping[str, Tensor] | None = None,
        explain: bool = False,
    ) -> FusionOutput:
        """Fuse tokens of some or all modalities into an answer."""
        raise NotImplementedError

    def forward(
        self,
        batch: FusionBatch,
        only: Collection[str] | None = None,
        state: Mapping[str, Tensor] | None = None,
        explain: bool = False,
        **kwargs: Any,
    ) -> FusionOutput:
        """Answer a batch; see `FusionOutput` for shapes.

        Rows where `batch.reset` is True take nothing from `state`.
        """
        if state is not None and batch.reset is not None:
            state = restarted(state, batch.reset)
        return self.fuse(self.encode(batch, only), state=state, explain=explain)

    def parameters_of(self, modality: str) -> Iterator[nn.Parameter]:
        """Parameters that belong to one modality only."""
        yield from self.encoders[modality].parameters()
        if modality in self.backbones:
            yield from self.backbones[modality].parameters()
