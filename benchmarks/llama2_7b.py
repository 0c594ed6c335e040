"""Training throughput and peak memory at LLaMA-2-7B's shapes with random weights, on one GPU.

python -m benchmarks.llama2_7b [--pack-tokens 4096] [--steps 10] [--attention sdpa]
    [--checkpointing] [--peak-tflops 989] [--tiny]

LoRA on all linear layers, bfloat16, packed rows of the quickstart's streams. Tokens a second count
real tokens; operations are `emollama plan`'s (4 a frozen weight and token), and the share of peak
is against --peak-tflops (dense bf16 of an H100 or H200 by default). `--tiny` runs the same code
with two layers of 64, also on a CPU, to see that it runs; its figures mean nothing.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import asdict
from typing import Any

import torch
from transformers import AutoModelForCausalLM, LlamaConfig

from benchmarks.measure import LLM, STREAMS, show
from benchmarks.packing import Stepper, mixture
from emollama.base.device import default_device
from emollama.base.errors import EmollamaError, one_line_errors
from emollama.llm import artefact
from emollama.llm.backbone import resolve_llm
from emollama.llm.batch import to_device
from emollama.llm.configuration import EmotionLlamaConfig
from emollama.llm.layout import get_layout
from emollama.llm.modeling import EmotionLlama
from emollama.llm.options import LoraSection
from emollama.llm.processing import EmotionLlamaProcessor, load_tokenizer
from emollama.llm.training.packing import by_tokens
from emollama.llm.training.plan import flops
from emollama.manifest.labels import get_label_set

SHAPES: dict[str, Any] = {"hidden_size": 4096, "intermediate_size": 11008, "num_hidden_layers": 32,
                          "num_attention_heads": 32}  # fmt: skip
TINY: dict[str, Any] = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2,
                        "num_attention_heads": 4}  # fmt: skip


@one_line_errors
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--pack-tokens", type=int, default=4096)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--attention", default="sdpa", choices=("sdpa", "flash_attention_2"))
    parser.add_argument("--checkpointing", action="store_true")
    parser.add_argument("--peak-tflops", type=float, default=989.0)
    parser.add_argument("--tiny", action="store_true")
    options = parser.parse_args()
    device = default_device()
    if device.type != "cuda" and not options.tiny:
        raise EmollamaError("a GPU is needed; --tiny runs the same code without one")
    folder = resolve_llm(LLM)
    tokenizer = load_tokenizer(folder)
    processor = EmotionLlamaProcessor(
        tokenizer, get_layout("emollama-chat"), STREAMS, get_label_set("mer2023")
    )
    # SmolLM2's tokenizer, for it is at hand; ids and lengths are all that is needed of it.
    config = LlamaConfig(
        vocab_size=max(32000, len(tokenizer)), **(TINY if options.tiny else SHAPES)
    )
    torch.manual_seed(0)
    with torch.device(device):
        llm = AutoModelForCausalLM.from_config(
            config, dtype=torch.bfloat16, attn_implementation=options.attention
        )
        shell = EmotionLlama(
            EmotionLlamaConfig(text_config=llm.config, streams=[asdict(s) for s in STREAMS]), llm
        )
        model = artefact.add_lora(shell, LoraSection())
    if options.checkpointing:
        shell.gradient_checkpointing_enable({"use_reentrant": False})
    samples = mixture(processor, 64, 16)
    lengths = [len(s.input_ids) for s in samples]
    rows = [
        to_device(processor.pack([samples[i] for i in group]), device)
        for group in by_tokens(lengths, options.pack_tokens)
    ]
    stepper = Stepper(model, device, autocast=True)
    stepper.step(rows)
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
    started = time.perf_counter()
    for _ in range(options.steps):
        stepper.step(rows)
    seconds = (time.perf_counter() - started) / options.steps
    tokens = sum(lengths)
    work = flops(model, tokens, tokens / len(lengths))
    facts: dict[str, Any] = {
        "tokens_a_s": round(tokens / seconds),
        "tflop_s": round(work / seconds / 1e12, 2),
        "share_of_peak": round(work / seconds / 1e12 / options.peak_tflops, 3),
        "peak_gb": round(torch.cuda.max_memory_allocated() / 1e9, 1)
        if device.type == "cuda"
        else None,
        "seconds_a_step": round(seconds, 3),
    }
    where = torch.cuda.get_device_name() if device.type == "cuda" else "cpu"
    show("llama2-7b", [facts], device=where, tokens=tokens, rows_of=options.pack_tokens,
         tiny=options.tiny)  # fmt: skip


if __name__ == "__main__":
    main()
