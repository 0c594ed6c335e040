"""Compares two artefacts: trained, resumed, merged and reloaded models should agree.

Both read the same samples and features; the comparison covers the logits at every position of
prompt and reference answer, and the label scores.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from emollama.base.device import default_device
from emollama.base.errors import EmollamaError
from emollama.inputs.opening import reopen_inputs
from emollama.llm import artefact
from emollama.llm.batch import to_device
from emollama.llm.evidence import EvidenceReader, usable
from emollama.llm.inference import label_probabilities
from emollama.manifest.sample import Sample, read_manifest

TOLERANCE = {torch.float32: 1e-3, torch.bfloat16: 0.25}
"""Tolerance of logits. Merging an adapter changes the order of sums, and so their rounding."""


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
        ]


@dataclass(frozen=True)
class _Seen:
    """The outputs of one artefact."""

    logits: list[torch.Tensor]
    probabilities: torch.Tensor
    settings: dict[str, str]


def compare(
    first: Path,
    second: Path,
    manifest_path: Path,
    store: Path | None,
    *,
    split: str = "test",
    count: int = 8,
    dtype: torch.dtype = torch.float32,
) -> Comparison:
    """Run both artefacts, one after the other, over the first samples of a split.

    Args:
        first: an artefact's folder.
        second: another one.
        manifest_path: the samples.
        store: where their features are.
        split: of the manifest.
        count: samples that are compared.
        dtype: of the language models.

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
    a, b = (_look(folder, chosen, store, dtype) for folder in (first, second))
    settings = tuple(
        f"{key}: {a.settings[key]} against {b.settings[key]}"
        for key in a.settings
        if a.settings[key] != b.settings[key]
    )
    if [x.shape for x in a.logits] != [x.shape for x in b.logits]:
        why = "; ".join(settings) or "their tokenizers differ"
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
        tolerance=TOLERANCE[dtype],
    )


@torch.inference_mode()
def _look(folder: Path, samples: Sequence[Sample], store: Path | None, dtype: torch.dtype) -> _Seen:
    found = artefact.load(folder, dtype, default_device())
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
    probabilities = torch.from_numpy(label_probabilities(found.model, processor, evidence))
    settings = {
        "layout": processor.layout.name,
        "labels": ", ".join(processor.labels.labels),
        "streams": ", ".join(f"{s.name} ({s.source})" for s in processor.streams),
        "language model": found.model.config.llm,
    }
    return _Seen(logits, probabilities, settings)
