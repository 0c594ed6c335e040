"""Instruction tuning: from a configuration to an artefact."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import torch
from peft import PeftModel
from transformers import set_seed

from emollama.base import torchrun
from emollama.base.device import default_device, resolve_dtype
from emollama.base.errors import EmollamaError
from emollama.base.files import read_json, write_json, written_whole
from emollama.base.paths import PROCESSOR_FILE
from emollama.inputs.enrolment import enrolment, fit_people
from emollama.inputs.familiarity_fit import fit_familiarity
from emollama.inputs.mixture import (
    balance_of,
    corpora_sha256,
    mixture_record,
    read_corpora,
    store_of,
    tell_mixture,
)
from emollama.llm import artefact
from emollama.llm.backbone import told_slow
from emollama.llm.evidence import (
    EvidenceReader,
    fit_standardisers,
    open_streams,
    training_samples,
)
from emollama.llm.heads.channel_heads import fit_heads
from emollama.llm.inference import label_probabilities
from emollama.llm.partitioned import gathered
from emollama.llm.processing import EmotionLlamaProcessor
from emollama.llm.training.arguments import micro_batch, require_deepspeed, training_arguments
from emollama.llm.training.clue_fit import training_clues
from emollama.llm.training.config import TrainConfig
from emollama.llm.training.memory import memory_advice
from emollama.llm.training.methods.choice import freeze, schedule_of, trainer_of
from emollama.llm.training.methods.reference import FOLDER as REFERENCE
from emollama.llm.training.monitors import require_monitors
from emollama.llm.training.probe import Shifts, start_from_probe
from emollama.llm.training.start import require_start, start_from
from emollama.llm.training.trainer import (
    VALIDATION,
    EmotionTrainer,
    KeepBest,
    MarkWhole,
    PlainProgress,
)
from emollama.llm.training.validation import held_out_samples, validation_f1
from emollama.manifest.sample import Manifest, Sample
from emollama.manifest.split_file import leakage
from emollama.runs.card import model_card
from emollama.runs.checkpoints import (
    CHECKPOINTS,
    MODEL,
    WHOLE,
    checkpoint_to_resume,
    claim_output,
)
from emollama.runs.run_folder import run_record, speaker, tell_left_out

MAY_CHANGE = (
    *(("training", key)
      for key in ("log_every_steps", "save_every_steps", "resume", "workers", "micro_batch",
                  "pack_tokens", "gradient_checkpointing", "report_to")),
    ("model", "attention"),
)  # fmt: skip
"""Settings that may change when a run is resumed: they affect memory, speed and logs only."""


def train(config: TrainConfig) -> Path:
    """Train as configured and return the artefact's folder, `<output>/model`.

    Raises:
        EmollamaError: for every mistake the user can fix (files, labels, widths, batch sizes).
    """
    with memory_advice(config), ExitStack() as stack:
        return _train(config, stack)


def _train(config: TrainConfig, stack: ExitStack) -> Path:
    rank = torchrun.rank()
    world = torchrun.world_size()
    say = speaker(rank)
    micro = micro_batch(config, world)
    require_deepspeed(config)
    require_monitors(config.training.report_to)
    asked = config.training.resume
    resume = checkpoint_to_resume(config.output, config, asked, MAY_CHANGE, PROCESSOR_FILE)
    _require_same_world(config, resume, world)
    checkpoints = config.output / CHECKPOINTS
    device = default_device()
    if device.type == "cuda":
        device = torch.device("cuda", torchrun.local_rank())

    manifest = read_corpora(config.data)
    # Now, for the file may be another one when training ends.
    manifest_sha256 = corpora_sha256(manifest)
    for leak in leakage(manifest.samples) if manifest.split_sha256 else ():
        say(f"WARNING: {leak}")
    streams, readers = open_streams(store_of(manifest, config.data), config.model.streams)
    start = config.model.initialise_from
    if start is not None and (start.exists() or resume is None):
        start = require_start(start, config.model.llm, streams, config.model.lora)
    else:  # A checkpoint of this run holds everything; what it started from may be gone by now.
        start = None
    samples, left_out = training_samples(manifest, config.data, readers, config.tasks.shares)
    tell_left_out(left_out, say)
    balance = balance_of(manifest, samples)
    for line in tell_mixture(manifest, samples):
        say(line)
    people = fit_people(config.model.streams, readers, samples, manifest.labels.labels)
    clues, words = training_clues(config, streams, readers, samples, people)
    if clues.heads is not None:
        say(f"clue heads: {clues.heads}")

    # Before the model: under ZeRO-3 the arguments are what has the weights read in parts.
    arguments = training_arguments(config, checkpoints, device)
    set_seed(config.seed)
    model, processor = artefact.build(
        config.model.llm,
        config.model.layout,
        streams,
        manifest.labels,
        config.model.lora,
        resolve_dtype(config.model.dtype, device),
        config.seed,
        clues=config.tasks.clues,
        context=config.model.context,
        attention=config.model.attention,
        quantise=config.model.quantise,
        device=device,
    )
    if slow := told_slow(config.model.quantise, device):
        say(slow)
    shifts: Shifts = {}
    if start is not None:
        say(start_from(model, processor, start))
    elif config.model.initialise_from is None:
        fit_standardisers(artefact.bare(model), readers, samples)
    if probed := [s.name for s in config.model.streams if s.initial_weights == "probe"]:
        against = people.transductive.readers(readers) if people else readers
        shifts = start_from_probe(
            artefact.bare(model),
            processor,
            probed,
            against,
            samples,
            config.model.probe_strength,
            config.model.probe_alone,
        )
        held_out = len(next(iter(shifts.values())))
        say(f"projectors start from a probe; {held_out} samples are presented as if held out of it")
    if config.model.channel_heads:
        processor.heads = fit_heads(
            streams, readers, samples, manifest.labels.labels, people,
            weight=config.model.channel_heads,
            strength=config.model.probe_strength,
            seed=config.seed,
        )  # fmt: skip
    evidence = EvidenceReader(readers, clues, shifts, given=words)
    schedule = schedule_of(config, samples, evidence, processor, world, micro, people, balance)
    freeze(config, model)
    trainable = sum(p.numel() for p in model.parameters() if p.requires_grad)
    epochs = config.training.max_steps * config.training.batch_size / schedule.epoch_size
    say(
        f"{schedule.epoch_size} samples, {epochs:.1f} epochs of "
        f"{config.training.max_steps} steps x {config.training.batch_size}; "
        f"{trainable:,} trainable parameters on {device.type}, "
        f"language model in {_held(config, model)}"
    )

    prior = people.prior if people else None
    validated = held_out_samples(config, manifest, readers, say)
    drawn = enrolment(prior, readers, validated).in_epoch(config.seed, 0) if prior else None
    unseen = EvidenceReader(readers, clues, known=drawn)
    keeper = _keeper(config, model, processor, unseen, manifest, validated, device, say)
    if rank == 0:
        resumed = resume is not None
        claim_output(config.output, config, stack, resumed, asked, say, [config.output / REFERENCE])
    if torch.distributed.is_initialized():
        torch.distributed.barrier()
    trainer = trainer_of(
        config,
        model,
        processor,
        resume is not None,
        args=arguments,
        train_dataset=schedule,
        data_collator=schedule.collate,
        callbacks=[
            PlainProgress(config.training.max_steps, config.training.batch_size, say),
            MarkWhole(),
            *([keeper] if keeper else []),
        ],
        projector_learning_rate=config.training.projector_learning_rate,
        loraplus_ratio=config.model.lora.plus_ratio,
    )
    _quiet(trainer)
    if resume is not None:
        say(f"resuming from {resume}")
    trainer.train(resume_from_checkpoint=str(resume) if resume else None)

    folder = config.output / MODEL
    with gathered(model):
        if trainer.is_world_process_zero():
            losses = [r for r in trainer.state.log_history if "loss" in r]
            record = (
                run_record(config, manifest, manifest_sha256, len(samples), left_out, device, world)
                | {
                    "steps": trainer.state.global_step,
                    "final_loss": losses[-1]["loss"] if losses else None,
                    "log": losses,
                    "validation": [
                        {"step": r["step"], "weighted_f1": r[VALIDATION]}
                        | {k: v for k, v in r.items() if k.endswith("/weighted_f1")}
                        for r in trainer.state.log_history
                        if VALIDATION in r
                    ],
                    "best": (best := _best_record(config)),
                }
                | mixture_record(manifest, samples, validated)
            )
            card = _card(config, manifest, record)
            weights = config.output / "best" / artefact.ADAPTER_FILE if best else None
            familiarity = fit_familiarity(config.model.streams, readers, samples, prior)
            artefact.save(
                model, processor, clues, folder, record, card, weights, prior, familiarity
            )
            say(f"artefact written to {folder}")
    _leave_process_group(world)
    return folder


def _keeper(
    config: TrainConfig,
    model: PeftModel,
    processor: EmotionLlamaProcessor,
    evidence: EvidenceReader,
    manifest: Manifest,
    samples: Sequence[Sample],
    device: torch.device,
    say: Callable[[str], None],
) -> KeepBest | None:
    """The validation callback, if configured."""
    every = config.training.evaluate_every_steps
    if not every:
        return None
    known = [evidence.read(s) for s in samples]
    best = config.output / "best"

    def score() -> tuple[float, dict[str, float]]:
        base = artefact.bare(model)
        training = base.training
        base.eval()
        with torch.autocast(
            device.type,
            dtype=torch.bfloat16,
            enabled=resolve_dtype(config.model.dtype, device) == torch.bfloat16,
        ):
            probabilities = label_probabilities(base, processor, known, batch_size=16)
        base.train(training)
        return validation_f1(probabilities, samples, manifest)

    def save(step: int, value: float, writes: bool) -> None:
        with gathered(model):
            if writes:
                with written_whole(best) as draft:
                    model.save_pretrained(str(draft))
                    write_json(draft / "best.json", {"step": step, "weighted_f1": value})

    def so_far() -> float:
        record = _best_record(config)
        return float(record["weighted_f1"]) if record else -np.inf

    return KeepBest(every, score, save if config.training.keep_best else None, so_far, say)


def _held(config: TrainConfig, model: PeftModel) -> str:
    dtype = str(artefact.bare(model).language_model.dtype).removeprefix("torch.")
    return dtype if config.model.quantise == "none" else f"{config.model.quantise} and {dtype}"


def _card(config: TrainConfig, manifest: Manifest, record: dict[str, Any]) -> str:
    model = config.model
    return model_card(
        config.output.name,
        f"An EmotionLlama: `{model.llm}` with LoRA (rank {model.lora.r}) and one projector a\n"
        f"stream, tuned for {record['steps']} steps of {config.training.batch_size} samples on\n"
        f"{record['samples']} samples of `{manifest.corpus}` (last logged loss "
        f"{record['final_loss']}).",
        ("stream", "channel", "features", "tokens"),
        [(s.name, s.channel, f"`{s.source}`", s.tokens) for s in model.streams],
        f"Labels (`{manifest.labels.name}`): {', '.join(manifest.labels.labels)}",
        manifest.corpus,
        model.llm,
        record.get("mixture", ()),
    )


def _best_record(config: TrainConfig) -> dict[str, float] | None:
    path = config.output / "best" / "best.json"
    return read_json(path) if config.training.keep_best and path.is_file() else None


def _require_same_world(config: TrainConfig, resume: Path | None, world: int) -> None:
    """DeepSpeed can only resume with the number of processes of the checkpoint."""
    if resume is None or config.training.deepspeed is None:
        return
    processes = read_json(resume / WHOLE)["processes"]
    if processes != world:
        raise EmollamaError(
            f"{resume}: was written by {processes} processes, and DeepSpeed can only "
            f"resume with as many, not {world}; training.resume=never starts from scratch"
        )


def _quiet(trainer: EmotionTrainer) -> None:
    """Our own progress line replaces the library's dictionaries on stdout."""
    from transformers.trainer_callback import PrinterCallback

    trainer.remove_callback(PrinterCallback)


def _leave_process_group(world: int) -> None:
    if world > 1 and torch.distributed.is_initialized():
        torch.distributed.barrier()
        torch.distributed.destroy_process_group()
