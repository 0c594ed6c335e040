"""What DPO and GRPO share: a trainer with a reference model, and with more figures in its log."""

from __future__ import annotations

from abc import abstractmethod
from collections import defaultdict
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any, cast

import torch
from peft import PeftModel
from torch import Tensor

from emollama.llm.training.methods.reference import Reference, token_logs
from emollama.llm.training.trainer import EmotionTrainer


class ReasonTrainer(EmotionTrainer):
    """Trains the adapters on answers to questions; see `EmotionTrainer`.

    Figures that are told in a step are logged with the loss, as means since the last log.

    Args:
        reference: the reference model.
    """

    def __init__(self, *args: Any, reference: Reference, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.reference = reference
        self._told: defaultdict[str, list[float]] = defaultdict(list)

    def tell(self, figures: Mapping[str, Tensor | float]) -> None:
        """Note figures of a micro-batch or a step."""
        for name, value in figures.items():
            self._told[name].append(float(value))

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """The library's log, with what was told."""
        if "loss" in logs:
            for name, values in self._told.items():
                logs[name] = sum(values) / len(values)
            self._told.clear()
        super().log(logs, start_time)

    def compute_loss(
        self,
        model: torch.nn.Module,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: Any = None,
    ) -> Any:
        """The loss of a micro-batch of answers, held against the reference model."""
        del return_outputs, num_items_in_batch
        gained = inputs.pop("gained", None)
        reference = self._referred(inputs)
        logs, held = token_logs(model(**inputs))
        return self.loss_of(logs, reference, held, gained)

    @abstractmethod
    def loss_of(
        self, logs: Tensor, reference: Tensor, held: Tensor, gained: Tensor | None
    ) -> Tensor:
        """The method's loss.

        Args:
            logs: log-probabilities [A, T] of the answers' tokens.
            reference: the same by the reference model.
            held: bool [A, T], where there is a token.
            gained: advantage [A] of each answer, where the method gives one.
        """

    def _referred(self, batch: dict[str, Any]) -> Tensor:
        """Log-probabilities [A, T] of the answers' tokens by the reference model."""
        model = cast(PeftModel, self.model)
        with self.apart(), self.reference.in_place():
            return token_logs(model(**batch))[0]

    def apart(self) -> AbstractContextManager[Any]:
        """The autocast of training without its cache of weights.

        A weight that was cast here, without gradients, would be used again in the pass that learns.
        """
        return torch.autocast(
            self.args.device.type, torch.bfloat16, enabled=self.args.bf16, cache_enabled=False
        )
