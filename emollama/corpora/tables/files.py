"""The media file that a cell names, in the spellings of other machines and without its suffix."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from emollama.base.errors import EmollamaError
from emollama.corpora.collection import files_below
from emollama.manifest.paths import path_in_manifest
from emollama.media.suffixes import MEDIA, PICTURE, SOUND, VIDEO

_DRIVE = re.compile(r"[A-Za-z]:[\\/]")

ANY = (VIDEO, SOUND, PICTURE)
SEEN, HEARD = (VIDEO, PICTURE), (SOUND, VIDEO)
"""Kinds of suffixes that a column may name, the best first."""


class MediaFinder:
    """Finds media files below a folder, and spells them as a manifest does.

    A path is taken as it is written where there is such a file, or a folder of frames. Otherwise
    backslashes separate folders; a path of another machine (`C:\\data\\a.mp4`) is looked for by its
    last parts; a name without suffix, and in a folder that was named as root any name, is looked
    for in all folders below, whatever its case.

    Args:
        root: folder that relative paths start from.
        search: whether names with a suffix are looked for in the folders below as well.
        out: the manifest.

    Attributes:
        moved: {cell: file} of those that were found in another folder than written.
    """

    def __init__(self, root: Path, search: bool, out: Path) -> None:
        self.root = root
        self.moved: dict[str, Path] = {}
        self._search = search
        self._out = out
        self._below: dict[str, list[Path]] | None = None
        self._cells: dict[Path, str] = {}  # by file, the cell that was taken for it elsewhere
        self._folders: dict[Path, PurePosixPath] = {}

    def find(self, cell: str, where: str, kinds: Iterable[frozenset[str]]) -> Path:
        """The file; where there is none, the path where it was expected.

        Args:
            cell: as written.
            where: begins a message.
            kinds: of suffixes that are looked for, the best first.

        Raises:
            EmollamaError: several files have the name.
        """
        plain = self.root / cell
        if _is_clip(plain):
            return plain
        expected, parts = self._parts(cell)
        if expected != plain and _is_clip(expected):
            return self._taken(cell, expected, where)
        if Path(cell).is_absolute() or _DRIVE.match(cell) or cell.startswith("\\\\"):
            for i in range(len(parts)):
                path = self.root.joinpath(*parts[i:])
                if _is_clip(path):
                    return self._taken(cell, path, where)
        if parts and (self._search or Path(parts[-1]).suffix.lower() not in MEDIA):
            found = self._named(parts, cell, where, kinds)
            if found is not None:
                return self._taken(cell, found, where)
        return expected

    def in_manifest(self, path: Path) -> str:
        """The path as in the manifest; each folder is resolved once."""
        folder = self._folders.get(path.parent)
        if folder is None:
            spelled = PurePosixPath(path_in_manifest(path, self._out))
            folder = self._folders[path.parent] = spelled.parent
        return (folder / path.name).as_posix()

    def _parts(self, cell: str) -> tuple[Path, list[str]]:
        """The path with slashes, and its parts without drive or root."""
        if "\\" not in cell:
            path = Path(cell)
            return self.root / path, [p for p in path.parts if p not in (path.anchor, ".", "..")]
        plain = cell.replace("\\", "/")
        bare = plain[2:] if _DRIVE.match(cell) else plain
        parts = [p for p in PurePosixPath(bare).parts if p.strip("/") and p not in (".", "..")]
        foreign = bare.startswith("/")
        return self.root.joinpath(*parts) if foreign else self.root / plain, parts

    def _named(
        self, parts: list[str], cell: str, where: str, kinds: Iterable[frozenset[str]]
    ) -> Path | None:
        if self._below is None:
            self._below = {}
            for path in files_below(self.root, tuple(MEDIA)):
                for key in {path.name.casefold(), path.stem.casefold(), _number(path.stem)}:
                    if key:
                        self._below.setdefault(key, []).append(path)
        name = parts[-1].casefold()
        found = self._below.get(name) or self._below.get(_number(name), [])
        folders = [part.casefold() for part in parts[:-1]]
        if folders and not Path(cell).is_absolute() and not _DRIVE.match(cell):
            found = [
                path
                for path in found
                if [p.casefold() for p in path.parent.parts][-len(folders) :] == folders
            ]
        for kind in kinds:
            mine = [path for path in found if path.suffix.lower() in kind]
            if len(mine) > 1:
                raise EmollamaError(
                    f"{where}: '{cell}' may be {mine[0]} or {mine[1]}; write more of the path"
                )
            if mine:
                return mine[0]
        return None

    def _taken(self, cell: str, path: Path, where: str) -> Path:
        """The file, unless it stands for another cell already."""
        other = self._cells.setdefault(path, cell)
        if other != cell:
            raise EmollamaError(
                f"{where}: '{cell}' and '{other}' would both be {path}; name the folder of these "
                "files with --media-root"
            )
        if path.parent != self._parts(cell)[0].parent:
            self.moved[cell] = path
        return path


def _number(stem: str) -> str:
    """A name of digits without the zeros before it, which spreadsheets drop; "" for others."""
    return f"#{int(stem)}" if stem.isascii() and stem.isdecimal() else ""


def _is_clip(path: Path) -> bool:
    """Whether a path is a file, or a folder of frames."""
    try:
        if path.is_dir():
            return any(frame.suffix.lower() in PICTURE for frame in path.iterdir())
        return path.is_file()
    except (OSError, ValueError):  # a name longer than this file system allows, a zero byte
        return False
