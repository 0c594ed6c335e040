"""A training step of EmotionLlama against the bare language model's LoRA step.

python -m benchmarks.training_step [--repeats 8] [--task emotion|reason] [--dtype ...] [--quick]

Forward, backward, gradient clipping and AdamW on 8 samples in one micro-batch, as `train.py` does
it (autocast where the language model is in bfloat16). The bare model gets token ids of the same
shape, the same LoRA layers and the same supervised positions: once with transformers' own loss
over all positions, which is what a user would otherwise run, and once with the head at supervised
positions only, which is the harder thing to keep up with. `--quick` is one step of 2 samples.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

import torch
from peft import LoraConfig, get_peft_model
from torch import Tensor, nn

from benchmarks.measure import LLM, built, compare, evidence, interleaved, show
from emollama.base.device import default_device, resolve_dtype
from emollama.llm.backbone import load_llm, resolve_llm
from emollama.llm.batch import to_device
from emollama.llm.instructions import instruction
from emollama.llm.modeling import IGNORED
from emollama.llm.options import LoraSection

BARE = "bare LLM, transformers' loss"
REASON = (
    "The face shows lip corners pulled up and raised cheeks and looks happy. The voice has a high "
    "pitch and a lively melody and sounds happy. The words tell of good news and are happy in "
    "content. Face, voice and words all agree, so the emotion is happy."
)


def stepper(
    model: nn.Module, loss: Callable[[], Tensor], device: torch.device, autocast: bool
) -> Callable[[], float]:
    """A function that makes one optimizer step and returns its loss."""
    parameters = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=1e-4, fused=True)
    model.train()

    def step() -> float:
        with torch.autocast(device.type, dtype=torch.bfloat16, enabled=autocast):
            value = loss()
        value.backward()
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        optimizer.zero_grad()
        return float(value.detach())

    return step


def supervised_loss(bare: Any, batch: dict[str, Any]) -> Tensor:
    """Token mean of the bare model with the head at supervised positions only."""
    hidden = bare.get_decoder()(
        input_ids=batch["input_ids"], attention_mask=batch["attention_mask"],
        position_ids=batch["position_ids"], use_cache=False,
    ).last_hidden_state  # fmt: skip
    rows, columns = (batch["labels"][:, 1:] != IGNORED).nonzero(as_tuple=True)
    logits = bare.get_output_embeddings()(hidden[rows, columns]).float()
    return nn.functional.cross_entropy(logits, batch["labels"][rows, columns + 1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--repeats", type=int, default=8)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--task", default="emotion", choices=("emotion", "reason"))
    parser.add_argument("--dtype", default="auto", choices=("auto", "float32", "bfloat16"))
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    count, repeats, warm_up = (
        (2, 1, 0) if options.quick else (options.batch, options.repeats, 1)
    )  # fmt: skip
    device = default_device()
    dtype = resolve_dtype(options.dtype, device)
    model, processor = built(dtype)
    model.to(device)
    question = instruction(options.task, processor.labels)
    answer = processor.label_answer("happy") if options.task == "emotion" else REASON
    samples = [
        processor.with_answer(processor.encode_prompt(e, question), answer) for e in evidence(count)
    ]
    batch = to_device(processor.collate(samples), device)
    lora = LoraSection()
    llm: Any = load_llm(resolve_llm(LLM), dtype)
    bare = get_peft_model(
        llm.to(device),
        LoraConfig(
            r=lora.r,
            lora_alpha=lora.alpha,
            lora_dropout=lora.dropout,
            target_modules=list(lora.targets),
        ),
    )
    text = {k: batch[k] for k in ("input_ids", "attention_mask", "position_ids", "labels")}
    autocast = dtype == torch.bfloat16
    inner = bare.get_base_model()
    seconds = interleaved(
        {
            BARE: stepper(bare, lambda: bare(**text).loss, device, autocast),
            "bare LLM, head at supervised positions": stepper(
                bare, lambda: supervised_loss(inner, text), device, autocast
            ),
            "EmotionLlama": stepper(model, lambda: model(**batch).loss, device, autocast),
        },
        repeats,
        warm_up,
    )
    show(
        "training step",
        compare(seconds, BARE),
        batch=count,
        tokens=int(batch["input_ids"].shape[1]),
        supervised=int((batch["labels"] != IGNORED).sum()),
        task=options.task,
        repeats=repeats,
        dtype=str(dtype)[6:],
        device=device.type,
    )


if __name__ == "__main__":
    main()
