"""Our configuration as transformers' TrainingArguments."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import torch
from transformers import TrainingArguments

from emollama.base import torchrun
from emollama.base.device import default_device, resolve_dtype
from emollama.base.errors import EmollamaError
from emollama.base.files import read_json
from emollama.base.presets import find_preset
from emollama.llm.training.config import TrainConfig, TrainingSection
from emollama.llm.training.monitors import stay_here

BATCH_KEYS = ("train_batch_size", "train_micro_batch_size_per_gpu", "gradient_accumulation_steps")


def training_arguments(
    config: TrainConfig, folder: Path, device: torch.device
) -> TrainingArguments:
    """Arguments of a run that writes its checkpoints to `folder`.

    One item of the dataset is a process's whole step (`InstructionSchedule`), so the library's own
    batch size and accumulation are 1.
    """
    settings = config.training
    distributed = torchrun.world_size() > 1
    os.environ["TENSORBOARD_LOGGING_DIR"] = str(config.output / "tensorboard")
    if set(settings.report_to) - {"tensorboard"}:
        stay_here(config.output)
    schedule, options = _schedule(settings)
    deepspeed_file = _deepspeed_file(config)
    arguments = TrainingArguments(
        output_dir=str(folder),
        max_steps=settings.max_steps,
        per_device_train_batch_size=1,
        gradient_accumulation_steps=1,
        learning_rate=settings.learning_rate,
        weight_decay=settings.weight_decay,
        warmup_steps=settings.warmup_steps,
        lr_scheduler_type=schedule,
        lr_scheduler_kwargs=options,
        max_grad_norm=settings.max_grad_norm,
        neftune_noise_alpha=settings.neftune_alpha or None,
        logging_steps=settings.log_every_steps,
        logging_first_step=True,
        logging_nan_inf_filter=False,
        save_steps=settings.save_every_steps,
        save_total_limit=2,
        seed=config.seed,
        data_seed=config.seed,
        bf16=resolve_dtype(config.model.dtype, device) == torch.bfloat16,
        use_cpu=device.type == "cpu",
        ddp_backend=("gloo" if device.type == "cpu" else "nccl") if distributed else None,
        ddp_find_unused_parameters=False if distributed else None,
        activation_checkpointing=settings.gradient_checkpointing,
        activation_checkpointing_kwargs={"use_reentrant": False},
        deepspeed=str(deepspeed_file) if deepspeed_file else None,
        remove_unused_columns=False,
        dataloader_num_workers=settings.workers,
        dataloader_persistent_workers=settings.workers > 0,
        dataloader_pin_memory=device.type == "cuda",
        report_to=settings.report_to,
        run_name=config.output.name,
        project="emollama",
        disable_tqdm=True,
        log_level="error",
    )
    if deepspeed_file is not None:
        import deepspeed

        # ZeRO-3 reads weights in parts as soon as there is a model, and must know the processes.
        backend = "gloo" if device.type == "cpu" else "nccl"
        deepspeed.init_distributed(dist_backend=backend, auto_mpi_discovery=False)
    return arguments


def micro_batch(config: TrainConfig, world: int) -> int:
    """Samples per padded micro-batch: as configured, or all of a process's step."""
    total = config.training.batch_size
    if total % world:
        raise EmollamaError(
            f"training.batch_size {total} cannot be divided among {world} processes; "
            f"use a multiple of {world}"
        )
    share = total // world
    micro = min(config.training.micro_batch, share)
    if share % micro and not config.training.pack_tokens:
        raise EmollamaError(
            f"training.micro_batch {micro} does not divide the {share} samples a process takes of "
            f"batch_size {total}"
        )
    return micro


def _deepspeed_file(config: TrainConfig) -> Path | None:
    """The DeepSpeed file, which may be one of those that come with the package."""
    given = config.training.deepspeed
    return None if given is None else find_preset("deepspeed", given)


