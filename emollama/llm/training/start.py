"""Initial weights from an earlier run: stage 2 after stage 1."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import cast

from peft import PeftModel, get_peft_model_state_dict, set_peft_model_state_dict
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from emollama.assets.fingerprint import weights_fingerprint
from emollama.assets.hub import local_folder
from emollama.base.errors import EmollamaError
from emollama.base.files import read_json
from emollama.base.paths import FUSION_FILE, need_start
from emollama.llm import artefact
from emollama.llm.adapter import SETTINGS_FILE
from emollama.llm.backbone import resolve_llm
from emollama.llm.configuration import EmotionLlamaConfig, StreamConfig, read_config
from emollama.llm.options import LoraSection
from emollama.llm.processing import EmotionLlamaProcessor
from emollama.llm.released import import_checkpoint
from emollama.llm.released.emotion_llama_v1 import PROJECTORS

_KEY = "model.initialise_from"


def require_start(
    source: Path, llm: str, streams: Sequence[StreamConfig], lora: LoraSection
) -> Path:
    """The folder or file of initial weights that a path or a hub repository's name stands for, once
    its configuration is that of the model to train. No weights are loaded.

    Raises:
        EmollamaError: there is neither; or the source is no artefact, was trained on another
            language model than `llm`, or has other streams, LoRA layers or another rank.
    """
    source = local_folder(source)
    need_start(source)
    if source.is_dir():
        config = _artefact_config(source)
        _require_same_form(source, config, streams, lora)
        _require_same_llm(source, config, llm)
    elif {s.name for s in streams} != PROJECTORS.keys():
        raise EmollamaError(
            f"{_KEY}: {source}: released checkpoints need the streams {', '.join(PROJECTORS)}, "
            f"but model.streams has {', '.join(sorted(s.name for s in streams))}"
        )
    return source


def start_from(model: PeftModel, processor: EmotionLlamaProcessor, source: Path) -> str:
    """Load adapters, projectors and standardisers from what `require_start` returned.

    Returns:
        One readable line: what was loaded, and what was missing and stays random.

    Raises:
        EmollamaError: a file is corrupt, or a tensor is missing or has another shape.
    """
    if source.is_dir():
        return _from_artefact(model, source)
    return _from_checkpoint(model, processor, source)


def _artefact_config(folder: Path) -> EmotionLlamaConfig:
    """The configuration of an artefact with an adapter."""
    path = folder / "config.json"
    values = read_json(path) if path.is_file() else {}
    ours = isinstance(values, dict) and values.get("model_type") == EmotionLlamaConfig.model_type
    if not ours or not (folder / artefact.ADAPTER_FILE).is_file():
        why = "is not an artefact of a language model"
        if ours and (folder / artefact.MERGED_FILE).is_file():
            why = "is merged; use the artefact it was made from"
        elif (folder / FUSION_FILE).is_file():
            why = "is a fusion model; use an artefact of a language model"
        raise EmollamaError(f"{_KEY}: {folder}: {why}")
    return read_config(folder)


def _require_same_llm(folder: Path, config: EmotionLlamaConfig, llm: str) -> None:
    known = config.llm_sha256
    if known and known != weights_fingerprint(resolve_llm(llm)):
        raise EmollamaError(
            f"{_KEY}: {folder}: was trained on the weights of '{config.llm}', "
            f"but model.llm is '{llm}' with other weights"
        )


def _require_same_form(
    folder: Path, config: EmotionLlamaConfig, streams: Sequence[StreamConfig], lora: LoraSection
) -> None:
    """Compare streams and LoRA settings by name, where shapes of tensors are not sufficient."""
    ours = {s.name: s for s in streams}
    theirs = {s.name: s for s in config.stream_configs}
    if ours.keys() != theirs.keys():
        raise EmollamaError(
            f"{_KEY}: {folder}: has the streams {', '.join(theirs)}, but model.streams "
            f"has {', '.join(ours)}"
        )
    for name, stream in ours.items():
        for key in ("width", "tokens", "standardise", "layers", "projector", "absent"):
            if getattr(stream, key) != getattr(theirs[name], key):
                raise EmollamaError(
                    f"{_KEY}: {folder}: stream '{name}' has {key} {getattr(theirs[name], key)}, "
                    f"but model.streams has {getattr(stream, key)}"
                )
    before = read_json(folder / SETTINGS_FILE)
    if not isinstance(before, dict):
        raise EmollamaError(f"{folder / SETTINGS_FILE}: holds no settings of an adapter")
    now = artefact.lora_config(lora, streams)
    for key, name in (("r", "r"), ("lora_alpha", "alpha"), ("use_dora", "dora"),
                      ("use_rslora", "rslora"), ("target_modules", "targets")):  # fmt: skip
        if before.get(key) != getattr(now, key):
            raise EmollamaError(
                f"{_KEY}: {folder}: was trained with model.lora.{name} "
                f"{before.get(key)}, but the configuration has {getattr(now, key)}"
            )


def _from_artefact(model: PeftModel, folder: Path) -> str:
    path = folder / artefact.ADAPTER_FILE
    try:
        state = load_file(path)
    except (SafetensorError, OSError) as error:
        raise EmollamaError(f"{path}: is corrupt: {error}") from error
    _fill(model, state, path)
    return f"initial adapters and projectors from {folder}"


def _from_checkpoint(model: PeftModel, processor: EmotionLlamaProcessor, path: Path) -> str:
    wanted = cast(dict[str, Tensor], get_peft_model_state_dict(model))
    state, report = import_checkpoint.read_state(path, wanted)
    import_checkpoint.require_llama_tokenizer(processor, artefact.bare(model).config.llm)
    _fill(model, state, path)
    return f"initial weights from {path}: " + "; ".join(report.lines())


def _fill(model: PeftModel, state: dict[str, Tensor], path: Path) -> None:
    wanted = {k: tuple(v.shape) for k, v in get_peft_model_state_dict(model).items()}
    found = {k: tuple(v.shape) for k, v in state.items()}
    for key in sorted(wanted.keys() | found.keys()):
        if wanted.get(key) != found.get(key):
            raise EmollamaError(
                f"{_KEY}: {path}: {key} is {found.get(key, 'missing')}, but this model "
                f"needs {wanted.get(key, 'none')}"
            )
    set_peft_model_state_dict(model, state)
