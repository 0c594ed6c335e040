"""Compares two artefacts: trained, resumed, merged and reloaded models should agree.

Both read the same samples and features; the comparison covers the logits at every position of
prompt and reference answer, and the label scores.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import torch
from torch import nn

from emollama.base.device import default_device
from emollama.base.errors import EmollamaError
from emollama.base.memory import give_back_freed_memory
from emollama.base.precision import Precision, Quantisation
from emollama.inputs.opening import reopen_inputs
from emollama.llm import artefact
from emollama.llm.batch import to_device
from emollama.llm.evidence import EvidenceReader, usable
from emollama.llm.folding import base_dtype
from emollama.llm.inference import label_probabilities
from emollama.manifest.sample import Sample, read_manifest

TOLERANCE = {torch.float32: 1e-3, torch.float16: 0.05, torch.bfloat16: 0.25}
"""Tolerance of logits. Merging an adapter changes the order of sums, and so their rounding."""


@dataclass(frozen=True)
class Way:
    """How a model is opened: its precision (None: float32 if it is stored so, else bfloat16), and
    how its language model is held (None: as in training).
    """

    dtype: Precision | None = None
    quantise: Quantisation | None = None


@dataclass(frozen=True)
class Comparison:
    """Differences between two artefacts on the same samples.

    Attributes:
        samples: number of samples compared; the first with the features of both.
        largest: largest absolute difference of a logit, at the sample `worst`.
        mean: mean absolute difference of logits.
        probability: largest difference of a label's probability.
        disagreements: samples whose most probable label differs.
        settings: differences in layout, streams or labels, in words.
        costs: memory and time of each model, in words.
        tolerance: limit of `largest` for equal models.
    """

    samples: int
    largest: float
    worst: str
    mean: float
    probability: float
    disagreements: int
    settings: tuple[str, ...]
    tolerance: float
    costs: tuple[str, ...] = ()

    @property
    def same(self) -> bool:
        """Whether the two give the same logits, within rounding."""
        return self.largest <= self.tolerance and not self.disagreements

    def lines(self) -> list[str]:
        """For people."""
        verdict = (
            f"the same logits: largest difference {self.largest:.2g}"
            if self.same
            else f"they differ: logits by up to {self.largest:.3g} (sample '{self.worst}')"
        )
        return [
            *self.settings,
            f"{verdict}, mean {self.mean:.2g}; tolerance {self.tolerance:g}, "
            f"{self.samples} samples",
            f"label probabilities differ by up to {self.probability:.2g}; "
            f"{self.disagreements} of {self.samples} samples get another label",
            *self.costs,
        ]


@dataclass(frozen=True)
class _Seen:
    """The outputs of one artefact."""

    logits: list[torch.Tensor]
    probabilities: torch.Tensor
    settings: dict[str, str]
    dtype: torch.dtype
    cost: str


def compare(
    first: Path,
    second: Path,
    manifest_path: Path,
    store: Path | None,
    *,
    split: str = "test",
    count: int = 8,
    ways: tuple[Way, Way] = (Way(), Way()),
) -> Comparison:
    """Run both artefacts, one after the other, over the first samples of a split.

    Args:
        first: an artefact's folder.
        second: another one.
        manifest_path: the samples.
        store: where their features are.
        split: of the manifest.
        count: samples that are compared.
        ways: how the first and the second are opened.

    Raises:
        EmollamaError: an artefact or a feature cannot be read, or vocabularies or prompt lengths
            differ, so that logits cannot be compared.
    """
    samples = [s for s in read_manifest(manifest_path).split(split) if s.targets.emotion]
    for folder in (first, second):
        streams = artefact.read_processor(folder).streams
        samples, _ = usable(samples, reopen_inputs(store, streams))
        if not samples:
            raise EmollamaError(f"{folder}: no sample has the features of its streams in {store}")
    chosen = samples[:count]
    a, b = (_look(f, chosen, store, way) for f, way in zip((first, second), ways, strict=True))
    settings = tuple(
        f"{key}: {a.settings[key]} against {b.settings[key]}"
        for key in a.settings
        if a.settings[key] != b.settings[key]
    )
    if [x.shape for x in a.logits] != [x.shape for x in b.logits]:
        why = "; ".join(settings) or "their tokenizers or the clues in their prompts differ"
        raise EmollamaError(f"{first} and {second}: cannot be compared: {why}")
    if a.probabilities.shape != b.probabilities.shape:
        raise EmollamaError(f"{first} and {second}: {'; '.join(settings)}")
    gaps = [(x - y).abs() for x, y in zip(a.logits, b.logits, strict=True)]
    largest = [float(g.max()) for g in gaps]
    worst = max(range(len(gaps)), key=largest.__getitem__)
    return Comparison(
        samples=len(gaps),
        largest=largest[worst],
        worst=chosen[worst].id,
        mean=float(torch.cat([g.flatten() for g in gaps]).mean()),
        probability=float((a.probabilities - b.probabilities).abs().max()),
        disagreements=int((a.probabilities.argmax(1) != b.probabilities.argmax(1)).sum()),
        settings=settings,
        tolerance=max(TOLERANCE[a.dtype], TOLERANCE[b.dtype]),
        costs=(f"first: {a.cost}", f"second: {b.cost}"),
    )


@torch.inference_mode()
def _look(folder: Path, samples: Sequence[Sample], store: Path | None, way: Way) -> _Seen:
    stored = "float32" if base_dtype(folder) == torch.float32 else "bfloat16"
    found = artefact.load_as(folder, way.dtype or stored, way.quantise)
    processor, device = found.processor, default_device()
    reader = EvidenceReader(reopen_inputs(store, processor.streams), found.clues)
    evidence = [reader.read(s) for s in samples]
    logits = []
    for sample, known in zip(samples, evidence, strict=True):
        prompt = processor.encode_prompt(known, processor.instruction("emotion"))
        answer = processor.label_answer(str(sample.targets.emotion))
        batch = to_device(processor.collate([processor.with_answer(prompt, answer)]), device)
        del batch["labels"]
        logits.append(found.model(**batch).logits[0].float().cpu())
    started = time.perf_counter()
    probabilities = torch.from_numpy(label_probabilities(found.model, processor, evidence))
    seconds = (time.perf_counter() - started) / len(samples)
    dtype = cast(torch.dtype, found.model.language_model.dtype)
    size = held_bytes(found.model)
    name = str(dtype).removeprefix("torch.") if found.quantise == "none" else found.quantise
    cost = f"{size / 1e9:.3g} GB of weights in {name}, {seconds:.2g} s for a sample's label scores"
    settings = {
        "layout": processor.layout.name,
        "labels": ", ".join(processor.labels.labels),
        "streams": ", ".join(f"{s.name} ({s.source})" for s in processor.streams),
        "language model": found.model.config.llm,
        "held in": name,
        "clue heads": str(found.clues.heads or "none"),
    }
    # Modules refer to each other in circles: without this both models would be in memory.
    del found
    gc.collect()
    give_back_freed_memory()
    return _Seen(logits, probabilities, settings, dtype, cost)


def held_bytes(model: nn.Module) -> int:
    """Memory of a model's weights; those in 4 or 8 bits are stored in bytes."""
    return sum(p.numel() * p.element_size() for p in model.parameters())
