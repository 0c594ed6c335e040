"""The training set as a schedule: every item of the run is fixed before the run begins."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any

from torch.utils.data import Dataset

from emollama.inputs.config import ModalityDropout
from emollama.inputs.draws import Balance, EpochOrders, generator
from emollama.inputs.dropping import kept_channels
from emollama.inputs.enrolment import Enrolment
from emollama.llm.batch import Encoded, by_count
from emollama.llm.evidence import EvidenceReader
from emollama.llm.processing import CHANNELS, EmotionLlamaProcessor
from emollama.llm.training.config import TasksSection
from emollama.llm.training.packing import by_tokens
from emollama.manifest.sample import Sample
from emollama.manifest.twins import Unit, in_twos, pair_name
from emollama.scoring.reasons.sentences import clue_reason


class InstructionSchedule(Dataset[list[list[Encoded]]]):
    """All samples of a run in order: epoch after epoch, cut into steps of `batch_size`.

    An item holds the micro-batches of one process in one step. Item i belongs to step i // world
    and process i % world. A step's samples are distributed by length, so that there is little
    padding (or packed rows are full); this does not change a step's samples, nor its gradient.
    Task, instruction, dropped channels and what a sample's person is known by are functions of
    (seed, epoch, sample id).
    With a sequential sampler the whole run is one pass, so resuming is skipping, and any number of
    processes sees the same steps.

    Args:
        samples: the training split.
        evidence: reads their tracks.
        processor: lays them out.
        tasks: shares and weights.
        dropout: of channels.
        seed: of all random draws.
        steps: of the run.
        batch_size: samples per step over all processes.
        world: number of processes.
        micro_batch: samples per padded micro-batch; 0 for all of a process's step.
        pack_tokens: tokens per packed row; 0 pads instead.
        people: of the samples, each known by a number of clips that is drawn anew every epoch.
        balance: of several corpora; None for one.
        twins: whether the two clips of a pair stand in one step, with the same question.
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
        world: int = 1,
        micro_batch: int = 0,
        pack_tokens: int = 0,
        people: Enrolment | None = None,
        balance: Balance | None = None,
        twins: bool = False,
    ) -> None:
        self.samples = list(samples)
        self.twins = twins
        self.people = people
        self.evidence = evidence
        self.processor = processor
        self.tasks = tasks
        self.dropout = dropout
        self.seed = seed
        self.steps = steps
        self.batch_size = batch_size
        self.world = world
        self.micro_batch = micro_batch or batch_size // world
        self.pack_tokens = pack_tokens
        corpora = balance.corpora if balance else [""] * len(self.samples)
        self._units = self.units(corpora)
        if balance:
            of = dict(zip((s.id for s in self.samples), corpora, strict=True))
            balance = Balance([of[unit[0].id] for unit in self._units], balance.shares)
        self._orders = EpochOrders(seed, [unit[0].id for unit in self._units], balance)
        self._groups: tuple[int, list[list[Encoded]]] = (-1, [])

    def __len__(self) -> int:
        return self.steps * self.world

    def __getitem__(self, item: int) -> list[list[Encoded]]:
        step, rank = divmod(item, self.world)
        if self._groups[0] != step:
            drawn = self.step(step)
            lengths = [e.positions for e in drawn]
            groups = (
                by_tokens(lengths, self.pack_tokens, self.world)
                if self.pack_tokens
                else by_count(lengths, self.micro_batch)
            )
            self._groups = (step, [[drawn[i] for i in group] for group in groups])
        return self._groups[1][rank :: self.world]

    def step(self, step: int) -> list[Encoded]:
        """The samples of one step, in the order of drawing."""
        first = step * self.batch_size
        return [self._drawn(i) for i in range(first, first + self.batch_size)]

    def collate(self, items: Sequence[list[list[Encoded]]]) -> dict[str, list[Any]]:
        """Tensors of each micro-batch of one item; `share` is the part of the step's mean that
        a micro-batch's own mean makes up, over all processes together.
        """
        (groups,) = items
        form = self.processor.pack if self.pack_tokens else self.processor.collate
        return {
            "micro_batches": [form(group) for group in groups],
            "shares": [len(group) * self.world / self.batch_size for group in groups],
        }

    def units(self, corpora: Sequence[str]) -> list[Unit]:
        """The samples that are drawn together; of one size."""
        return in_twos(self.samples, corpora) if self.twins else [(s,) for s in self.samples]

    @property
    def epoch_size(self) -> int:
        """Number of samples in an epoch."""
        return len(self._units) * len(self._units[0])

    def _drawn(self, item: int) -> Encoded:
        """The item-th sample of the run, with its task in that epoch."""
        number, member = divmod(item, len(self._units[0]))
        epoch, position = divmod(number, len(self._units))
        sample = self._units[self._orders[epoch][position]][member]
        return self.encode(sample, epoch, self._orders.repeats(epoch)[position])

    def draws(self, sample: Sample, epoch: int, repeat: int) -> Random:
        """The draws about one sample in one epoch; with `twins` those of a pair are the same."""
        name = (pair_name(sample) if self.twins else None) or sample.id
        about = (name, repeat) if repeat else (name,)
        return generator(self.seed, epoch, "item", *about)

    def encode(self, sample: Sample, epoch: int, repeat: int = 0) -> Encoded:
        """One sample with its task in one epoch; a repeat in it has draws of its own."""
        draw = self.draws(sample, epoch, repeat)
        task = self._task(sample, draw.random())
        people = self.people.in_epoch(self.seed, epoch) if self.people else None
        evidence = self.evidence.read(sample, people)
        reason = sample.targets.reason
        if task == "reason" and reason is None:
            reason = clue_reason(evidence.clues, sample.targets.emotion or "", draw)
            task = "reason" if reason else "emotion"
        choice = draw.randrange(self.processor.instruction_count(task))
        question = self.processor.instruction(task, choice)
        if task == "reason":
            # A reference reason tells of every channel, so none is dropped from its evidence.
            answer, weight = reason or "", self.tasks.reason.weight
        elif task == "describe":
            # So are the words, whose order says nothing.
            words = list(sample.targets.words or ())
            draw.shuffle(words)
            evidence = self.processor.for_label(evidence, CHANNELS)
            answer, weight = ", ".join(words), self.tasks.describe.weight
        else:
            # Of the channels that this clip has, at least one stays.
            known = self.processor.channels(evidence) or CHANNELS
            chosen = kept_channels(draw, known, self.dropout)
            evidence = self.processor.for_label(evidence, chosen)
            answer = self.processor.label_answer(self._label(sample, draw))
            weight = self.tasks.emotion.weight
        prompt = self.processor.encode_prompt(evidence, question)
        return self.processor.with_answer(prompt, answer, weight)

    def _task(self, sample: Sample, draw: float) -> str:
        shares = self.tasks.shares(sample.targets)
        passed = 0.0
        for task, share in shares.items():
            passed += share
            if draw * sum(shares.values()) < passed:
                return task
        return next(iter(shares))

    def _label(self, sample: Sample, draw: Random) -> str:
        """The label to answer with: of votes one drawn by their shares.

        Over the epochs the loss is then the cross-entropy with those shares.
        """
        shares = sample.targets.shares() if self.tasks.emotion.soft_labels else None
        if shares is None:
            return sample.targets.emotion or ""
        return draw.choices(list(shares), list(shares.values()))[0]
