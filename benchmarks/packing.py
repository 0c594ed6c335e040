"""Packed training steps against padded ones, and against what one would write without us.

python -m benchmarks.packing [--repeats 5] [--pack-tokens 512] [--dtype ...] [--quick]

The mixture of a step of 16 samples: 12 emotion questions and 4 reasons of 200 words, the cap of the
released Emotion-LLaMA. Padded micro-batches are of 8 in the order of the epoch, as a collator pads
them; "padded, by length" is our own padded form, whose rows are sorted first. Forward, backward,
clipping and AdamW each. The head's saving is reported apart: the same padded step with logits at
every position.

"plain" is transformers and peft as one would put them together: logits everywhere, one sample a
step as the public system trains, without and with its frozen vision tower inside it (EVA ViT-g, 448
pixels, real size, random weights). The tower's forward is timed once a round and added for each
sample.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from peft import LoraConfig, get_peft_model
from torch import Tensor, nn
from transformers import Blip2VisionConfig, Blip2VisionModel

from benchmarks.measure import LLM, built, compare, evidence, interleaved, machine, show
from benchmarks.training_step import REASON
from emollama.base.device import default_device, resolve_dtype
from emollama.llm.backbone import load_llm, resolve_llm
from emollama.llm.batch import Encoded, by_count, to_device
from emollama.llm.instructions import instruction
from emollama.llm.options import LoraSection
from emollama.llm.processing import EmotionLlamaProcessor
from emollama.llm.training.packing import by_tokens

WITH_TOWER = "plain, one a step, with the tower"
SIDE = 448
EVA = Blip2VisionConfig(
    hidden_size=1408, intermediate_size=6144, num_hidden_layers=39, num_attention_heads=16,
    image_size=SIDE, patch_size=14,
)  # fmt: skip
WITH_TOWER = "plain, one a step, with the tower"
EVA = Blip2VisionConfig(
    hidden_size=1408, intermediate_size=6144, num_hidden_layers=39, num_attention_heads=16,
    image_size=SIDE, patch_size=14,
)  # fmt: skip
STEP, REASONS, WORDS, MICRO_BATCH = 16, 4, 200, 8


def mixture(processor: EmotionLlamaProcessor, step: int, reasons: int) -> list[Encoded]:
    """The samples of a step, reasons spread evenly among emotion questions."""
    words = (REASON + " ") * 8
    long = " ".join(words.split()[:WORDS])
    samples = []
    for i, known in enumerate(evidence(step)):
        task = "reason" if i % (step // reasons) == 0 else "emotion"
        prompt = processor.encode_prompt(known, instruction(task, processor.labels))
        answer = long if task == "reason" else processor.label_answer("happy")
        samples.append(processor.with_answer(prompt, answer))
    return samples


class Stepper:
    """Optimizer steps over batches, each weighed by its samples."""

    def __init__(self, model: nn.Module, device: torch.device, autocast: bool) -> None:
        self.model, self.device, self.autocast = model.train(), device, autocast
        self.parameters = [p for p in model.parameters() if p.requires_grad]
        self.optimizer = torch.optim.AdamW(self.parameters, lr=1e-4, fused=True)

    def step(self, batches: list[dict[str, Any]]) -> None:
        """One optimizer step over micro-batches."""
        for batch in batches:
            with torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self.autocast):
                value: Tensor = self.model(**batch).loss
            (value / len(batches)).backward()
        nn.utils.clip_grad_norm_(self.parameters, 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad()
        if self.device.type == "cuda":
            torch.cuda.synchronize()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--pack-tokens", type=int, default=512)
    parser.add_argument("--dtype", default="auto", choices=("auto", "float32", "bfloat16"))
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    step, reasons, repeats = (4, 1, 1) if options.quick else (STEP, REASONS, options.repeats)
    device = default_device()
    dtype = resolve_dtype(options.dtype, device)
    autocast = dtype == torch.bfloat16
    model, processor = built(dtype)
    model.to(device)
    samples = mixture(processor, step, reasons)
    lengths = [len(s.input_ids) for s in samples]
    order = [list(range(i, min(i + MICRO_BATCH, step))) for i in range(0, step, MICRO_BATCH)]
    groups = {
        "padded, as they come": order,
        "padded, by length": by_count(lengths, min(MICRO_BATCH, step)),
        "packed": by_tokens(lengths, options.pack_tokens),
    }
    batches = {
        name: [
            to_device(
                (processor.pack if name == "packed" else processor.collate)(
                    [samples[i] for i in group]
                ),
                device,
            )
            for group in dealt
        ]
        for name, dealt in groups.items()
    }
    ours = Stepper(model, device, autocast)
    lora = LoraSection()
    bare: Any = get_peft_model(
        load_llm(resolve_llm(LLM), dtype).to(device),  # type: ignore[arg-type]
        LoraConfig(
            r=lora.r, lora_alpha=lora.alpha, lora_dropout=lora.dropout,
            target_modules=list(lora.targets),
        ),
    )  # fmt: skip
    plain = Stepper(bare, device, autocast)
    tower: Any = Blip2VisionModel(EVA)
    tower.to(device, dtype).eval().requires_grad_(False)
    image = torch.zeros(1, 3, SIDE, SIDE, dtype=dtype, device=device)
    keys = ("input_ids", "attention_mask", "position_ids", "labels")
    alone = [
        {k: v for k, v in to_device(processor.collate([s]), device).items() if k in keys}
        for s in samples
    ]
    padded = [{k: b[k] for k in keys} for b in batches["padded, as they come"]]

    def look() -> None:
        with torch.no_grad():
            tower(image)

    def one_by_one() -> None:
        for batch in alone:
            plain.step([batch])

    ways: dict[str, Callable[[], object]] = {
        name: partial(ours.step, found) for name, found in batches.items()
    }
    ways["plain, padded, all logits"] = partial(plain.step, padded)
    ways["plain, one sample a step"] = one_by_one
    ways["the vision tower, one image"] = look
    seconds = interleaved(ways, repeats, 0 if options.quick else 1)
    images = seconds.pop("the vision tower, one image")
    seconds[WITH_TOWER] = [
        text + step * image
        for text, image in zip(seconds["plain, one sample a step"], images, strict=True)
    ]
    rows = compare(seconds, "packed")
    positions = {
        name: sum(max(lengths[i] for i in g) * len(g) for g in dealt)
        for name, dealt in groups.items()
        if name != "packed"
    }
    positions["packed"] = sum(lengths)
    for row in rows:
        row["samples_a_s"] = round(step / row["median_s"], 2)
        one = "one" in str(row["way"])
        row["positions"] = positions.get(
            str(row["way"]), positions["packed" if one else "padded, as they come"]
        )
    ratio = positions["padded, as they come"] / positions["packed"]
    times = {str(r["way"]): float(r["median_s"]) for r in rows}
    speed_up = times["padded, as they come"] / times["packed"]
    show("packing", rows, samples=step, pack_tokens=options.pack_tokens, dtype=str(dtype)[6:],
         device=device.type)  # fmt: skip
    print(f"padded to real tokens {ratio:.2f}; packed is {speed_up:.2f} times as fast")
    print(
        "the head at supervised positions alone saves "
        f"{times['plain, padded, all logits'] / times['padded, as they come']:.2f} times"
    )
    for name in ("plain, one sample a step", WITH_TOWER):
        print(f"{name}: {times[name] / times['packed']:.1f} times slower than packed")
    print(machine()["cpu"])


if __name__ == "__main__":
    main()
