"""Out of memory, said in one line with what would help."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from emollama.base.errors import EmollamaError
from emollama.llm.training.config import TrainConfig


@contextmanager
def memory_advice(config: TrainConfig) -> Iterator[None]:
    """Turn an accelerator that is out of memory into an `EmollamaError` that says what to change.

    Checkpoints written so far are kept, and the same command goes on from them once the settings
    that shape memory, not the run, are lower; precision and parallelism need a new start.
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
    anew = []
    if config.model.dtype == "float32":
        anew.append("model.dtype=bfloat16")
    if config.model.quantise == "none":
        anew.append("model.quantise=4bit")
    if settings.deepspeed is None:
        anew.append("training.deepspeed=zero3 on several GPUs")
    if not ways and not anew:
        return "a GPU with more memory is needed"
    going_on = "to go on from the last checkpoint try " + ", then ".join(ways) if ways else ""
    fresh = "with training.resume=never " + ", then ".join(anew) if anew else ""
    return "; ".join(part for part in (going_on, fresh) if part)
