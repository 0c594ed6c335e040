"""Hub repositories by name, `owner/name` or `owner/name@revision`, where a folder may stand.

A folder that is here goes first. Where a folder `owner` is here, `owner/name` is a path and is not
asked of the hub, unless it has a revision. Downloads lie in huggingface_hub's own cache, which
other programs share; only weights in safetensors, JSON, tokenizers and texts are fetched: no code,
nothing pickled.
"""

from __future__ import annotations

import os
import re
import sys
import threading
import urllib.error
import urllib.request
from functools import cache
from pathlib import Path

from emollama.base.errors import EmollamaError
from emollama.base.paths import need_artefact

FILES = (
    "*.safetensors", "*.json", "*.txt", "*.md", "*.jinja", "tokenizer.model", "*.spm",
    "LICENSE*", "NOTICE*",
)  # fmt: skip
"""Files of a model that are fetched from a hub and pushed to one."""
_LEFT = ("*/*", ".*", "consolidated*.safetensors")  # Mistral's weights once more, in its own layout
_NAME = re.compile(r"([A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*)(?:@((?!.*\.\.)[\w.][\w./-]*))?")
_SNAPSHOT = re.compile(r"models--(.+?)--(.+)/snapshots/([0-9a-f]{40})")
SECONDS = 3.0
"""How long a hub may take to answer at all."""


def is_name(text: str) -> bool:
    """Whether a text has the form of a repository's name."""
    return _NAME.fullmatch(text) is not None


def repository(path: str | Path) -> tuple[str, str | None] | None:
    """The repository and revision that a path names; None where it is a path on this machine, as
    that of a checkpoint in .pth, which no hub is asked for, is in any case.
    """
    found = _NAME.fullmatch(str(path))
    if found is None or Path(path).exists() or Path(path).suffix == ".pth":
        return None
    name, revision = found.groups()
    if revision is None and Path(name).parent.is_dir():
        return None
    return name, revision


def pinned_name(folder: Path) -> str | None:
    """`owner/name@commit` of a folder in the hub's cache; None of another folder."""
    found = _SNAPSHOT.search(folder.as_posix())
    return found and f"{found[1]}/{found[2]}@{found[3]}"


def artefact_folder(path: Path) -> Path:
    """The folder of the artefact that a user names, by its path or its hub repository.

    Raises:
        EmollamaError: there is neither, or it is no artefact.
    """
    folder = local_folder(path)
    need_artefact(folder)
    return folder


def local_folder(path: Path) -> Path:
    """The path itself, or the folder that holds the hub repository of that name.

    Raises:
        EmollamaError: the hub has no such repository or revision, lets nobody in without a token,
            or does not answer while its cache has no whole copy.
    """
    return path if repository(path) is None else _snapshot(path)


@cache
def _snapshot(path: Path) -> Path:
    from huggingface_hub import errors, snapshot_download
    from huggingface_hub.utils import disable_progress_bars

    address = endpoint()
    name, revision = repository(path) or ("", None)
    offline = not hub_answers()
    if not offline:
        print(f"{path}: from {address}", file=sys.stderr, flush=True)
    if not sys.stderr.isatty():
        disable_progress_bars()
    try:
        folder = snapshot_download(
            name,
            revision=revision,
            endpoint=address,
            allow_patterns=list(FILES),
            ignore_patterns=list(_LEFT),
            etag_timeout=SECONDS,
            local_files_only=offline,
        )
    except errors.GatedRepoError as error:
        raise EmollamaError(
            f"{path}: its owner lets in who accepts the terms at {address}/{name}; "
            "then log in with 'hf auth login'"
        ) from error
    except errors.RevisionNotFoundError as error:
        raise EmollamaError(f"{path}: {name} has no revision '{revision}'") from error
    except errors.RepositoryNotFoundError as error:
        raise EmollamaError(
            f"{path}: is neither a folder here nor a repository on {address}; "
            "for a private one log in with 'hf auth login'"
        ) from error
    except Exception as error:
        # Whatever a hub or a proxy in its place answers.
        if offline:
            raise EmollamaError(
                f"{path}: is no folder here, {address} does not answer, and its cache "
                "holds no whole copy"
            ) from error
        raise EmollamaError(f"{path}: {address} failed: {short(error)}") from error
    if not any(Path(folder).glob("*.safetensors")):
        raise EmollamaError(f"{path}: holds no *.safetensors; pickled weights are not fetched")
    return Path(folder)


def endpoint() -> str:
    """The hub's address: that of HF_ENDPOINT, as for every program that uses huggingface_hub."""
    return os.environ.get("HF_ENDPOINT", "").rstrip("/") or "https://huggingface.co"


def hub_answers() -> bool:
    """Whether the hub may be asked and answers within a few seconds; it is tried once a process."""
    if os.environ.get("HF_HUB_OFFLINE", "") in ("1", "true", "True", "YES", "ON"):
        return False
    if os.environ.get("EMOLLAMA_NO_HUB", "") not in ("", "0"):
        return False
    return _answers(endpoint())


@cache
def _answers(address: str) -> bool:
    answers: list[bool] = []

    def ask() -> None:
        try:
            request = urllib.request.Request(address, method="HEAD")
            with urllib.request.urlopen(request, timeout=SECONDS):
                answers.append(True)
        except urllib.error.HTTPError as error:
            # A mirror may show nothing at its own address; a proxy that lets nobody out says 403.
            answers.append(error.code in (401, 404, 405))
        except Exception:
            answers.append(False)

    # In a thread: a name look-up that hangs does not obey the timeout.
    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(SECONDS + 1)
    return bool(answers and answers[0])


def short(error: Exception) -> str:
    """An error of a library in one line."""
    return " ".join(str(error).split())[:200] or type(error).__name__
