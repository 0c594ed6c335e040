"""Out-of-memory errors in one line, with remedies."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from emollama.base.errors import EmollamaError
from emollama.llm.training.config import TrainConfig


@contextmanager
def memory_advice(config: TrainConfig) -> Iterator[None]:
    """Turn an out-of-memory error of an accelerator into an `EmollamaError` with remedies.

    Checkpoints written so far are kept, and the same command resumes from them once settings that
    only affect memory are lower; changes of precision or parallelism need a new start.
    """
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise EmollamaError(
            f"out of memory in training: {advice(config)}; `emollama plan --cfg-path` shows what "
            "fits"
        ) from error


def advice(config: TrainConfig) -> str:
    """Settings that would lower the peak, cheapest first."""
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
    going_on = "to continue from the last checkpoint try " + ", then ".join(ways) if ways else ""
    fresh = "with training.resume=never " + ", then ".join(anew) if anew else ""
    return "; ".join(part for part in (going_on, fresh) if part)
