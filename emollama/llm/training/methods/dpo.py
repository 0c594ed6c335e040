"""Direct preference optimisation: a clip's own reason against its twin's, to the same question.

The two differ in the cue that differs, so what is preferred is what is true (Rafailov et al. 2023;
with the own reason's likelihood beside it: Pang et al. 2024).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import Tensor
from torch.nn.functional import logsigmoid

from emollama.llm.training.methods.config import DpoSection
from emollama.llm.training.methods.method_trainer import ReasonTrainer


@dataclass(frozen=True)
class Preferred:
    """The loss of pairs of answers, and what it says of them.

    Attributes:
        loss: scalar.
        margin: mean implicit reward of the own answer over the other's.
        right: share of pairs whose own answer has the greater one.
    """

    loss: Tensor
    margin: Tensor
    right: Tensor


def preference(logs: Tensor, reference: Tensor, beta: float) -> Preferred:
    """The sigmoid loss of DPO.

    Args:
        logs: log-probabilities [N, 2] of the own answer and the other.
        reference: the same by the reference model.
        beta: of `DpoSection`.
    """
    moved = beta * (logs - reference)
    margins = moved[:, 0] - moved[:, 1]
    return Preferred(
        -logsigmoid(margins).mean(), margins.detach().mean(), (margins > 0).float().mean()
    )


class DpoTrainer(ReasonTrainer):
    """Trains on a `PreferenceSchedule`; see `ReasonTrainer`."""

    def __init__(self, *args: Any, settings: DpoSection, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.settings = settings

    def loss_of(
        self, logs: Tensor, reference: Tensor, held: Tensor, gained: Tensor | None
    ) -> Tensor:
        """The loss of a micro-batch; its answers come in twos, the own one first."""
        del gained
        found = preference(
            logs.sum(1).unflatten(0, (-1, 2)),
            reference.sum(1).unflatten(0, (-1, 2)),
            self.settings.beta,
        )
        own = -(logs.sum(1) / held.sum(1)).unflatten(0, (-1, 2))[:, 0].mean()
        self.tell({"preferred": found.right, "margin": found.margin, "own_loss": own.detach()})
        return found.loss + self.settings.own_weight * own
