"""Shared by strategies that need an answer from each modality alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol, cast

import torch
from torch import Tensor

from emollama.base.errors import EmollamaError, did_you_mean
from emollama.fusion.batch import FusionBatch, Target
from emollama.fusion.layers import Tokens
from emollama.fusion.modeling import FusionModel, FusionOutput
from emollama.fusion.tasks import loss


class Unimodal(Protocol):
    """A model that can answer from each modality alone."""

    def unimodal_logits(self, tokens: Mapping[str, Tokens]) -> dict[str, Tensor]:
        """Logits [B, W] of each modality; 0 in rows that lack it."""
        ...


def unimodal(model: FusionModel) -> Unimodal:
    """The model, which `require_unimodal` has checked."""
    return cast(Unimodal, model)


def require_unimodal(system: type[FusionModel]) -> None:
    """Raise an error for a system that cannot answer from each modality alone."""
    if not hasattr(system, "unimodal_logits"):
        raise EmollamaError(
            f"fusion.system {system.config_class.system}: cannot answer from each "
            "modality alone, which this strategy needs; use amst"
        )


def require_head(options: Mapping[str, Any], head: str, strategy: str) -> None:
    """Raise an error if another head of the system is chosen."""
    chosen = options.get("head", head)
    if chosen != head:
        raise EmollamaError(
            f"fusion.options.head: strategy {strategy} needs head '{head}', not '{chosen}'"
        )


def require_modalities(found: Sequence[str], known: Sequence[str], where: str) -> None:
    """Raise an error for a name that is not a modality of the run."""
    for name in found:
        if name not in known:
            raise EmollamaError(f"{where}: '{name}' is not a modality{did_you_mean(name, known)}")


def known_in(targets: Mapping[str, Target], rows: Tensor) -> dict[str, Target]:
    """The targets restricted to `rows` (bool [B])."""
    return {
        name: replace(t, valid=t.valid & rows.reshape(-1, *[1] * (t.valid.dim() - 1)))
        for name, t in targets.items()
    }


def says_something(targets: Mapping[str, Target]) -> bool:
    """Whether any row has a known target."""
    return any(bool(t.valid.any()) for t in targets.values())


def learn_alone(
    model: FusionModel, batch: FusionBatch, name: str, share: float
) -> tuple[Tensor, Tokens | None]:
    """Forward and backward of one modality alone; no other encoder runs.

    Rows that lack it are ignored. Returns the detached loss and the modality's tokens; 0 and None
    if no row remains, and then nothing runs. The caller does the update.
    """
    targets = known_in(batch.targets, batch.present(name))
    if not says_something(targets):
        return torch.zeros((), device=model.device), None
    tokens = model.encode(batch, only=(name,))
    logits = unimodal(model).unimodal_logits(tokens)[name]
    value = loss(model.config, FusionOutput(logits=logits), targets)
    (value * share).backward()
    return value.detach(), tokens[name]


def present_rows(batch: FusionBatch, names: Sequence[str]) -> Tensor:
    """Bool [B, M]: the modalities of each row."""
    return torch.stack([batch.present(name) for name in names], dim=1)
