"""Out of memory, said in one line with what would help."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from emollama.config import TrainConfig
from emollama.errors import EmollamaError


@contextmanager
def memory_advice(config: TrainConfig) -> Iterator[None]:
    """Turn an accelerator that is out of memory into an `EmollamaError` that says what to change.

    Checkpoints written so far are kept, and the same command goes on from them once the settings
    that shape memory, not the run, are lower.
    """
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise EmollamaError(
            f"out of memory in training: {advice(config)}; `emollama plan --cfg-path` shows what "
            "fits"
        ) from error


def advice(config: TrainConfig) -> str:
    """The settings that would lower the peak, those that cost least first."""
    settings, ways = config.training, []
    if settings.pack_tokens > 512:
        ways.append(f"training.pack_tokens={settings.pack_tokens // 2}")
    elif not settings.pack_tokens and settings.micro_batch > 1:
        ways.append(f"training.micro_batch={settings.micro_batch // 2}")
    if not settings.gradient_checkpointing:
        ways.append("training.gradient_checkpointing=true")
    if config.model.dtype == "float32":
        ways.append("model.dtype=bfloat16")
    if config.model.quantise == "none":
        ways.append("model.quantise=4bit")
    if settings.deepspeed is None:
        ways.append("training.deepspeed=train_configs/deepspeed/zero3.json on several GPUs")
    return "try " + ", then ".join(ways) if ways else "a GPU with more memory is needed"
