"""EMER (Lian et al. 2023): MER2023 clips with the clues of an emotion described in sentences.

Version 1 describes 100 clips that are not neutral (`gt-eng.csv`, `gt-chi.csv`), version 2 describes
332 (`final-EMER-reason.csv`), also known as OV-MERD. Emotions are free words, so there is no class
label: `targets.native` keeps them as written, `targets.reason` is the description. Both versions
were read whole in zeroQiaoba/AffectGPT: the first calls its clips `names`, the second `name`.
"""

from __future__ import annotations

from pathlib import Path

from emollama.base.errors import EmollamaError, did_you_mean
from emollama.corpora.collection import (
    Collection,
    first_that_exists,
    require_root,
)
from emollama.corpora.media_files import MediaFiles, media_below
from emollama.corpora.readers.nce_list import flat
from emollama.corpora.report import PrepareReport
from emollama.manifest.labels import get_label_set
from emollama.manifest.sample import Targets

COUNTS = {1: 100, 2: 332}
FILES = {
    (1, "english"): ("gt-eng.csv", "reasons"),
    (1, "chinese"): ("gt-chi.csv", "reasons"),
    (2, "english"): ("final-EMER-reason.csv", "english"),
    (2, "chinese"): ("final-EMER-reason.csv", "chinese"),
}
"""{(version, language): (file, column of the description)}."""
NAMES = {1: "names", 2: "name"}
"""{version: column of the clip}."""


def prepare_emer(
    root: Path,
    out: Path,
    *,
    version: int = 1,
    language: str = "english",
    media: Path | None = None,
    strict: bool = False,
) -> PrepareReport:
    """Write a manifest of EMER; all of it is of split "test".

    Args:
        root: folder with the csv, or with `dataset-v1` or `dataset-v2` that holds it.
        out: the manifest.
        version: 1 or 2.
        language: "english" or "chinese", of the descriptions.
        media: folder of MER2023's clips; `root/video` when not given and there.
        strict: another number of clips than published is an error.

    Raises:
        EmollamaError: no such version, language or file, a missing column, or a duplicate clip.
    """
    if version not in COUNTS:
        raise EmollamaError(f"EMER has no version {version}; there are 1 and 2")
    if (version, language) not in FILES:
        known = ("english", "chinese")
        raise EmollamaError(f"language '{language}' is unknown{did_you_mean(language, known)}")
    file, column = FILES[version, language]
    require_root(root, "EMER", file)
    table = first_that_exists(root, file, f"dataset-v{version}/{file}")
    if table is None:
        raise EmollamaError(f"{root}: has no {file}")
    media = media or first_that_exists(root, "video")
    if media is not None and not media.is_dir():
        raise EmollamaError(f"{media}: is not a folder; give the folder of MER2023's clips")
    files = media_below(media) if media else MediaFiles(root)
    collection = Collection(f"emer-v{version}", out, get_label_set("merr"))
    with_media = collection.note_unless_any(files, "test", "CLIPS (video/*.mp4 or .avi)")
    names = NAMES[version]
    for row in collection.table(table, (names, column), ("emotions", "subtitles")):
        with collection.row(row.where):
            name = row.require(names)
            collection.count(name, "test", "", row.where)
            if row.get(column) is None:
                collection.rejected[name] = f"column '{column}' is empty"
                continue
            collection.add_film(
                name, "test", files.get(name), with_media, text=flat(row.get("subtitles")),
                targets=Targets(native=row.get("emotions"), reason=flat(row.get(column))),
            )  # fmt: skip
    return collection.finish({"test": COUNTS[version]}, strict)
