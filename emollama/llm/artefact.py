"""An artefact: one folder that holds a trained model whole.

`adapter_model.safetensors` (LoRA and projectors, standardisers included), `adapter_config.json`,
`config.json`, tokenizer and `processor.json`, `clues.json`, `training_record.json` and a model
card. The frozen language model is named, with a fingerprint of its weights, not copied; a merged
artefact (`merge`) holds `model.safetensors` instead of an adapter and needs nothing else.
"""

from __future__ import annotations

import json
import re
import shutil
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, cast

import torch
from transformers.integrations import is_deepspeed_zero3_enabled

from emollama.assets.fingerprint import weights_fingerprint
from emollama.assets.hub import pinned_name
from emollama.base.device import default_device, resolve_dtype
from emollama.base.errors import EmollamaError
from emollama.base.files import read_json, written_whole
from emollama.base.paths import FAMILIARITY_FILE, PROCESSOR_FILE
from emollama.features.tracks import usable
from emollama.inputs.familiarity import Familiarity, write_familiarity
from emollama.inputs.opening import reopen_inputs
from emollama.inputs.person import PersonPrior
from emollama.inputs.person_file import PRIOR_FILE, write_prior
from emollama.inputs.spec import InputSpec
from emollama.llm.adapter import ADAPTER_FILE as ADAPTER_FILE
from emollama.llm.backbone import (
    load_llm,
    require_vocabulary,
    resolve_llm,
    settle_layout,
    told_slow,
)
from emollama.llm.clues import ClueWords
from emollama.llm.configuration import EmotionLlamaConfig, StreamConfig, read_config
from emollama.llm.folding import CPU, base_dtype
from emollama.llm.folding import MERGED_FILE as MERGED_FILE
from emollama.llm.heads import clue_heads
from emollama.llm.interop.engine import AT_ONCE, PromptEngine
from emollama.llm.layout import get_layout
from emollama.llm.loading import load_model
from emollama.llm.modeling import EmotionLlama
from emollama.llm.options import Attention, Clues, LoraSection, Quantisation
from emollama.llm.processing import EmotionLlamaProcessor, load_tokenizer
from emollama.llm.room import TRAINING, require_room, size_of_files
from emollama.llm.samples import LlmSamples
from emollama.llm.weight_files import WeightFiles
from emollama.manifest.labels import LabelSet
from emollama.manifest.sample import Manifest, Sample
from emollama.runs.artefact import Artefact
from emollama.runs.run_folder import CARD_FILE, RECORD_FILE

if TYPE_CHECKING:
    from peft import LoraConfig, PeftModel


@dataclass
class LlmArtefact(Artefact):
    """EmotionLlama (LoRA in place or merged), processor and clue words; see `Artefact`."""

    model: EmotionLlama
    processor: EmotionLlamaProcessor
    clues: ClueWords
    folder: Path = Path()
    quantise: Quantisation = "none"
    engine: PromptEngine | None = None

    family = "llm"
    title = "a language model"
    writes = True

    @classmethod
    def open(
        cls, folder: Path, dtype: str = "auto", quantise: Quantisation | None = None
    ) -> LlmArtefact:
        """Load it onto the accelerator, if there is one."""
        return load_as(folder, dtype, quantise)

    @property
    def labels(self) -> tuple[str, ...]:
        """Its label set."""
        return self.processor.labels.labels

    @property
    def inputs(self) -> tuple[InputSpec, ...]:
        """What it reads."""
        return tuple(s.spec for s in self.processor.streams)

    @property
    def reads_clues(self) -> bool:
        """Whether emotion questions include clues in words."""
        return self.processor.clues == "always"

    @property
    def reads_text(self) -> bool:
        """Whether its prompts contain the subtitle."""
        return self.processor.reads_text

    @property
    def language_model(self) -> Path:
        """Folder of the frozen language model under it."""
        return resolve_llm(self.model.config.llm)

    def write_by(self, engine: str) -> None:
        """Let a vLLM server on this machine write the text; see `Artefact.write_by`."""
        self.engine = PromptEngine(engine, self.model, self.processor)
        self.at_once, self.joining = AT_ONCE, True

    def asking(self, corpus: str) -> Self:
        """Itself; in the layouts of the released Emotion-LLaMA with its question on `corpus`."""
        self.processor.layout = self.processor.layout.asking(corpus)
        return self

    def knows_truth(self, sample: Sample, task: str) -> bool:
        """Whether a sample has a label, or a reason or words where those are asked for."""
        targets = sample.targets
        if task == "describe":
            return bool(targets.words)
        return bool(targets.emotion or (task == "reason" and targets.reason))

    def load_samples(
        self,
        manifest: Manifest,
        samples: Sequence[Sample],
        split: str,
        store: Path | None,
        features: Path | None = None,
    ) -> LlmSamples:
        """Samples whose tracks can be read; see `Artefact.load_samples`."""
        readers = reopen_inputs(store, self.inputs, features, manifest.lacks)
        kept, left_out = usable(samples, readers)
        if not kept:
            raise EmollamaError(
                f"{manifest.path}: no sample of split '{split}' has a target (a label, "
                f"or a reason) and features in {store}"
            )
        return LlmSamples(
            self.model, self.processor, self.clues, kept, readers, left_out, self.engine
        )


