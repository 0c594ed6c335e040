"""Finding the folder of a full-size model: the cache, then a hub, else one line that helps.

A folder is in the transformers format: config.json, *.safetensors, and a preprocessor or tokenizer
beside them. It may be a symlink in `asset_home()` to wherever the weights are kept; `link` makes
one after looking at what is there. Pickled weights are read only by `link(..., convert=True)`, and
there only as plain tensors.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emollama.assets.cache import asset_home, being_made, fetch, from_hub
from emollama.assets.convert import WEIGHTS
from emollama.assets.fingerprint import weights_fingerprint
from emollama.assets.models import MODEL_TYPES, MODELS, PublishedModel, get_model
from emollama.assets.pickled import read_tensors
from emollama.assets.registry import ASSETS
from emollama.base.errors import EmollamaError
from emollama.base.files import read_json, written_whole
from emollama.base.paths import need_folder

CONFIG = "config.json"
_PICKLED = "pytorch_model*.bin"
_BESIDE = (
    CONFIG, "preprocessor_config.json", "tokenizer.json", "tokenizer_config.json",
    "special_tokens_map.json", "vocab.txt", "vocab.json", "merges.txt",
)  # fmt: skip
"""Files beside the weights that the numbers depend on."""


@dataclass(frozen=True)
class ModelStatus:
    """One line of a listing; `folder` is None where the weights are not here."""

    model: PublishedModel
    folder: Path | None


def list_models() -> list[ModelStatus]:
    """Every full-size model and where it is; no weights are opened."""
    rows = []
    for model in MODELS.values():
        folder = asset_home() / model.name
        here = (folder / CONFIG).is_file() and any(folder.glob("*.safetensors"))
        rows.append(ModelStatus(model, folder if here else None))
    return rows


def model_folder(name: str, progress: Callable[[str], None] | None = None) -> Path:
    """The folder with a full-size model's weights; a hub is asked where the cache has none.

    Raises:
        EmollamaError: unknown name, another model in the folder, or no weights: the line says how
            to put them in place.
    """
    model = get_model(name)
    folder = asset_home() / name
    if folder.is_dir() and any(folder.iterdir()):
        check_folder(model, folder)
        return folder
    if name in ASSETS and not folder.is_symlink():
        return fetch(name, progress)
    if folder.is_symlink() and not folder.exists():
        raise EmollamaError(f"{folder}: is a link to {folder.readlink()}, which does not exist")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with being_made(name):
            if not (folder / CONFIG).is_file():
                _download(model, folder, progress or (lambda line: None))
    except OSError as error:
        raise EmollamaError(
            f"{folder}: cannot be written: {error.strerror or error}; set EMOLLAMA_HOME to a "
            "folder that can be written"
        ) from error
    return folder


def _download(model: PublishedModel, folder: Path, say: Callable[[str], None]) -> None:
    with written_whole(folder) as draft:
        if from_hub(model.name, model.hub, draft, say) is None:
            source = f"download {model.hub} from the model hub" if model.hub else "get its weights"
            raise EmollamaError(
                f"model '{model.name}': its weights were not found ({folder}); {source} in the "
                f"transformers format and run `emollama assets link {model.name} FOLDER` "
                "(with --convert where FOLDER holds only pytorch_model.bin)"
            )
        check_folder(model, draft)


def check_folder(model: PublishedModel, folder: Path) -> None:
    """See that a folder holds this model's architecture as safetensors; nothing is loaded."""
    _check_config(model, folder)
    if any(folder.glob("*.safetensors")):
        weights_fingerprint(folder)  # reads every header
        return
    if any(folder.glob(_PICKLED)):
        raise EmollamaError(
            f"{folder}: holds pytorch_model.bin and no *.safetensors; pickled weights are not read;"
            f" run `emollama assets link {model.name} {folder} --convert` for a converted copy"
        )
    raise EmollamaError(f"{folder}: holds no *.safetensors weights of '{model.name}'")


def _check_config(model: PublishedModel, folder: Path) -> None:
    need_folder(folder, f"'{model.name}'")
    config: Any = read_json(folder / CONFIG)
    found = config.get("model_type") if isinstance(config, dict) else None
    wanted = MODEL_TYPES[model.kind]
    if found not in wanted:
        raise EmollamaError(
            f"{folder / CONFIG}: model_type is '{found}', '{model.name}' needs "
            f"'{wanted[0]}' (transformers format)"
        )


def folder_hash(folder: Path) -> str:
    """Identifies weights, configuration, preprocessor and tokenizer of a folder."""
    digest = hashlib.sha256(weights_fingerprint(folder).encode())
    for name in _BESIDE:
        if (folder / name).is_file():
            digest.update(f"\0{name}\0".encode() + (folder / name).read_bytes())
    return digest.hexdigest()


def link(name: str, folder: Path, convert: bool = False) -> Path:
    """Put a folder of weights in place under its name; returns the place.

    Args:
        name: a key of `MODELS`.
        folder: in the transformers format; it is linked to, not copied or changed.
        convert: where the folder holds only pytorch_model.bin, write a copy with safetensors to
            the place instead of a link. Only tensors are unpickled.

    Raises:
        EmollamaError: unknown name, another architecture, no weights, or the place is taken by
            a folder that is no link.
    """
    model = get_model(name)
    folder = folder.expanduser().absolute()
    _check_config(model, folder)
    place = asset_home() / name
    if place.exists() and place.resolve() == folder.resolve():
        check_folder(model, folder)
        return place
    if place.exists() and not place.is_symlink():
        raise EmollamaError(f"{place}: already exists and is not a link; remove it first")
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        if convert and not any(folder.glob("*.safetensors")):
            with written_whole(place) as draft:
                _convert(folder, draft)
            return place
        check_folder(model, folder)
        temporary = place.with_name(f".{name}.{os.getpid()}.tmp")
        temporary.unlink(missing_ok=True)
        temporary.symlink_to(folder, target_is_directory=True)
        temporary.replace(place)
    except OSError as error:
        raise EmollamaError(f"{place}: cannot be written: {error.strerror or error}") from error
    return place


def _convert(folder: Path, out: Path) -> None:
    import torch
    from safetensors.torch import save_file

    tensors: dict[str, torch.Tensor] = {}
    files = sorted(folder.glob(_PICKLED))
    if not files:
        raise EmollamaError(f"{folder}: holds neither *.safetensors nor pytorch_model.bin")
    for path in files:
        tensors |= read_tensors(path)
    # Tied weights share memory, which safetensors does not store.
    save_file(
        {name: tensor.clone().contiguous() for name, tensor in tensors.items()},
        out / WEIGHTS,
        metadata={"format": "pt"},
    )
    for name in _BESIDE:
        if (folder / name).is_file():
            shutil.copyfile(folder / name, out / name)
