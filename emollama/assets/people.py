"""The model that ships: trained on acted voices, in a clone or copied to the cache.

It lies in `models/people` of a clone, never in the wheel: its licence is not that of the code.
`SHA256SUMS` beside it names every file of the two artefacts, the code pins `SHA256SUMS`, and both
are checked when one is opened.
"""

from __future__ import annotations

import sys
from pathlib import Path

from emollama.assets.home import asset_home
from emollama.assets.hub import artefact_folder
from emollama.base.errors import EmollamaError
from emollama.base.paths import need_artefact

NAME = "people"
IN_CLONE, IN_CACHE = "models/people", "people-model"
CLONE = Path(__file__).parents[2]
"""The root of a clone; of a wheel, the folder it is installed in."""
LANGUAGE_MODEL, FUSION_MODEL = "llm", "fusion"
"""The folders of the two artefacts."""
SUMS = "SHA256SUMS"
PIN = Path(__file__).with_name("people.txt")
"""The SHA-256 of SHA256SUMS."""
LICENCE = "CC BY-NC-SA 4.0"
ABOUT = "The model that ships: acted voices of real people, a language model and a fusion model"
NOTICE = (
    f"no --model: using {IN_CLONE}, trained on acted voices of RAVDESS, EMO-DB and Java-SED; "
    f"{LICENCE}, not for commercial use"
)
_BYTES = 64
"""Length of a SHA-256 in hexadecimal."""


def model_or_shipped(model: Path | None) -> Path:
    """The artefact that a user names, or the shipped language model, which is said on stderr.

    Raises:
        EmollamaError: the folder is not an artefact; or see `shipped_model`.
    """
    if model is not None:
        model = artefact_folder(model)
        if (model.resolve().parent / SUMS).is_file():
            check_sums(model.resolve().parent)
        return model
    folder = shipped_model()
    print(NOTICE, file=sys.stderr, flush=True)
    return folder


def shipped_model(kind: str = LANGUAGE_MODEL) -> Path:
    """The folder of a shipped artefact, of the kind "llm" or "fusion"; its files are checked.

    Raises:
        EmollamaError: it is not here (where to get it, under which terms), or a file was changed.
    """
    folder = people_folder()
    if folder is None:
        raise EmollamaError(
            f"name a model with --model: the one that ships is not here; it is the folder "
            f"{IN_CLONE} of {_repository()}, to be copied to {asset_home() / IN_CACHE} "
            f"({LICENCE}: not for commercial use)"
        )
    check_pin(folder)
    check_sums(folder)
    need_artefact(folder / kind)
    return folder / kind


def people_folder() -> Path | None:
    """Where the model that ships is: in the clone, else in the cache; None if in neither."""
    places = (CLONE / IN_CLONE, asset_home() / IN_CACHE)
    return next((place for place in places if (place / SUMS).is_file()), None)


def shipped_name(folder: Path) -> str | None:
    """What a shipped artefact is called, "people" or "people-fusion"; None of another folder."""
    if not (folder.parent / SUMS).is_file():
        return None
    return NAME if folder.name == LANGUAGE_MODEL else f"{NAME}-{folder.name}"


def check_pin(folder: Path) -> None:
    """Raise an error unless a folder is the one that this version of the code came with."""
    from emollama.base.files import file_sha256, read_text

    if file_sha256(folder / SUMS) != read_text(PIN).strip():
        raise EmollamaError(
            f"{folder / SUMS}: is not that of this version of emollama; restore the folder from "
            "the same version, or name a model of your own with --model"
        )


def check_sums(folder: Path) -> None:
    """Compare the artefacts in a folder with its SHA256SUMS.

    Raises:
        EmollamaError: naming the first file that is missing, was changed or is not listed.
    """
    from emollama.base.files import file_sha256, read_text

    sums = folder / SUMS
    pinned: dict[str, str] = {}
    for line in read_text(sums).splitlines():
        digest, _, name = line.partition("  ")
        if len(digest) != _BYTES or not name:
            raise EmollamaError(f"{sums}: '{line[:40]}' is not a line of sha256sum")
        pinned[name] = digest
    here = {path.relative_to(folder).as_posix(): path for path in _files(folder)}
    for name, digest in pinned.items():
        if name not in here:
            raise EmollamaError(f"{folder / name}: is missing; {sums} lists it")
        if file_sha256(here[name]) != digest:
            raise EmollamaError(
                f"{folder / name}: is not the file that {SUMS} pins; restore it, e.g. with "
                "'git checkout'; a model of your own is named with --model"
            )
    extra = sorted(here.keys() - pinned.keys())
    if extra:
        raise EmollamaError(f"{folder / extra[0]}: is not listed in {sums}; remove it")


def write_sums(folder: Path) -> Path:
    """Write SHA256SUMS of the artefacts in a folder, in the layout of `sha256sum`; its path."""
    from emollama.base.files import file_sha256, write_text

    lines = [
        f"{file_sha256(path)}  {path.relative_to(folder).as_posix()}\n" for path in _files(folder)
    ]
    write_text(folder / SUMS, "".join(lines))
    return folder / SUMS


def pin(folder: Path) -> None:
    """Make a folder the one that this version of the code comes with."""
    from emollama.base.files import file_sha256, write_text

    write_text(PIN, file_sha256(folder / SUMS) + "\n")


def _files(folder: Path) -> list[Path]:
    """What is pinned: the two artefacts, without files that a system hides."""
    below = (path for kind in (LANGUAGE_MODEL, FUSION_MODEL) for path in (folder / kind).rglob("*"))
    return sorted(path for path in below if path.is_file() and not path.name.startswith("."))


def _repository() -> str:
    """How to get the repository, from the package's own metadata."""
    from importlib.metadata import PackageNotFoundError, metadata

    try:
        urls = metadata("emollama").get_all("Project-URL") or []
    except PackageNotFoundError:
        urls = []
    for entry in urls:
        label, _, url = entry.partition(", ")
        if label.lower() == "repository":
            return f"emollama's repository (git clone {url})"
    return "a clone of emollama's repository"
