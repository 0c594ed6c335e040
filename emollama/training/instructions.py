"""The training set as a schedule: item i of the run is decided before the run begins."""

from __future__ import annotations

from collections.abc import Sequence

from torch.utils.data import Dataset

from emollama.config import ModalityDropout, TasksSection
from emollama.llm.instructions import instruction, instruction_pool
from emollama.llm.processing import CHANNELS, EmotionLlamaProcessor, Encoded
from emollama.sample import Sample
from emollama.training.draws import epoch_order, generator
from emollama.training.evidence import EvidenceReader


class InstructionSchedule(Dataset[Encoded]):
    """All samples of a run in order: item i is the (i mod n)-th sample of epoch i // n.

    Task, instruction and dropped channels of an item are functions of (seed, epoch, sample id).
    With a sequential sampler the whole run is one pass, so resuming is skipping, and any number of
    processes sees the same global batches.
    """

    def __init__(
        self,
        samples: Sequence[Sample],
        evidence: EvidenceReader,
        processor: EmotionLlamaProcessor,
        tasks: TasksSection,
        dropout: ModalityDropout,
        seed: int,
        length: int,
    ) -> None:
        self.samples = list(samples)
        self.evidence = evidence
        self.processor = processor
        self.tasks = tasks
        self.dropout = dropout
        self.seed = seed
        self.length = length
        self._orders: dict[int, list[int]] = {}

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, item: int) -> Encoded:
        epoch, position = divmod(item, len(self.samples))
        if epoch not in self._orders:
            ids = [s.id for s in self.samples]
            self._orders = {epoch: epoch_order(self.seed, epoch, ids)}
        return self.encode(self.samples[self._orders[epoch][position]], epoch)

    def encode(self, sample: Sample, epoch: int) -> Encoded:
        """One sample as asked in one epoch."""
        draw = generator(self.seed, epoch, "item", sample.id)
        task = self._task(sample, draw.random())
        evidence = self.evidence.read(sample)
        choice = draw.randrange(len(instruction_pool(task)))
        question = instruction(task, self.processor.labels, choice)
        if task == "reason":
            # A reference reason tells of every channel, so none is dropped from its evidence.
            answer, weight = sample.targets.reason or "", self.tasks.reason.weight
        else:
            kept = [c for c in CHANNELS if draw.random() >= getattr(self.dropout, c)]
            chosen = frozenset(kept or [draw.choice(CHANNELS)])
            evidence = type(evidence)(evidence.tracks, evidence.text, {}, chosen)
            answer = self.processor.label_answer(sample.targets.emotion or "")
            weight = self.tasks.emotion.weight
        if not self.tasks.clues:
            evidence = type(evidence)(evidence.tracks, evidence.text, {}, evidence.channels)
        prompt = self.processor.encode_prompt(evidence, question)
        return self.processor.with_answer(prompt, answer, weight)

    def _task(self, sample: Sample, draw: float) -> str:
        if not sample.targets.reason:
            return "emotion"
        if sample.targets.emotion is None:
            return "reason"
        share = self.tasks.emotion.share
        return "emotion" if draw * (share + self.tasks.reason.share) < share else "reason"