def build(
    llm: str,
    layout: str,
    streams: Sequence[StreamConfig],
    labels: LabelSet,
    lora: LoraSection,
    dtype: torch.dtype,
    seed: int,
    clues: Clues = "reasons",
    context: int = 0,
    attention: Attention = "sdpa",
    quantise: Quantisation = "none",
    device: torch.device | None = None,
) -> tuple[PeftModel, EmotionLlamaProcessor]:
    """A new model for training: LoRA under the language model, projectors trained in full.

    Initial projectors and adapters depend only on `seed`.
    """
    folder = resolve_llm(llm)
    fingerprint = weights_fingerprint(folder)
    tokenizer = load_tokenizer(folder)
    processor = EmotionLlamaProcessor(
        tokenizer, get_layout(layout), streams, labels, clues, context
    )
    require_vocabulary(folder, tokenizer)
    if not is_deepspeed_zero3_enabled():  # which reads each process's part
        size = size_of_files(WeightFiles.of_folder(folder))
        require_room(folder, size, dtype, quantise, device or CPU, TRAINING)
    language_model = load_llm(folder, dtype, attention, quantise, device)
    settle_layout(language_model, dtype, trained=True)
    config = EmotionLlamaConfig(
        text_config=language_model.config,
        streams=[asdict(s) for s in streams],
        llm=pinned_name(folder) or llm,
        llm_sha256=fingerprint,
        quantise=quantise,
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = EmotionLlama(config, language_model)
        return add_lora(model, lora), processor


def lora_config(lora: LoraSection, streams: Iterable[StreamConfig]) -> LoraConfig:
    """peft's settings: adapters on the named linear layers of the LLM, and full projectors."""
    from peft import LoraConfig  # which a model that is only asked does without

    targets = "|".join(re.escape(t) for t in lora.targets)
    return LoraConfig(
        r=lora.r,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        use_rslora=lora.rslora,
        use_dora=lora.dora,
        target_modules=rf"language_model\..*\.({targets})",
        modules_to_save=[f"projector_{s.name}" for s in streams],
    )


def add_lora(model: EmotionLlama, lora: LoraSection) -> PeftModel:
    """Wrap with peft; see `lora_config`."""
    from peft import get_peft_model

    decoder = cast(torch.nn.Module, model.language_model.get_decoder())
    linear = [n for n, module in decoder.named_modules() if isinstance(module, torch.nn.Linear)]
    for target in lora.targets:
        if not any(f".{name}".endswith(f".{target}") for name in linear):
            known = sorted({name.rsplit(".", 1)[-1] for name in linear})
            raise EmollamaError(
                f"model.lora.targets: '{target}' is not a linear layer of this language "
                f"model; its linear layers are {', '.join(known)}"
            )
    model.requires_grad_(False)
    return get_peft_model(model, lora_config(lora, model.config.stream_configs))


def bare(model: PeftModel) -> EmotionLlama:
    """The EmotionLlama inside peft's wrapper, adapters in place."""
    return cast(EmotionLlama, model.get_base_model())


def save(
    model: PeftModel,
    processor: EmotionLlamaProcessor,
    clues: ClueWords,
    folder: Path,
    record: dict[str, Any],
    card: str,
    weights: Path | None = None,
    prior: PersonPrior | None = None,
    familiarity: Familiarity | None = None,
) -> None:
    """Write an artefact atomically; an older one at `folder` is replaced.

    `weights`: adapters and projectors to write instead of those in memory. `prior`: where an input
    is measured against people. `familiarity`: where an input is a feature track.
    """
    with written_whole(folder) as draft:
        model.save_pretrained(str(draft))
        if weights is not None:
            shutil.copyfile(weights, draft / ADAPTER_FILE)
        bare(model).config.save_pretrained(draft)
        save_rest(processor, clues, draft, record, card, prior)
        if familiarity is not None:
            write_familiarity(familiarity, draft / FAMILIARITY_FILE)


def load_as(folder: Path, dtype: str = "auto", quantise: Quantisation | None = None) -> LlmArtefact:
    """Load an artefact onto the accelerator, if there is one, as a command's options say.

    Args:
        folder: the artefact.
        dtype: a `Precision`.
        quantise: how the frozen language model is held; None as it was in training.

    Raises:
        EmollamaError: as `load`, or it does not fit into the memory that is free.
    """
    _need_files(folder)
    device = default_device()
    if quantise is None and (folder / ADAPTER_FILE).is_file():
        quantise = read_config(folder).quantise
    quantise = quantise or "none"
    if slow := told_slow(quantise, device):
        print(slow, file=sys.stderr)
    return load(folder, resolve_dtype(dtype, device, base_dtype(folder)), device, quantise)


def _need_files(folder: Path) -> None:
    if not folder.is_dir():
        raise EmollamaError(
            f"{folder}: is not a folder; give the folder of a model from 'emollama train'"
        )
    for name in ("config.json", PROCESSOR_FILE, "clues.json"):
        if not (folder / name).is_file():
            raise EmollamaError(
                f"{folder}: is not a language model: {name} is missing; for a fusion "
                "model use `emollama predict`"
            )


def load(
    folder: Path,
    dtype: torch.dtype,
    device: torch.device = CPU,
    quantise: Quantisation = "none",
) -> LlmArtefact:
    """Load an artefact in evaluation mode.

    In full precision the adapter is folded into the weights; in 8 or 4 bits it stays beside them.

    Raises:
        EmollamaError: a file is missing or corrupt, the language model is not the one that the
            adapter was trained on, or a tensor is missing or has another shape.
    """
    _need_files(folder)
    config = read_config(folder)
    processor = EmotionLlamaProcessor.from_pretrained(folder)
    clues = replace(_read_clues(folder), heads=clue_heads.read_heads(folder, processor.streams))
    model = load_model(folder, config, dtype, device, quantise)
    names = [s.name for s in model.config.stream_configs]
    if names != [s.name for s in processor.streams]:
        raise EmollamaError(f"{folder}: config.json and {PROCESSOR_FILE} name different streams")
    return LlmArtefact(model.eval(), processor, clues, folder, quantise)


def read_processor(folder: Path) -> EmotionLlamaProcessor:
    """The processor of an artefact, without its weights."""
    if not (folder / PROCESSOR_FILE).is_file():
        raise EmollamaError(f"{folder}: is not an artefact: {PROCESSOR_FILE} is missing")
    return EmotionLlamaProcessor.from_pretrained(folder)


def _read_clues(folder: Path) -> ClueWords:
    path = folder / "clues.json"
    try:
        return ClueWords.from_dict(read_json(path))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise EmollamaError(f"{path}: is not a valid file of clue words: {error}") from error


def save_rest(
    processor: EmotionLlamaProcessor,
    clues: ClueWords,
    folder: Path,
    record: dict[str, Any],
    card: str,
    prior: PersonPrior | None = None,
) -> None:
    """Write the files beside the weights."""
    if prior is not None:
        write_prior(prior, folder / PRIOR_FILE)
    processor.save_pretrained(folder)
    (folder / "clues.json").write_text(json.dumps(clues.to_dict(), indent=2), encoding="utf-8")
    if clues.heads is not None:
        clue_heads.write_heads(clues.heads, folder)
    (folder / RECORD_FILE).write_text(json.dumps(record, indent=2), encoding="utf-8")
    (folder / CARD_FILE).write_text(card, encoding="utf-8")