def zero_stage(config: TrainConfig) -> int:
    """The ZeRO stage of the DeepSpeed file, 0 without one.

    Raises:
        EmollamaError: it is not a DeepSpeed file, DeepSpeed refuses it, or it sets values that our
            configuration determines.
    """
    path = _deepspeed_file(config)
    if path is None:
        return 0
    values = read_json(path)
    if not isinstance(values, dict):
        raise EmollamaError(f"training.deepspeed: {path}: is not a JSON object")
    zero = values.get("zero_optimization")
    stage = zero.get("stage") if isinstance(zero, dict) else None
    if isinstance(stage, bool) or stage not in (1, 2, 3):
        raise EmollamaError(f"{path}: zero_optimization.stage must be 1, 2 or 3, not {stage}")
    for key in BATCH_KEYS:
        if values.get(key) != "auto":
            raise EmollamaError(
                f'{path}: "{key}" must be "auto", not {json.dumps(values.get(key))}: '
                "training.batch_size and micro_batch decide it"
            )
    for key in ("optimizer", "scheduler"):
        if key in values:
            raise EmollamaError(f'{path}: "{key}" is determined by the section training; remove it')
    _require_precision(config, path, values)
    clipping = values.get("gradient_clipping", "auto")
    if clipping not in ("auto", config.training.max_grad_norm):
        raise EmollamaError(
            f'{path}: "gradient_clipping" must be "auto", not {json.dumps(clipping)}: '
            "training.max_grad_norm decides it"
        )
    _require_settings(path, values)
    return int(stage)


def _require_precision(config: TrainConfig, path: Path, values: dict[str, Any]) -> None:
    """Check that the sections bf16 and fp16 leave the number format to model.dtype."""
    dtype = resolve_dtype(config.model.dtype, default_device())
    for key, fitting in (("bf16", ("auto", dtype == torch.bfloat16)), ("fp16", ("auto", False))):
        section = values.get(key, {})
        if not isinstance(section, dict):
            raise EmollamaError(f'{path}: "{key}" must be an object such as {{"enabled": "auto"}}')
        if section.get("enabled", "auto") not in fitting:
            raise EmollamaError(
                f'{path}: {key}.enabled must be "auto", not {json.dumps(section["enabled"])}: '
                "model.dtype decides it"
            )


def _require_settings(path: Path, values: dict[str, Any]) -> None:
    """Let DeepSpeed validate its settings, except values that only a run can fill in."""
    if default_device().type == "cpu":
        os.environ.setdefault("DS_ACCELERATOR", "cpu")
    from deepspeed.runtime.config import DeepSpeedConfig

    try:
        DeepSpeedConfig({**_known(values), "train_batch_size": torchrun.world_size()})
    except (AssertionError, AttributeError, KeyError, TypeError, ValueError) as error:
        raise EmollamaError(f"{path}: DeepSpeed refuses it: {' '.join(str(error).split())}") from (
            error
        )


def _known(values: dict[str, Any]) -> dict[str, Any]:
    """The settings without values of "auto"."""
    return {
        key: _known(value) if isinstance(value, dict) else value
        for key, value in values.items()
        if value != "auto"
    }


def require_deepspeed(config: TrainConfig) -> None:
    """Raise a one-line error where DeepSpeed itself would end in a traceback."""
    path, stage = _deepspeed_file(config), zero_stage(config)
    if path is None:
        return
    if not torchrun.started():
        raise EmollamaError(
            "training.deepspeed: start the run with torchrun, even for one process: "
            "torchrun --nproc_per_node 1 -m emollama train CONFIG"
        )
    if stage == 3 and config.model.quantise != "none":
        raise EmollamaError(
            f"{path}: ZeRO-3 cannot partition weights quantised by "
            f"model.quantise={config.model.quantise}; use zero2.json, or quantise: none"
        )


def _schedule(settings: TrainingSection) -> tuple[str, dict[str, Any]]:
    """The library's name of a learning-rate schedule, and its options."""
    if settings.min_learning_rate:
        return "cosine_warmup_with_min_lr", {
            "min_lr_rate": settings.min_learning_rate / settings.learning_rate,
            "warmup_lr_rate": settings.warmup_learning_rate / settings.learning_rate or None,
        }
    names = {"cosine": "cosine", "linear": "linear", "constant": "constant_with_warmup"}
    return names[settings.schedule], {}
