"""Text written by our own loop against transformers' `generate`, one answer and eight at once.

python -m benchmarks.answering.writing [--repeats 5] [--tokens 60] [--model DIR] [--quick]

The same model, the same prompts as embeddings, greedy, as many tokens each way: no answer ends
early. The texts are compared as well. Measured evidence is random, which costs the same.
"""

from __future__ import annotations

import argparse
import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.measure import compare, interleaved, show
from emollama.base.device import default_device, resolve_dtype
from emollama.base.quiet import quiet_libraries
from emollama.encoders.base import FeatureTrack
from emollama.llm import artefact
from emollama.llm.batch import Encoded, to_device
from emollama.llm.decoding import Sampling, generate
from emollama.llm.folding import base_dtype
from emollama.llm.processing import EmotionLlamaProcessor, Evidence

ROOT = Path(__file__).parents[2]
BATCHES = (1, 8)


def prompts(processor: EmotionLlamaProcessor, count: int) -> list[Encoded]:
    """The question for a reason about `count` clips with random tracks."""
    draw = np.random.default_rng(0)
    question = processor.instruction("reason")
    found = []
    for _ in range(count):
        tracks = {
            s.name: FeatureTrack(
                draw.normal(size=(s.tokens, s.width)).astype(np.float32),
                np.arange(s.tokens, dtype=np.float32),
            )
            for s in processor.streams
        }
        clues = {"voice": "a raised voice, fast and high"}
        found.append(processor.encode_prompt(Evidence(tracks, clues=clues), question))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--tokens", type=int, default=60)
    parser.add_argument("--dtype", default="auto", choices=("auto", "float32", "bfloat16"))
    parser.add_argument("--model", type=Path, default=ROOT / "models/people/llm")
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    quiet_libraries()
    repeats, tokens = (1, 8) if options.quick else (options.repeats, options.tokens)
    device = default_device()
    dtype = resolve_dtype(options.dtype, device, base_dtype(options.model))
    opened = artefact.load(options.model, dtype, device)
    model = opened.model
    endless = copy.copy(opened.processor)
    endless.end_id = -1
    sampling = Sampling(max_new_tokens=tokens)
    for count in BATCHES:
        asked = prompts(endless, count)

        def ours(asked: list[Encoded] = asked) -> list[list[int]]:
            return generate(model, endless, asked, sampling)

        @torch.inference_mode()
        def theirs(asked: list[Encoded] = asked) -> list[list[int]]:
            batch = to_device(endless.collate(asked), device)
            given = {k: batch[k] for k in ("input_ids", "stream_ids", "features", "present")}
            language_model: Any = model.language_model
            return language_model.generate(
                inputs_embeds=model.embed(**given),
                attention_mask=batch["attention_mask"],
                max_new_tokens=tokens, do_sample=False, eos_token_id=None,
                pad_token_id=endless.pad_id,
            ).tolist()  # fmt: skip

        same = sum(a == b for a, b in zip(ours(), theirs(), strict=True))
        ways: dict[str, Callable[[], object]] = {"transformers generate": theirs, "ours": ours}
        seconds = interleaved(ways, repeats, 0 if options.quick else 1)
        show(
            f"writing, batch {count}",
            compare(seconds, "transformers generate"),
            tokens=tokens,
            prompt_tokens=len(asked[0].input_ids),
            same_texts=f"{same} of {count}",
            dtype=str(dtype)[6:],
            device=device.type,
        )


if __name__ == "__main__":
    main()
