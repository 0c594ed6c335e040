"""Media files found by the end of the path that a list gives, whatever stands before it.

Lists name a file as it lay on their authors' disk (`downloads/mead/W019/audio/neutral/level_1/
020.m4a`). A user's copy keeps the last folders at best, and may have another format. A file fits if
it ends in as many of those folders as set it apart from every other file of the list.
"""

from __future__ import annotations

import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from emollama.corpora.collection import files_below

SOUND = (".wav", ".flac", ".mp3", ".m4a", ".ogg", ".opus", ".webm", ".aac", ".wma")
VIDEO = (".mp4", ".avi", ".mkv", ".mov", ".flv")
"""Suffixes in order of preference; .webm is taken for sound, which is what speech corpora use it
for."""

Parts = tuple[str, ...]


class MediaTails:
    """Files below a folder, found by the paths of a list.

    Args:
        root: folder with the media, anywhere below it.
        listed: every path of the list, whole: they tell how much of one sets it apart.
    """

    def __init__(self, root: Path, listed: Iterable[str]) -> None:
        self._by_name: defaultdict[str, list[tuple[Parts, Path]]] = defaultdict(list)
        for path in files_below(root, (*SOUND, *VIDEO)):
            parts = _parts(path.relative_to(root.parent).as_posix())
            self._by_name[parts[-1]].append((parts, path))
        ends = Counter(
            parts[-size:] for parts in map(_parts, set(listed)) for size in range(1, len(parts) + 1)
        )
        self._alone = {end for end, count in ends.items() if count == 1}

    def find(self, listed: str) -> tuple[Path | None, str]:
        """The file of a listed path and "", or None and why several fit; None and "" if none does.

        Of several that fit, the one that agrees in most folders is taken, and in the format listed;
        equal ones in different folders are not chosen from.
        """
        wanted = _parts(listed)
        least = next(
            (n for n in range(1, len(wanted) + 1) if wanted[-n:] in self._alone), len(wanted)
        )
        fitting = [
            (_shared(parts, wanted), path.suffix.lower() == PurePosixPath(listed).suffix, path)
            for parts, path in self._by_name[wanted[-1]]
            if _shared(parts, wanted) >= least
        ]
        if not fitting:
            return None, ""
        best = max((shared, same) for shared, same, _ in fitting)
        found = [path for *rank, path in fitting if tuple(rank) == best]
        if len(found) > 1:
            # The same recording in two formats: the first suffix; two folders: nobody knows.
            if len({path.parent for path in found}) > 1:
                return None, f"files in {found[0].parent} and {found[1].parent} fit equally"
            order = (*SOUND, *VIDEO)
            found.sort(key=lambda path: order.index(path.suffix.lower()))
        return found[0], ""


def _parts(path: str) -> Parts:
    """Folders and name without suffix, with composed accents: disks spell them in two ways."""
    *folders, name = unicodedata.normalize("NFC", path).split("/")
    suffix = PurePosixPath(name).suffix
    return (*folders, name[: -len(suffix)] if suffix.lower() in (*SOUND, *VIDEO) else name)


def _shared(one: Parts, other: Parts) -> int:
    """How many parts two paths have in common at their ends."""
    count = 0
    for mine, theirs in zip(reversed(one), reversed(other), strict=False):
        if mine != theirs:
            break
        count += 1
    return count
