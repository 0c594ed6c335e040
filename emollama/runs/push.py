"""Pushing an artefact to a model hub: files, card and licence, and no path of this machine."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from emollama.assets.hub import FILES, endpoint, hub_answers, is_name, short
from emollama.assets.people import LICENCE, SUMS
from emollama.assets.registry import ASSETS
from emollama.base.errors import EmollamaError
from emollama.base.files import read_json, read_text, write_json, write_text
from emollama.base.paths import MARKS, STREAMS_FOLDER, need_pushable
from emollama.features.store import EXTERNAL
from emollama.runs.run_folder import CARD_FILE, RECORD_FILE

_ADAPTER, _CONFIG = "adapter_config.json", "config.json"


def push(folder: Path, name: str, public: bool = False) -> str:
    """Upload an artefact as one commit; returns the address of its repository.

    Args:
        folder: the artefact, or the plain language model exported from one. It is not changed.
        name: `owner/name` on the hub; made if it is not there.
        public: whether everybody may read it.

    Raises:
        EmollamaError: the hub does not answer or lets this user not write; the repository is
            public already and `public` is not set; or the adapter's language model is a folder of
            this machine, which nobody else has.
    """
    need_pushable(folder)
    if not is_name(name):
        raise EmollamaError(f"'{name}' does not name a hub repository; give owner/name")
    _require_base(folder)
    from huggingface_hub import HfApi, errors
    from huggingface_hub.utils import disable_progress_bars

    address = endpoint()
    if not hub_answers():
        raise EmollamaError(f"{name}: {address} does not answer, or may not be asked")
    disable_progress_bars()
    api = HfApi(address)
    try:
        made = api.create_repo(name, private=not public, exist_ok=True)
        if not public and api.model_info(name).private is False:
            raise EmollamaError(
                f"{name}: is public on {address}; add --public to push to it, or choose "
                "another name"
            )
        with _prepared(folder, name, f"{made}") as draft:
            api.upload_folder(
                repo_id=name, folder_path=draft, commit_message=f"Push {folder.resolve().name}"
            )
    except errors.HfHubHTTPError as error:
        status = error.response.status_code
        if status in (401, 403, 404):
            raise EmollamaError(
                f"{name}: {address} does not let you write there ({status}); log in with "
                "'hf auth login' or set HF_TOKEN to a token that may write"
            ) from error
        raise EmollamaError(f"{name}: {address} failed: {short(error)}") from error
    except (OSError, ValueError, RuntimeError) as error:
        raise EmollamaError(f"{name}: cannot be pushed: {short(error)}") from error
    return str(made)


def _require_base(folder: Path) -> None:
    if not (folder / _ADAPTER).is_file():
        return
    llm = str(read_json(folder / _CONFIG).get("llm", ""))
    if llm not in ASSETS and not is_name(llm):
        raise EmollamaError(
            f"{folder}: its adapter needs the language model '{llm}', a folder of this machine; "
            "push what 'emollama export' makes of it, or train on a hub repository's name"
        )


@contextmanager
def _prepared(folder: Path, name: str, address: str) -> Iterator[Path]:
    """The files to upload, as a folder of links and of what is written for the hub."""
    with tempfile.TemporaryDirectory(prefix="emollama-push-") as place:
        draft = Path(place)
        (draft / STREAMS_FOLDER).mkdir()
        for path in sorted([*folder.iterdir(), *(folder / STREAMS_FOLDER).glob("*")]):
            if path.is_file() and any(fnmatch(path.name, p) for p in FILES):
                (draft / path.relative_to(folder)).symlink_to(path.resolve())
        shipped = (folder.resolve().parent / SUMS).is_file()
        if shipped and not (draft / "LICENSE").exists():
            shutil.copyfile(folder.resolve().parent / "LICENSE", draft / "LICENSE")
        cut: dict[str, str] = {}
        for file in (RECORD_FILE, _CONFIG, *MARKS):
            for path in (Path(file), Path(STREAMS_FOLDER, file)):
                if (folder / path).is_file():
                    _replace(draft / path)
                    any_path = file in (RECORD_FILE, _CONFIG)  # others hold prompts, too
                    found = _without_folders(read_json(folder / path), cut, any_path)
                    write_json(draft / path, found)
        if (folder / _ADAPTER).is_file():
            # AutoModel opens what an adapter names as its base: here that is the artefact itself.
            _replace(draft / _ADAPTER)
            settings = read_json(folder / _ADAPTER) | {"base_model_name_or_path": name}
            write_json(draft / _ADAPTER, settings)
        licence = LICENCE.lower().replace(" ", "-") if shipped else "other"
        card = folder / CARD_FILE
        _replace(draft / CARD_FILE)
        text = read_text(card) if card.is_file() else f"# {folder.resolve().name}\n"
        write_text(draft / CARD_FILE, _hub_card(text, licence, address))
        for path in (Path(CARD_FILE), Path(STREAMS_FOLDER, CARD_FILE)):
            if (draft / path).is_file():
                text = read_text(draft / path)
                for whole in sorted(cut, key=len, reverse=True):
                    text = text.replace(whole, cut[whole])
                _replace(draft / path)
                write_text(draft / path, text)
        yield draft


def _replace(link: Path) -> None:
    link.unlink(missing_ok=True)


def _without_folders(value: Any, cut: dict[str, str], any_path: bool) -> Any:
    """The same with absolute paths cut to their names: they say where somebody's home is.

    `cut` takes up each path that was cut, with what is left of it; without `any_path` only those of
    external tracks are.
    """
    if isinstance(value, dict):
        return {key: _without_folders(v, cut, any_path) for key, v in value.items()}
    if isinstance(value, list):
        return [_without_folders(v, cut, any_path) for v in value]
    if isinstance(value, str) and (any_path or value.startswith(EXTERNAL)):
        path = value.removeprefix(EXTERNAL)
        for kind in (PurePosixPath, PureWindowsPath):
            if kind(path).is_absolute() and (name := kind(path).name):
                cut[path] = name
                return value.replace(path, name)
    return value


def _hub_card(text: str, licence: str, address: str) -> str:
    """An artefact's card with what a hub wants at its head.

    A licence that the card states is kept. Without one it is `licence`; "other" links to the
    card's own terms.
    """
    from huggingface_hub import ModelCard

    card = ModelCard(text)
    data: Any = card.data
    if data.license is None:
        data.license = licence
        if licence == "other":
            data.license_name, data.license_link = "terms-of-the-training-data", f"{address}#terms"
    base = str(data.base_model or "")
    published = ASSETS[base].hub if base in ASSETS else base.partition("@")[0]
    data.base_model = published if published and is_name(published) else None
    return str(card)
