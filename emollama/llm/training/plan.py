"""The expected cost of a run, before it is started: `emollama plan --cfg-path X`.

The model is built on the meta device, so a 7B model is planned on a laptop. Lengths are those of
real samples of the manifest, laid out as training lays them out. Activations are not estimated by a
formula: the decoder runs on the meta device, and the tensors that autograd would keep are summed.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from peft import PeftModel
from torch import nn

from emollama.features.store import StoredTracks
from emollama.features.tracks import TrackReader
from emollama.inputs.mixed_tracks import MixedTracks
from emollama.inputs.mixture import balance_of, read_corpora, store_of
from emollama.llm import artefact
from emollama.llm.backbone import empty_llm, resolve_llm
from emollama.llm.batch import by_count
from emollama.llm.configuration import EmotionLlamaConfig, StreamConfig
from emollama.llm.evidence import EvidenceReader, open_streams, training_samples
from emollama.llm.layout import get_layout
from emollama.llm.modeling import EmotionLlama
from emollama.llm.options import Attention
from emollama.llm.processing import EmotionLlamaProcessor, load_tokenizer
from emollama.llm.room import Size
from emollama.llm.training.activations import activation_bytes
from emollama.llm.training.arguments import micro_batch, zero_stage
from emollama.llm.training.clue_fit import training_clues
from emollama.llm.training.config import TrainConfig
from emollama.llm.training.instructions import InstructionSchedule
from emollama.llm.training.methods.choice import schedule_of
from emollama.llm.training.start import require_start

STEPS_LOOKED_AT = 512
"""Approximate number of samples used for the distribution of lengths."""

ALONE = "no"
"""Parallelism without sharding: one GPU, or DistributedDataParallel on several."""

CONTEXT = 1e9
"""Bytes taken by a CUDA context, its libraries and fragmentation."""


@dataclass(frozen=True)
class Lengths:
    """Token counts of samples and of micro-batches.

    `padded` is the share of positions that hold a token when rows are padded as configured,
    `packed` when they are packed; `longest` is the micro-batch with most positions.
    """

    samples: int
    smallest: int
    median: float
    mean: float
    p95: float
    largest: int
    supervised: float
    padded: float
    packed: float
    longest: int
    rows: int


@dataclass(frozen=True)
class Memory:
    """Expected peak of one GPU in bytes, by component."""

    precision: str
    checkpointing: bool
    parallelism: str
    weights: float
    trained: float
    activations: float
    head: float

    @property
    def total(self) -> float:
        """The total, including the CUDA context."""
        return self.weights + self.trained + self.activations + self.head + CONTEXT


@dataclass(frozen=True)
class Plan:
    """See `plan`."""

    total_parameters: int
    trainable_parameters: int
    lengths: Lengths
    tokens_a_step: float
    flops_a_step: float
    memory: tuple[Memory, ...]
    configured: Memory
    feature_bytes: int
    checkpoint_bytes: int
    steps: int
    epochs: float

    def to_dict(self) -> dict[str, Any]:
        """Plain data, each memory with its total."""
        found = asdict(self)
        found["memory"] = [{**asdict(m), "total": m.total} for m in self.memory]
        found["configured"] = {**asdict(self.configured), "total": self.configured.total}
        return found


def plan(config: TrainConfig, gpus: int = 1) -> Plan:
    """Estimate the cost of training as configured, on `gpus` GPUs.

    Raises:
        EmollamaError: as `train` for anything it reads: manifest, features, streams, labels.
    """
    micro = micro_batch(config, gpus)
    parallelism = _parallelism(config, gpus)
    manifest = read_corpora(config.data)
    streams, readers = open_streams(store_of(manifest, config.data), config.model.streams)
    samples, _ = training_samples(manifest, config.data, readers, config.tasks.shares)
    if config.model.initialise_from is not None:
        require_start(config.model.initialise_from, config.model.llm, streams, config.model.lora)
    folder = resolve_llm(config.model.llm)
    processor = EmotionLlamaProcessor(
        load_tokenizer(folder), get_layout(config.model.layout), streams, manifest.labels,
        config.tasks.clues, config.model.context,
    )  # fmt: skip
    model = _skeleton(config, folder, streams)
    batch = config.training.batch_size
    clues, words = training_clues(config, streams, readers, samples)
    balance = balance_of(manifest, samples)
    evidence = EvidenceReader(readers, clues, given=words)
    schedule = schedule_of(config, samples, evidence, processor, gpus, micro, None, balance)
    lengths = _lengths(schedule)
    # peft keeps a projector's first values beside the trained ones: no part of the model.
    parameters = sum(p.numel() for n, p in model.named_parameters() if ".original_module." not in n)
    trainable = sum(p.numel() for p in model.parameters() if p.requires_grad)
    tokens = lengths.mean * batch
    memory = _Estimate(model, lengths, gpus, config.model.attention)
    configured = memory.of(_precision(config), config.training.gradient_checkpointing, parallelism)
    return Plan(
        total_parameters=parameters,
        trainable_parameters=trainable,
        lengths=lengths,
        tokens_a_step=tokens,
        flops_a_step=flops(model, tokens, lengths.mean),
        memory=tuple(
            memory.of(precision, checkpointing, shared)
            for shared in (ALONE, "ZeRO-2", "ZeRO-3")[: 1 if gpus == 1 else 3]
            for precision in (("bfloat16", "8bit", "4bit") if shared != "ZeRO-3" else
                              ("bfloat16",))
            for checkpointing in (False, True)
        ),
        configured=configured,
        feature_bytes=_feature_bytes(readers.values()),
        checkpoint_bytes=trainable * (4 * 3) * 2 + trainable * 4 * 2,
        steps=config.training.max_steps,
        epochs=config.training.max_steps * batch / len(samples),
    )  # fmt: skip


def flops(model: PeftModel, tokens: float, length: float) -> float:
    """Floating-point operations of one step over `tokens` in samples of `length`.

    The convention: 4 per frozen linear weight and token (2 forward, 2 for the gradient of the
    input; frozen weights need none of their own), 6 per trained one, and 12 x hidden size x length
    / 2 per layer and token for causal attention. The head counts at every token, though it runs at
    supervised positions only.
    """
    base = artefact.bare(model)
    text = base.config.text_config
    linear = _linear_weights(base.language_model)
    trained = sum(p.numel() for p in base.language_model.parameters() if p.requires_grad)
    attention = 6 * text.num_hidden_layers * text.hidden_size * length
    return tokens * (4 * linear + 6 * trained + attention)


def _linear_weights(module: nn.Module) -> int:
    """Number of weights in the frozen linear layers."""
    return sum(
        m.weight.numel()
        for name, m in module.named_modules()
        if isinstance(m, nn.Linear) and "lora_" not in name
    )


def _skeleton(config: TrainConfig, folder: Path, streams: list[StreamConfig]) -> PeftModel:
    """The model for training, without values."""
    language_model = empty_llm(folder)
    with torch.device("meta"):
        shell = EmotionLlama(
            EmotionLlamaConfig(
                text_config=language_model.config, streams=[asdict(s) for s in streams]
            ),
            language_model,
        )
        return artefact.add_lora(shell, config.model.lora)


def _lengths(schedule: InstructionSchedule) -> Lengths:
    steps = max(1, min(schedule.steps, STEPS_LOOKED_AT // schedule.batch_size))
    items = [schedule[i] for i in range(steps * schedule.world)]
    groups = [group for item in items for group in item]
    sizes = [[e.positions for e in group] for group in groups]
    flat = np.array([n for group in sizes for n in group])
    total = int(flat.sum())
    if schedule.pack_tokens:
        positions = [sum(group) for group in sizes]
        padded = total / sum(_padded_positions(schedule, step) for step in range(steps))
        packed = total / (len(groups) * max(schedule.pack_tokens, max(positions)))
    else:
        positions = [max(group) * len(group) for group in sizes]
        padded, packed = total / sum(positions), 1.0
    worst = int(np.argmax(positions))
    supervised = np.mean([e.supervised for g in groups for e in g])
    return Lengths(
        samples=len(flat),
        smallest=int(flat.min()),
        median=float(np.median(flat)),
        mean=float(flat.mean()),
        p95=float(np.percentile(flat, 95)),
        largest=int(flat.max()),
        supervised=float(supervised),
        padded=padded,
        packed=packed,
        longest=positions[worst],
        rows=1 if schedule.pack_tokens else len(sizes[worst]),
    )


def _padded_positions(schedule: InstructionSchedule, step: int) -> int:
    """Number of positions of a step in padded micro-batches."""
    lengths = [e.positions for e in schedule.step(step)]
    rows = by_count(lengths, schedule.micro_batch)
    return sum(max(lengths[i] for i in row) * len(row) for row in rows)


def _precision(config: TrainConfig) -> str:
    if config.model.quantise != "none":
        return config.model.quantise
    return "float32" if config.model.dtype == "float32" else "bfloat16"


def _parallelism(config: TrainConfig, gpus: int) -> str:
    stage = zero_stage(config)
    return f"ZeRO-{stage}" if stage and gpus > 1 else ALONE


class _Estimate:
    """Peaks of one model and one micro-batch under several settings."""

    def __init__(self, model: PeftModel, lengths: Lengths, gpus: int, attention: Attention) -> None:
        base = artefact.bare(model)
        self._gpus = gpus
        self._trained = sum(p.numel() for p in model.parameters() if p.requires_grad)
        frozen = [p for p in base.language_model.parameters() if not p.requires_grad]
        decoder = cast(nn.Module, base.language_model.get_decoder())
        linear = _linear_weights(decoder)
        self._size = Size(linear, sum(p.numel() for p in frozen) - linear, 0)
        self._lengths = lengths
        self._vocabulary = base.config.text_config.vocab_size
        self._kept = activation_bytes(base, lengths.rows, lengths.longest, attention)

    def of(self, precision: str, checkpointing: bool, parallelism: str) -> Memory:
        """The peak; trained parameters, their gradients and two moments are float32."""
        parts = self._gpus if parallelism.startswith("ZeRO") else 1
        whole = parts if parallelism == "ZeRO-3" else 1
        other = 4.0 if precision == "float32" else 2.0
        weights = self._size.bytes_in(precision, other) / whole
        # ZeRO-1 keeps gradients whole.
        gradients = 4 / (1 if parallelism == "ZeRO-1" else parts)
        trained = self._trained * (4 / whole + gradients + 8 / parts)
        wide = 2.0 if precision == "float32" else 1.0
        positions = self._lengths.longest / self._lengths.mean
        supervised = self._lengths.supervised * positions
        # Logits and their softmax in float32, and the gradient.
        head = supervised * self._vocabulary * (4 + 4 + 4)
        activations = self._kept[int(checkpointing)] * wide
        return Memory(precision, checkpointing, parallelism, weights, trained, activations, head)


def _feature_bytes(readers: Iterable[TrackReader]) -> int:
    """Disk space of the streams' features."""
    total = 0
    parts = ([r] if not isinstance(r, MixedTracks) else r.readers for r in readers)
    for reader in chain.from_iterable(parts):
        folder = getattr(reader, "folder", None)
        pattern = "*.safetensors" if isinstance(reader, StoredTracks) else "*.npy"
        if folder is not None:
            total += sum(p.stat().st_size for p in Path(folder).glob(pattern))
    return total
