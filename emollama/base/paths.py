"""Checks that the paths a user names exist, before anything large is loaded."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from emollama.base.errors import EmollamaError
from emollama.base.files import read_json

ANSWERS_FILE = "answers.json"
"""The file of a finished bench from which its tables are rebuilt."""

PROCESSOR_FILE, FUSION_FILE = "processor.json", "fusion.json"
MARKS = (PROCESSOR_FILE, FUSION_FILE)
"""Files that identify an artefact: of a language model, and of a fusion model."""

RECORD_FILE = "training_record.json"
"""The training record of an artefact."""

STREAMS_FOLDER = "emollama"
"""Folder of projectors and processor inside that of a plain language model, which
`emollama export --as llm` writes."""

CLUES_FILE = "clues.json"
"""The file of a language model's artefact with the words for measured values."""

CLUE_HEADS_FILE = "clue_heads.safetensors"
"""The file of a language model's artefact that says which clues a clip shows."""

CALIBRATION_FILE = "calibration.json"
"""The file of an artefact that `emollama calibrate` adds."""

PRIOR_FILE = "people.safetensors"
"""The file of an artefact whose inputs are measured against people."""

FAMILIARITY_FILE = "familiarity.safetensors"
"""The file of an artefact that tells how far a clip lies from its training clips."""


def refuse_url(path: Path) -> None:
    """Raise an error where a path that does not exist is an address on the net.

    Raises:
        EmollamaError: saying that it is not fetched.
    """
    if found := re.match(r"([A-Za-z][A-Za-z0-9+.-]+):/+(.*)", str(path)):
        url = "://".join(found.groups())  # `Path` drops a slash
        raise EmollamaError(f"{url}: is a URL, which is not fetched; download it and give the file")


def need_file(path: Path | None) -> None:
    """Raise an error if a file cannot be read; None is accepted.

    Raises:
        EmollamaError: naming it.
    """
    if path is None:
        return
    try:
        with path.open("rb"):
            return
    except OSError as error:
        raise EmollamaError(f"{path}: cannot be read: {error.strerror or error}") from error
    except ValueError as error:  # a zero byte in the name
        raise EmollamaError(f"{str(path)!r}: cannot be read: {error}") from error


def need_files(paths: Iterable[Path] | None) -> None:
    """`need_file` for each path."""
    for path in paths or ():
        need_file(path)


def need_folder(path: Path | None, content: str = "") -> None:
    """Raise an error if a folder does not exist; None is accepted.

    Raises:
        EmollamaError: naming it and the content that it should have.
    """
    if path is not None and not path.is_dir():
        hint = f"; it should hold {content}" if content else ""
        raise EmollamaError(f"{path}: is not a folder ({_instead_of_a_folder(path)}){hint}")


def need_store(path: Path | None) -> None:
    """Raise an error if a feature store does not exist; None is accepted.

    Raises:
        EmollamaError: naming it and the command that makes one.
    """
    if path is not None and not path.is_dir():
        raise EmollamaError(
            f"{path}: no such feature store; make it with `emollama extract MANIFEST "
            f"--store {path}`"
        )


def need_answers(folder: Path) -> None:
    """Raise an error if a folder is not that of a finished bench.

    Raises:
        EmollamaError: naming it and what is missing.
    """
    need_folder(folder)
    if not (folder / ANSWERS_FILE).is_file():
        raise EmollamaError(f"{folder}: holds no {ANSWERS_FILE}; run: emollama bench CONFIG.yaml")


def need_artefact(folder: Path) -> None:
    """Raise an error if a folder is not an artefact of either kind.

    Raises:
        EmollamaError: naming it and what is missing.
    """
    if not folder.is_dir():
        raise EmollamaError(
            f"{folder}: is not a folder ({_instead_of_a_folder(folder)}); a model is the folder "
            "that 'emollama train' writes, e.g. runs/quickstart/model"
        )
    if _is_artefact(folder):
        return
    hint = f"; did you mean {folder / 'model'}?" if _is_artefact(folder / "model") else ""
    raise EmollamaError(
        f"{folder}: is not an artefact: it holds neither {PROCESSOR_FILE} nor {FUSION_FILE}{hint}"
    )


def need_pushable(folder: Path) -> None:
    """Raise an error if a folder is neither an artefact nor what `export --as llm` makes of one.

    Raises:
        EmollamaError: naming it and what is missing.
    """
    if not (folder / STREAMS_FOLDER / PROCESSOR_FILE).is_file():
        need_artefact(folder)


def need_calibration(folder: Path) -> None:
    """Raise an error if an artefact was not calibrated.

    Raises:
        EmollamaError: naming it and the command that calibrates it.
    """
    if not (folder / CALIBRATION_FILE).is_file():
        raise EmollamaError(
            f"{folder}: holds no {CALIBRATION_FILE}, which --coverage needs; make it with: "
            f"emollama calibrate {folder} --predictions FILE"
        )


def learned_to_describe(record: Mapping[str, Any]) -> bool:
    """Whether the model of a training record learned to list words of any vocabulary."""
    tasks = record.get("config", {}).get("tasks", {})
    section = tasks.get("describe") or tasks.get("words") or {}  # as it was called before
    return bool(section.get("share", 0) > 0)


def need_describing(folder: Path) -> None:
    """Raise an error unless an artefact learned to list words of any vocabulary.

    Raises:
        EmollamaError: naming it and what it was to be trained with.
    """
    record = read_json(folder / RECORD_FILE) if (folder / RECORD_FILE).is_file() else {}
    if not learned_to_describe(record):
        raise EmollamaError(
            f"{folder}: did not learn to describe: train a model with tasks.describe.share on "
            "clips with a set of words, or leave --describe out"
        )


def need_start(source: Path) -> None:
    """Raise an error if initial weights are not there.

    Raises:
        EmollamaError: naming them and what they may be.
    """
    if not source.is_dir() and not source.is_file():
        raise EmollamaError(
            f"model.initialise_from: {source}: is neither an artefact's folder nor a released "
            "checkpoint (.pth)"
        )


def need_prior(folder: Path) -> None:
    """Raise an error if an artefact does not measure people.

    Raises:
        EmollamaError: naming it and what it was to be trained with.
    """
    if not (folder / PRIOR_FILE).is_file():
        raise EmollamaError(
            f"{folder}: holds no {PRIOR_FILE}: enrolling a person needs a model trained with "
            "`standardise: person`"
        )


def no_file(path: Path) -> str:
    """What a path is that names no file: a folder, something else, or nothing."""
    if path.is_dir():
        return "is a folder"
    return "is no file, but a pipe or a device" if path.exists() else "does not exist"


def _instead_of_a_folder(path: Path) -> str:
    if path.is_file():
        return "it is a file"
    refuse_url(path)
    return "no such folder"


def _is_artefact(folder: Path) -> bool:
    return any((folder / name).is_file() for name in MARKS)


def need_clip(path: Path) -> None:
    """Raise an error if a media file does not exist.

    Raises:
        EmollamaError: naming it.
    """
    try:
        if path.is_file():
            return
        refuse_url(path)
        what = no_file(path)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise EmollamaError(f"{path}: is not a readable media file ({why})") from error
    raise EmollamaError(f"{path}: {what}; give a video, sound or picture file")
