"""Initial weights from an earlier run: stage 2 after stage 1."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

from peft import PeftModel, get_peft_model_state_dict, set_peft_model_state_dict
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from emollama.assets.hub import local_folder
from emollama.base.errors import EmollamaError
from emollama.base.files import read_json
from emollama.base.paths import need_start
from emollama.llm import artefact
from emollama.llm.processing import EmotionLlamaProcessor
from emollama.llm.released import import_checkpoint
from emollama.llm.released.emotion_llama_v1 import PROJECTORS

_KEY = "model.initialise_from"


def start_from(model: PeftModel, processor: EmotionLlamaProcessor, source: Path) -> str:
    """Load adapters, projectors and standardisers from an artefact or a released checkpoint.

    Returns:
        One readable line: what was loaded, and what was missing and stays random.

    Raises:
        EmollamaError: the source was trained on another language model, or has other streams,
            widths, LoRA layers or another rank.
    """
    source = require_start(source)
    if source.is_dir():
        return _from_artefact(model, source)
    return _from_checkpoint(model, processor, source)


def require_start(source: Path) -> Path:
    """The folder or file of initial weights that a path or a hub repository's name stands for.

    Raises:
        EmollamaError: there is neither.
    """
    source = local_folder(source)
    need_start(source)
    return source


def _from_artefact(model: PeftModel, folder: Path) -> str:
    path = folder / artefact.ADAPTER_FILE
    if not path.is_file():
        merged = (folder / artefact.MERGED_FILE).is_file()
        why = "is merged; use the artefact it was made from" if merged else "is not an artefact"
        raise EmollamaError(f"{_KEY}: {folder}: {why}")
    config = read_json(folder / "config.json")
    known = artefact.bare(model).config
    if config.get("llm_sha256") and config["llm_sha256"] != known.llm_sha256:
        raise EmollamaError(
            f"{_KEY}: {folder}: was trained on the weights of '{config.get('llm')}', "
            f"but model.llm is '{known.llm}' with other weights"
        )
    _require_same_form(model, folder, config)
    try:
        state = load_file(path)
    except (SafetensorError, OSError) as error:
        raise EmollamaError(f"{path}: is corrupt: {error}") from error
    _fill(model, state, path)
    return f"initial adapters and projectors from {folder}"


def _require_same_form(model: PeftModel, folder: Path, config: dict[str, Any]) -> None:
    """Compare streams and LoRA settings by name, where shapes of tensors are not sufficient."""
    ours = {s.name: s for s in artefact.bare(model).config.stream_configs}
    theirs = {s["name"]: s for s in config.get("streams", [])}
    if ours.keys() != theirs.keys():
        raise EmollamaError(
            f"{_KEY}: {folder}: has the streams {', '.join(theirs)}, but model.streams "
            f"has {', '.join(ours)}"
        )
    for name, stream in ours.items():
        for key in ("width", "tokens", "standardise", "layers", "projector", "absent"):
            if getattr(stream, key) != theirs[name].get(key, getattr(stream, key)):
                raise EmollamaError(
                    f"{_KEY}: {folder}: stream '{name}' has {key} {theirs[name][key]}, "
                    f"but model.streams has {getattr(stream, key)}"
                )
    before = read_json(folder / "adapter_config.json")
    now = model.peft_config["default"]
    for key, name in (("r", "r"), ("lora_alpha", "alpha"), ("use_dora", "dora"),
                      ("use_rslora", "rslora"), ("target_modules", "targets")):  # fmt: skip
        if before.get(key) != getattr(now, key):
            raise EmollamaError(
                f"{_KEY}: {folder}: was trained with model.lora.{name} "
                f"{before.get(key)}, but the configuration has {getattr(now, key)}"
            )


def _from_checkpoint(model: PeftModel, processor: EmotionLlamaProcessor, path: Path) -> str:
    streams = {s.name for s in artefact.bare(model).config.stream_configs}
    if streams != PROJECTORS.keys():
        raise EmollamaError(
            f"{_KEY}: {path}: released checkpoints need the streams "
            f"{', '.join(PROJECTORS)}, but model.streams has {', '.join(sorted(streams))}"
        )
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
