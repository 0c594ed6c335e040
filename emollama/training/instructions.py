"""The training set as a schedule: item i of the run is decided before the run begins."""

from __future__ import annotations

from collections.abc import Sequence

from torch.utils.data import Dataset

from emollama.config import ModalityDropout, TasksSection
from emollama.llm.processing import CHANNELS, EmotionLlamaProcessor, Encoded
from emollama.sample import Sample
from emollama.training.draws import epoch_order, generator
from emollama.training.evidence import EvidenceReader


class InstructionSchedule(Dataset[Encoded]):
    """All samples of a run in order: epoch after epoch, cut into steps of `batch_size`.

    Within a step samples stand by length, so that micro-batches of short questions are not padded
    to the length of a reason; what a step holds, and so its gradient, is not changed by that.
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
        steps: int,
        batch_size: int,
    ) -> None:
        self.samples = list(samples)
        self.evidence = evidence
        self.processor = processor
        self.tasks = tasks
        self.dropout = dropout
        self.seed = seed
        self.steps = steps
        self.batch_size = batch_size
        self._orders: dict[int, list[int]] = {}
        self._step: tuple[int, list[Encoded]] = (-1, [])

    def __len__(self) -> int:
        return self.steps * self.batch_size

    def __getitem__(self, item: int) -> Encoded:
        step, place = divmod(item, self.batch_size)
        if self._step[0] != step:
            first = step * self.batch_size
            drawn = [self._drawn(i) for i in range(first, first + self.batch_size)]
            self._step = (step, sorted(drawn, key=lambda e: len(e.input_ids)))
        return self._step[1][place]

    def _drawn(self, item: int) -> Encoded:
        """The item-th sample of the run, as asked in its epoch."""
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
        choice = draw.randrange(self.processor.instruction_count(task))
        question = self.processor.instruction(task, choice)
        if task == "reason":
            # A reference reason tells of every channel, so none is dropped from its evidence.
            answer, weight = sample.targets.reason or "", self.tasks.reason.weight
        else:
            # Of the channels that this clip has, at least one stays.
            known = self.processor.channels(evidence) or CHANNELS
            kept = [c for c in known if draw.random() >= getattr(self.dropout, c)]
            chosen = frozenset(kept or [draw.choice(known)])
            evidence = type(evidence)(evidence.tracks, evidence.text, {}, chosen)
            answer = self.processor.label_answer(sample.targets.emotion or "")
            weight = self.tasks.emotion.weight
        prompt = self.processor.encode_prompt(evidence, question)
        return self.processor.with_answer(prompt, answer, weight)

    def _task(self, sample: Sample, draw: float) -> str:
        if not sample.targets.reason:
            return "emotion"
        if sample.targets.emotion is None:
            return "reason"
        share = self.tasks.emotion.share
        return "emotion" if draw * (share + self.tasks.reason.share) < share else "reason"
