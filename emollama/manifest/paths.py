"""How a manifest spells the path of a media file."""

from __future__ import annotations

import os
from pathlib import Path


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
