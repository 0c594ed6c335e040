"""An artefact: one folder that holds a trained model whole.

`adapter_model.safetensors` (LoRA and projectors, standardisers included), `adapter_config.json`,
`config.json`, tokenizer and `processor.json`, `clues.json`, `training_record.json` and a model
card. The frozen language model is named, with a fingerprint of its weights, not copied; a merged
artefact (`merge`) holds `model.safetensors` instead of an adapter and needs nothing else.
"""

from __future__ import annotations

import copy
import json
import re
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self, cast

import torch
from accelerate import init_empty_weights
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import AutoModelForCausalLM

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
from emollama.llm.backbone import load_llm, require_vocabulary, resolve_llm
from emollama.llm.clues import ClueWords
from emollama.llm.configuration import EmotionLlamaConfig, StreamConfig, read_config
from emollama.llm.folding import ADAPTER_FILE as ADAPTER_FILE
from emollama.llm.folding import MERGED_FILE as MERGED_FILE
from emollama.llm.folding import folded
from emollama.llm.interop.engine import AT_ONCE, PromptEngine
from emollama.llm.layout import get_layout
from emollama.llm.modeling import EmotionLlama
from emollama.llm.options import Attention, Clues, LoraSection, Quantisation
from emollama.llm.processing import EmotionLlamaProcessor, load_tokenizer
from emollama.llm.samples import LlmSamples
from emollama.manifest.labels import LabelSet
from emollama.manifest.sample import Manifest, Sample
from emollama.runs.artefact import Artefact
from emollama.runs.run_folder import CARD_FILE, RECORD_FILE


@dataclass
class LlmArtefact(Artefact):
    """EmotionLlama (LoRA in place or merged), processor and clue words; see `Artefact`."""

    model: EmotionLlama
    processor: EmotionLlamaProcessor
    clues: ClueWords
    folder: Path = Path()
    engine: PromptEngine | None = None

    family = "llm"
    title = "a language model"
    writes = True

    @classmethod
    def open(cls, folder: Path, dtype: str = "auto") -> LlmArtefact:
        """Load it onto the accelerator, if there is one."""
        device = default_device()
        return load(folder, resolve_dtype(dtype, device), device)

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
        self.at_once = AT_ONCE

    def asking(self, corpus: str) -> Self:
        """Itself; in the layouts of the released Emotion-LLaMA with its question on `corpus`."""
        self.processor.layout = self.processor.layout.asking(corpus)
        return self

    def knows_truth(self, sample: Sample, task: str) -> bool:
        """Whether a sample has a label, or a reason or words where those are asked for."""
        targets = sample.targets
        if task == "words":
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
    language_model = load_llm(folder, dtype, attention, quantise, device)
    config = EmotionLlamaConfig(
        text_config=language_model.config,
        streams=[asdict(s) for s in streams],
        llm=pinned_name(folder) or llm,
        llm_sha256=fingerprint,
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = EmotionLlama(config, language_model)
        return add_lora(model, lora), processor


def add_lora(model: EmotionLlama, lora: LoraSection) -> PeftModel:
    """Wrap with peft: adapters on the named linear layers of the LLM, and full projectors."""
    targets = "|".join(re.escape(t) for t in lora.targets)
    pattern = rf"language_model\..*\.({targets})"
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
    return get_peft_model(
        model,
        LoraConfig(
            r=lora.r,
            lora_alpha=lora.alpha,
            lora_dropout=lora.dropout,
            use_rslora=lora.rslora,
            use_dora=lora.dora,
            target_modules=pattern,
            modules_to_save=[f"projector_{s.name}" for s in model.config.stream_configs],
        ),
    )


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


def load(folder: Path, dtype: torch.dtype, device: torch.device | None = None) -> LlmArtefact:
    """Load an artefact, with its adapter merged into the weights in memory, in evaluation mode.

    Raises:
        EmollamaError: a file is missing or corrupt, the language model is not the one that the
            adapter was trained on, or a tensor is missing or has another shape.
    """
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
    config = read_config(folder)
    clues = _read_clues(folder)
    processor = EmotionLlamaProcessor.from_pretrained(folder)
    model = _load_folded(folder, config, dtype, device or torch.device("cpu"))
    names = [s.name for s in model.config.stream_configs]
    if names != [s.name for s in processor.streams]:
        raise EmollamaError(f"{folder}: config.json and {PROCESSOR_FILE} name different streams")
    return LlmArtefact(model.eval(), processor, clues, folder)


def read_processor(folder: Path) -> EmotionLlamaProcessor:
    """The processor of an artefact, without its weights."""
    if not (folder / PROCESSOR_FILE).is_file():
        raise EmollamaError(f"{folder}: is not an artefact: {PROCESSOR_FILE} is missing")
    return EmotionLlamaProcessor.from_pretrained(folder)


def _load_folded(
    folder: Path, config: EmotionLlamaConfig, dtype: torch.dtype, device: torch.device
) -> EmotionLlama:
    """The model with its adapter folded in, never larger than its weights and one layer."""
    tensors = folded(folder, dtype, device)
    with init_empty_weights(include_buffers=False):
        language_model = AutoModelForCausalLM.from_config(
            copy.deepcopy(config.text_config), dtype=dtype, attn_implementation="sdpa"
        )
        model = EmotionLlama(config, language_model)
    for name, tensor in tensors:
        owner, _, leaf = name.rpartition(".")
        model.get_submodule(owner).load_state_dict({leaf: tensor}, strict=False, assign=True)
    language_model.tie_weights()
    return cast(torch.nn.Module, model).to(device).requires_grad_(False)


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
    (folder / RECORD_FILE).write_text(json.dumps(record, indent=2), encoding="utf-8")
    (folder / CARD_FILE).write_text(card, encoding="utf-8")
