"""How a manifest spells the path of a media file, and which paths are no manifest."""

from __future__ import annotations

import os
from pathlib import Path

from emollama.base.errors import EmollamaError

_TABLES = frozenset({".csv", ".tsv", ".txt", ".xlsx", ".json", ".srt", ".vtt", ".eaf", ".textgrid"})


def path_in_manifest(media: Path, manifest: Path) -> str:
    """`media` relative to the manifest's folder; absolute where they share only the root.

    So a corpus and its manifest can be moved together.
    """
    # Folders are resolved, since ".." after a link does not lead back to where the link stands;
    # the file is not: what it links to may have another name, without its suffix.
    target = media.parent.resolve() / media.name
    folder = manifest.parent.resolve()
    if target.anchor != folder.anchor:
        return target.as_posix()
    if Path(os.path.commonpath([target, folder])) == Path(target.anchor):
        return target.as_posix()
    return Path(os.path.relpath(target, folder)).as_posix()


def need_manifest(path: Path) -> None:
    """Raise an error where a path is a folder, or by its suffix a table or a file of subtitles.

    Raises:
        EmollamaError: saying how a manifest is made of it.
    """
    made = f"--out {path.with_suffix('.jsonl')}"
    try:
        folder, table = path.is_dir(), path.suffix.lower() in _TABLES and path.is_file()
    except (OSError, ValueError):  # no name that a file can have; told where it is opened
        return
    if folder:
        raise EmollamaError(
            f"{path}: is a folder; a manifest of its clips is made by `emollama prepare folder "
            f"{path} {made}`"
        )
    if table:
        raise EmollamaError(
            f"{path}: is a table; make a manifest of it with `emollama prepare csv {path} {made}`"
        )
