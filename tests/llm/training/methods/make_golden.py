"""Makes golden.json: the losses of TRL 1.16.0 on log-probabilities that are given.

python -m tests.llm.training.methods.make_golden    (with trl==1.16.0 installed; no test does this)

TRL's own `DPOTrainer._compute_loss` and `GRPOTrainer._compute_loss` run. In place of a language
model stands one that answers with the log-probabilities below, so that loss and gradient are
functions of them alone.
"""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor

FILE = Path(__file__).with_name("golden.json")
BETA = 0.1
LENGTHS = (5, 3, 4, 5, 2, 4)


def numbers() -> tuple[Tensor, Tensor, Tensor]:
    """Log-probabilities [6, 5] of answers' tokens, of the reference, and where there is a token."""
    draw = torch.Generator().manual_seed(21)
    logs, reference = -3 * torch.rand(2, 6, 5, generator=draw, dtype=torch.float64)
    held = torch.arange(5) < torch.tensor(LENGTHS)[:, None]
    return logs * held, reference * held, held


class Given(torch.nn.Module):
    """A language model that answers with given log-probabilities [B, T]."""

    is_gradient_checkpointing = False

    def __init__(self, logs: Tensor) -> None:
        super().__init__()
        self.logs = logs

    def forward(self, **_: Any) -> Any:
        zeros = torch.zeros(self.logs.shape)
        return SimpleNamespace(
            log_probs=self.logs, entropy=zeros, mean_logits=zeros, is_top1=zeros.bool()
        )


def bare(kind: Any, **settings: Any) -> Any:
    """A trainer without its construction, with what its loss reads."""
    from accelerate import Accelerator

    trainer = object.__new__(kind)
    trainer.accelerator = Accelerator(cpu=True)
    trainer._total_train_tokens, trainer._tp_size = 0, 1
    trainer._metrics = {"train": defaultdict(list), "eval": defaultdict(list)}
    trainer.__dict__.update(settings)
    return trainer


def dpo() -> dict[str, Any]:
    """Answers 0 to 2 are preferred to 3 to 5."""
    from trl import DPOTrainer

    logs, reference, held = numbers()
    logs.requires_grad_()
    trainer = bare(
        DPOTrainer, aux_loss_enabled=False, ld_alpha=None, precompute_ref_logps=False,
        f_divergence_type="reverse_kl", beta=BETA, loss_types=["sigmoid"], loss_weights=[1.0],
        use_weighting=False, label_smoothing=0.0, ref_model=Given(reference), model=Given(logs),
        args=SimpleNamespace(gradient_checkpointing_kwargs=None),
    )  # fmt: skip
    mask = torch.cat([torch.zeros(6, 1), held], 1).long()
    inputs = {"completion_mask": mask, "input_ids": torch.ones(6, 6, dtype=torch.long),
              "attention_mask": torch.ones(6, 6)}  # fmt: skip
    loss = trainer._compute_loss(trainer.model, inputs, False)
    loss.backward()
    told = {k: v[0] for k, v in trainer._metrics["train"].items() if k.startswith("rewards")}
    return {"loss": loss.item(), "gradient": logs.grad.tolist(), **told}


def grpo() -> dict[str, Any]:
    """Two groups of three answers."""
    from trl import GRPOTrainer
    from trl.trainer.utils import nanstd

    logs, reference, held = numbers()
    logs.requires_grad_()
    rewards = torch.tensor([[0.9, 0.2, 0.4], [0.1, 0.1, 0.7]], dtype=torch.float64)
    spread = nanstd(rewards, dim=1).repeat_interleave(3)
    gained = (rewards - rewards.mean(1, keepdim=True)).flatten() / (spread + 1e-4)
    zeros = torch.zeros(6, 5, dtype=torch.float64)
    trainer = bare(
        GRPOTrainer, aux_loss_enabled=False, top_entropy_quantile=1.0, beta=BETA,
        off_policy_mask_threshold=None, importance_sampling_level="token", loss_type="grpo",
        epsilon_low=0.2, epsilon_high=0.2, use_vllm=False, _entropy_bonus_enabled=False,
        current_gradient_accumulation_steps=1, model=Given(logs), args=SimpleNamespace(
            delta=None, use_bias_correction_kl=False),
        _get_per_token_logps_and_entropies=lambda *a, **k: (logs, zeros, None),
    )  # fmt: skip
    ids = torch.ones(6, 5, dtype=torch.long)
    inputs = {"prompt_ids": ids[:, :2], "prompt_mask": ids[:, :2], "completion_ids": ids,
              "completion_mask": held.long(), "advantages": gained,
              "ref_per_token_logps": reference}  # fmt: skip
    loss = trainer._compute_loss(trainer.model, inputs)
    loss.backward()
    return {
        "rewards": rewards.tolist(), "advantages": gained.tolist(), "loss": loss.item(),
        "gradient": logs.grad.tolist(),
    }  # fmt: skip


def main() -> None:
    """Write the file."""
    import trl

    made = {"made_by": f"trl {trl.__version__}", "beta": BETA, "dpo": dpo(), "grpo": grpo()}
    FILE.write_text(json.dumps(made, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
