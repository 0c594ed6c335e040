"""Six labels scored for a batch of 8 clips, against a forward pass and against generating.

python -m benchmarks.label_scoring [--repeats 10] [--dtype auto|float32|bfloat16] [--quick]

The reference is one forward over the same prompts with the head at the last position: what has to
be computed before anything can be answered. SmolLM2-135M with untrained projectors; the cost does
not depend on what they say. `--quick` runs once, with 2 clips and without a warm-up.
"""

from __future__ import annotations

import argparse
import copy

import torch

from benchmarks.measure import built, compare, evidence, interleaved, show
from emollama.base.device import default_device, resolve_dtype
from emollama.llm.batch import to_device
from emollama.llm.decoding import Sampling, generate
from emollama.llm.instructions import instruction
from emollama.llm.scoring import score_labels

FORWARD = "one forward over the prompts"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--dtype", default="auto", choices=("auto", "float32", "bfloat16"))
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    count, repeats, warm_up = (
        (2, 1, 0) if options.quick else (options.batch, options.repeats, 1)
    )  # fmt: skip
    device = default_device()
    dtype = resolve_dtype(options.dtype, device)
    wrapped, processor = built(dtype)
    model = wrapped.merge_and_unload().to(device).eval()
    question = instruction("emotion", processor.labels)
    prompts = [processor.encode_prompt(e, question) for e in evidence(count)]
    batch = to_device(processor.collate(prompts), device)
    labels = processor.label_ids()
    endless = copy.copy(processor)
    endless.end_id = -1  # every answer has as many tokens as it may have
    inputs = {k: batch[k] for k in ("input_ids", "stream_ids", "features", "present")}

    @torch.inference_mode()
    def forward() -> torch.Tensor:
        hidden = model.hidden_states(
            **inputs, attention_mask=batch["attention_mask"], position_ids=batch["position_ids"]
        )
        return model.get_output_embeddings()(hidden[:, -1:]).float().log_softmax(-1).cpu()

    def answer(tokens: int) -> list[list[int]]:
        return generate(model, endless, prompts, Sampling(max_new_tokens=tokens))

    seconds = interleaved(
        {
            FORWARD: forward,
            "labels scored, tree mask": lambda: score_labels(model, batch, labels, "tree").cpu(),
            "labels scored, cache": lambda: score_labels(model, batch, labels, "cache").cpu(),
            "label generated, 3 tokens": lambda: answer(3),
            "free answer, 40 tokens": lambda: answer(40),
        },
        repeats,
        warm_up,
    )
    show(
        "label scoring",
        compare(seconds, FORWARD),
        batch=count,
        prompt_tokens=int(batch["attention_mask"].sum(1).max()),
        labels=len(labels),
        repeats=repeats,
        dtype=str(dtype)[6:],
        device=device.type,
    )


if __name__ == "__main__":
    main()
