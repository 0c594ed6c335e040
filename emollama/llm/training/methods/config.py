"""Settings of the methods of training."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from emollama.base.config import Strict

Method = Literal["sft", "dpo", "grpo"]


class DpoSection(Strict):
    """Direct preference optimisation (Rafailov et al. 2023): a clip's own reason against its
    twin's.

    `beta` says how far the model may move from where it started: the smaller, the farther.
    `own_weight` is that of the own reason's likelihood beside the preference, without which both
    reasons may become unlikely (Pang et al. 2024).
    """

    beta: float = Field(default=0.1, gt=0)
    own_weight: float = Field(default=0.2, ge=0)


class GrpoSection(Strict):
    """Group-relative policy optimisation (Shao et al. 2024) of a reward that can be checked.

    Of each prompt `answers` are drawn, of at most `max_new_tokens`, and each is held against the
    mean of their rewards. `beta` is the weight of the divergence from where the model started.
    """

    answers: int = Field(default=8, ge=2)
    max_new_tokens: int = Field(default=96, ge=8)
    beta: float = Field(default=0.04, ge=0)
