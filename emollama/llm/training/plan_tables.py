"""A plan as readable tables."""

from __future__ import annotations

import torch
from rich.console import Console
from rich.table import Table

from emollama.llm.training.plan import Memory, Plan

SHORT = {"bfloat16": "bf16", "float32": "fp32"}


def print_plan(found: Plan, gigabytes: float | None) -> None:
    """Print a plan; `gigabytes` is the memory of one GPU (this machine's GPU when None)."""
    if gigabytes is None and torch.cuda.is_available():
        gigabytes = torch.cuda.get_device_properties(0).total_memory / 1e9
    console = Console(highlight=False)
    lengths = found.lengths
    share = found.trainable_parameters / found.total_parameters
    facts = Table(show_header=False)
    rows = (
        ("parameters", f"{found.total_parameters:,}"),
        ("trained", f"{found.trainable_parameters:,} ({share:.2%})"),
        ("run", f"{found.steps:,} steps, {found.epochs:.1f} epochs"),
        (
            f"tokens of a sample ({lengths.samples} laid out)",
            f"{lengths.smallest} to {lengths.largest}, median {lengths.median:.0f}, "
            f"mean {lengths.mean:.0f}, 95 % up to {lengths.p95:.0f}",
        ),
        ("of these supervised", f"{lengths.supervised:.1f} (the head runs at these only)"),
        ("positions that hold a token", _filled(lengths.padded, lengths.packed)),
        ("largest micro-batch", f"{lengths.longest:,} positions in {lengths.rows} rows"),
        ("tokens of a step", f"{found.tokens_a_step:,.0f}"),
        ("operations of a step", f"{found.flops_a_step / 1e12:,.2f} TFLOP"),
        ("disk: features", _size(found.feature_bytes)),
        ("disk: checkpoints and artefact", _size(found.checkpoint_bytes)),
    )
    for row in rows:
        facts.add_row(*row)
    console.print(facts)
    console.print(
        "Operations: 4 per frozen linear weight and token, 6 per trained one, and causal attention."
    )
    of = "" if gigabytes is None else f" of {gigabytes:.0f} GB"
    table = Table(
        "LLM", "recompute", "ZeRO", "weights", "trained", "kept", "head", "peak",
        title=f"Expected peak of one GPU{of}, in GB, an estimate",
    )  # fmt: skip
    if gigabytes is not None:
        table.add_column("fits")
    for memory in (found.configured, *found.memory):
        table.add_row(*_memory_row(memory, gigabytes), style="bold" if memory is found.configured
                      else None)  # fmt: skip
    console.print(table)
    console.print(
        "The first row is the configuration as it is. recompute: gradient checkpointing; kept: "
        "activations for the backward pass; peak: with 1 GB for CUDA itself."
    )
    if gigabytes is not None and found.configured.total > gigabytes * 1e9:
        needed = found.configured.total / 1e9
        console.print(f"As configured the run would not fit: {needed:.1f} GB are needed.")
        if any(m.total <= gigabytes * 1e9 for m in found.memory):
            console.print("Use the settings of a row that fits.")
        else:
            console.print("No row fits: lower training.micro_batch or training.pack_tokens.")


def _filled(padded: float, packed: float) -> str:
    text = f"{padded:.0%} when padded"
    return f"{text}, {packed:.0%} of rows of pack_tokens" if packed < 1 else text


def _memory_row(memory: Memory, gigabytes: float | None) -> list[str]:
    cells = [
        SHORT.get(memory.precision, memory.precision), "yes" if memory.checkpointing else "no",
        memory.parallelism.removeprefix("ZeRO-"),
        *(f"{part / 1e9:.2f}" for part in (memory.weights, memory.trained, memory.activations,
                                           memory.head, memory.total)),
    ]  # fmt: skip
    if gigabytes is not None:
        cells.append("yes" if memory.total <= gigabytes * 1e9 else "no")
    return cells


def _size(count: float) -> str:
    return f"{count / 1e9:.2f} GB" if count >= 1e8 else f"{count / 1e6:.1f} MB"
