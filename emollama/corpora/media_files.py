"""Media of a corpus wherever they lie below its folder: files of any video suffix, frame folders.

Releases of one corpus differ in folders, suffixes and the zeros that names begin with, and many
hold no films but a folder of numbered pictures for each clip.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from emollama.base.errors import EmollamaError
from emollama.media.suffixes import PICTURE

VIDEOS = (
    ".mp4", ".avi", ".mkv", ".mov", ".webm", ".flv", ".m4v", ".mpg", ".mpeg", ".wmv", ".ts", ".gif",
)  # fmt: skip
"""Suffixes of films, the more usual first."""

Key = tuple[str | int, ...]


@dataclass(frozen=True)
class MediaFiles:
    """What lies below a folder, by the end of its path without suffix.

    Attributes:
        root: the folder.
        found: {last part of the path: files and frame folders of that name}, best first.
    """

    root: Path
    found: dict[str | int, list[tuple[Key, Key, Path]]] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.found)

    def paths(self) -> list[Path]:
        """All files and frame folders."""
        return [path for same in self.found.values() for *_, path in same]

    def get(self, name: str) -> Path | None:
        """The file or frame folder whose path ends in `name`, which may hold folders ("a/1").

        Names of digits are compared as numbers, since spreadsheets drop the zeros, unless there is
        one that is spelled the same.
        """
        parts = tuple(name.split("/"))
        numbers = tuple(_number(part) for part in parts)
        near = None
        for spelled, counted, path in self.found.get(numbers[-1], ()):
            if spelled[-len(parts) :] == parts:
                return path
            if near is None and counted[-len(parts) :] == numbers:
                near = path
        return near


def media_below(root: Path, suffixes: Sequence[str] = VIDEOS) -> MediaFiles:
    """Media anywhere below `root`; links are followed, none twice; empty where there is no folder.

    A folder that holds numbered pictures is one clip. Of several of one name, films come before
    frame folders, in the order of `suffixes`, and then by path.
    """
    media: list[tuple[int, Path]] = []
    for folder, folders, names in folders_below(root):
        frames = any(_is_frame(name) for name in names)
        for name in names:
            suffix = _split(name)[1]
            if suffix in suffixes:
                media.append((suffixes.index(suffix), Path(folder, name)))
                frames = False
        if frames and Path(folder) != root:
            media.append((len(suffixes), Path(folder)))
            folders.clear()
    found = MediaFiles(root)
    for rank, path in sorted(media):
        parts = path.relative_to(root).parts
        last = path.stem if rank < len(suffixes) else path.name
        spelled = (*parts[:-1], last)
        counted = tuple(_number(part) for part in spelled)
        found.found.setdefault(counted[-1], []).append((spelled, counted, path))
    return found


def folders_below(root: Path) -> Iterator[tuple[str, list[str], list[str]]]:
    """(folder, its folders, its files) of `root` and all below it, without hidden ones.

    Links are followed, no folder is entered twice. Clearing the list of folders stops there.
    """
    visited: set[str] = set()
    for folder, folders, names in os.walk(root, followlinks=True):
        # A link may lead back to a folder above it.
        real = os.path.realpath(folder)
        if real in visited:
            folders.clear()
            continue
        visited.add(real)
        # Archives made on macOS bring a folder of their own along.
        folders[:] = sorted(f for f in folders if not f.startswith(".") and f != "__MACOSX")
        yield folder, folders, [name for name in names if not name.startswith(".")]


def first_with_media(
    root: Path, places: Iterable[str], names: Sequence[str], media: Path | None, corpus: str
) -> MediaFiles:
    """Media of the first of `places` below `root` that has one of `names`, else all below `root`.

    Args:
        root: folder of the corpus.
        places: folders below it, the best first.
        names: clips of the annotations.
        media: the folder that the user names instead, if any.
        corpus: its name, for the error.

    Raises:
        EmollamaError: `media` is not a folder, or has none of the clips.
    """
    if media is not None:
        if not media.is_dir():
            raise EmollamaError(f"{media}: is not a folder; give the folder of {corpus}'s clips")
        found = media_below(media)
        if not any(found.get(name) for name in names):
            shown = f", e.g. '{names[0]}'" if names else ""
            raise EmollamaError(f"{media}: holds no clip of {corpus}'s annotations{shown}")
        return found
    for folder in (*(root / place for place in places if (root / place).is_dir()), root):
        found = media_below(folder)
        if any(found.get(name) for name in names):
            return found
    return MediaFiles(root)


def _is_frame(name: str) -> bool:
    stem, suffix = _split(name)
    return suffix in PICTURE and stem[-1:].isdecimal()


def _split(name: str) -> tuple[str, str]:
    """Stem and suffix in small letters; releases of frames have a million names."""
    stem, dot, suffix = name.rpartition(".")
    return (stem, dot + suffix.lower()) if stem else (name, "")


def _number(part: str) -> str | int:
    return int(part) if part.isdecimal() and len(part) < 20 else part
