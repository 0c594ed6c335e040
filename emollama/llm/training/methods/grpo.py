"""Group-relative policy optimisation of a reward that can be checked.

Of each question several answers are drawn; what an answer earns above the mean of its group makes
its tokens more probable (Shao et al. 2024). Each group is used once, for the model that drew it, so
there is no ratio to clip.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import torch
from peft import PeftModel
from torch import Tensor

from emollama.inputs.draws import generator
from emollama.llm import artefact
from emollama.llm.batch import branched
from emollama.llm.decoding import Sampling, generate
from emollama.llm.processing import EmotionLlamaProcessor
from emollama.llm.training.methods.config import GrpoSection
from emollama.llm.training.methods.method_trainer import ReasonTrainer
from emollama.llm.training.methods.reasons import Asked
from emollama.llm.training.methods.reward import WEIGHTS, label_words, reward

_SMALLEST = 1e-4
"""Added to a group's deviation: answers that all earn the same teach nothing."""


@dataclass(frozen=True)
class Improved:
    """The loss of answers, and their mean divergence from the reference model."""

    loss: Tensor
    divergence: Tensor


def advantages(rewards: Tensor) -> Tensor:
    """[P, K] rewards against their group's mean, in its deviations."""
    deviation = rewards.std(1, keepdim=True)
    return (rewards - rewards.mean(1, keepdim=True)) / (deviation + _SMALLEST)


def improvement(
    logs: Tensor, reference: Tensor, held: Tensor, gained: Tensor, beta: float
) -> Improved:
    """The loss of GRPO: mean over answers of their token means.

    Args:
        logs: log-probabilities [A, T] of the answers' tokens.
        reference: the same by the reference model.
        held: bool [A, T], where there is a token.
        gained: advantage [A] of each answer.
        beta: of `GrpoSection`.
    """
    ratio = (logs - logs.detach()).exp()
    apart = reference - logs
    divergence = apart.exp() - apart - 1  # Schulman's estimator: never below 0
    each = beta * divergence - ratio * gained[:, None]
    tokens = held.sum(1)
    return Improved(
        ((each * held).sum(1) / tokens).mean(),
        ((divergence.detach() * held).sum(1) / tokens).mean(),
    )


class GrpoTrainer(ReasonTrainer):
    """Trains on a `QuestionSchedule`; see `ReasonTrainer`.

    Answers are drawn from (seed, step) alone, so a resumed run draws them again.
    """

    def __init__(
        self, *args: Any, settings: GrpoSection, processor: EmotionLlamaProcessor, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.settings = settings
        self.processor = processor
        self._words = label_words(processor.labels.labels)

    def training_step(
        self, model: torch.nn.Module, inputs: dict[str, Any], num_items_in_batch: Any = None
    ) -> Tensor:
        """Draw and reward answers to all questions of the step, then learn from them."""
        groups: list[list[Asked]] = inputs["micro_batches"]
        answered = self._answered([asked for group in groups for asked in group])
        batches, place = [], 0
        for group in groups:
            part = answered[place : place + len(group)]
            place += len(group)
            batch = branched([a for a, _ in part], self.processor.streams, self.processor.pad_id)
            batches.append(batch | {"gained": torch.cat([gained for _, gained in part])})
        return super().training_step(model, inputs | {"micro_batches": batches}, num_items_in_batch)

    def loss_of(
        self, logs: Tensor, reference: Tensor, held: Tensor, gained: Tensor | None
    ) -> Tensor:
        """The loss of a micro-batch of answers with their advantages."""
        assert gained is not None
        found = improvement(logs, reference, held, gained, self.settings.beta)
        self.tell({"kl": found.divergence})
        return found.loss

    def _answered(self, questions: Sequence[Asked]) -> list[tuple[Asked, Tensor]]:
        """The questions with their answers, and the advantage [K] of each answer."""
        count, most = self.settings.answers, self.settings.max_new_tokens
        drawn = self._drawn(questions)
        found, parts, rewards = [], [], []
        for number, asked in enumerate(questions):
            given = drawn[number * count : (number + 1) * count]
            earned = [
                reward(self.processor.decode(ids), len(ids) < most, asked.clues, asked.label,
                       self._words)
                for ids in given
            ]  # fmt: skip
            # An answer that was cut off has no end.
            ends = [[*ids, self.processor.end_id] if len(ids) < most else ids for ids in given]
            found.append(replace(asked, answers=ends, room=(0, 0)))
            rewards.append([r.total for r in earned])
            parts += earned
        self.tell({"reward": sum(r.total for r in parts) / len(parts)})
        for name in WEIGHTS:
            self.tell({f"reward_{name}": sum(getattr(r, name) for r in parts) / len(parts)})
        self.tell({"tokens": sum(map(len, drawn)) / len(drawn)})
        gained = advantages(torch.tensor(rewards))
        return list(zip(found, gained, strict=True))

    def _drawn(self, questions: Sequence[Asked]) -> list[list[int]]:
        base = artefact.bare(cast(PeftModel, self.model))
        seed = generator(self.args.seed, self.state.global_step, "answers").getrandbits(62)
        sampling = Sampling(1.0, max_new_tokens=self.settings.max_new_tokens, seed=seed)
        base.eval()
        with self.apart():
            return generate(base, self.processor, questions, sampling, self.settings.answers)
