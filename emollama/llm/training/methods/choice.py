"""The methods of training by name: only this file asks "sft, dpo or grpo?"."""

from __future__ import annotations

from typing import Any

from peft import PeftModel

from emollama.inputs.draws import Balance
from emollama.inputs.enrolment import Enrolment
from emollama.llm.evidence import EvidenceReader
from emollama.llm.processing import EmotionLlamaProcessor
from emollama.llm.training.config import TrainConfig
from emollama.llm.training.instructions import InstructionSchedule
from emollama.llm.training.methods.dpo import DpoTrainer
from emollama.llm.training.methods.grpo import GrpoTrainer
from emollama.llm.training.methods.reasons import PreferenceSchedule, QuestionSchedule
from emollama.llm.training.methods.reference import Reference, freeze_projectors
from emollama.llm.training.trainer import EmotionTrainer
from emollama.manifest.sample import Sample

_SCHEDULES = {"sft": InstructionSchedule, "dpo": PreferenceSchedule, "grpo": QuestionSchedule}


def schedule_of(
    config: TrainConfig,
    samples: list[Sample],
    evidence: EvidenceReader,
    processor: EmotionLlamaProcessor,
    world: int,
    micro: int,
    people: Enrolment | None,
    balance: Balance | None,
) -> InstructionSchedule:
    """The run's samples, step by step; see `InstructionSchedule` for the arguments."""
    training = config.training
    made: InstructionSchedule = _SCHEDULES[training.method](
        samples, evidence, processor, config.tasks, config.modality_dropout, config.seed,
        training.max_steps, training.batch_size, world, micro, training.pack_tokens, people,
        balance, training.twins,
    )  # fmt: skip
    if isinstance(made, QuestionSchedule) and training.method == "grpo":
        made.room = (training.grpo.answers, training.grpo.max_new_tokens)
    return made


def trainer_of(
    config: TrainConfig,
    model: PeftModel,
    processor: EmotionLlamaProcessor,
    resumed: bool,
    **given: Any,
) -> EmotionTrainer:
    """The trainer of a run whose folder is claimed; `given` are arguments of every trainer.

    With DPO and GRPO the projectors are frozen, and the adapters as they were stay below the folder
    for a run that goes on.
    """
    training = config.training
    if training.method == "sft":
        return EmotionTrainer(model=model, **given)
    reference = Reference(model)
    if resumed:
        reference.restore(config.output)
    else:
        reference.keep(config.output)
    if training.method == "dpo":
        return DpoTrainer(model=model, reference=reference, settings=training.dpo, **given)
    return GrpoTrainer(
        model=model, reference=reference, settings=training.grpo, processor=processor, **given
    )


def freeze(config: TrainConfig, model: PeftModel) -> None:
    """Freeze what the method does not train."""
    if config.training.method != "sft":
        freeze_projectors(model)
