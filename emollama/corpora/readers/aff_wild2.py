"""Aff-Wild2, valence and arousal of every frame (Kollias and Zafeiriou 2019; ABAW challenges).

The official annotations are text files: a header, then `valence,arousal` per frame, each from -1 to
1, or -5 for a frame without annotation. A manifest names the official file in `targets.frames`; the
frames are those of the video, at its own rate.
"""

from __future__ import annotations

import math
import re
from pathlib import Path

import numpy as np

from emollama.base.csv_rows import finite
from emollama.base.errors import EmollamaError
from emollama.base.files import read_text
from emollama.corpora.collection import (
    Collection,
    first_that_exists,
    require_root,
)
from emollama.corpora.media_files import media_below
from emollama.corpora.report import PrepareReport
from emollama.manifest.labels import get_label_set
from emollama.manifest.sample import Sample, Targets

NOT_ANNOTATED = -5.0
FOLDERS = {"train": "Train_Set", "val": "Validation_Set"}
VIDEOS = ("batch1", "batch2", "new_vids", "videos", "video")
_PERSON = re.compile(r"(?P<video>.+)_(?P<side>left|right)")


def prepare_aff_wild2(root: Path, out: Path, *, strict: bool = False) -> PrepareReport:
    """Write a manifest of Aff-Wild2's valence and arousal; the tests have no public annotations.

    A name that ends in `_left` or `_right` is one of two persons in a video; `truth.side` says so.
    The group is the video. The number of files depends on the year of the challenge, so counts are
    not checked.

    Args:
        root: folder with `VA_Estimation_Challenge/Train_Set/*.txt`, `.../Validation_Set/*.txt` and
            the videos in `batch1` and `batch2`.
        out: the manifest.
        strict: a video that is missing is an error.

    Raises:
        EmollamaError: no such folder, a line that is not a pair of numbers from -1 to 1.
    """
    require_root(root, "Aff-Wild2", "VA_Estimation_Challenge/Train_Set/*.txt, batch1/*.mp4, ...")
    files: dict[str, Path] = {}
    for place in VIDEOS:
        files = {**{path.stem: path for path in media_below(root / place).paths()}, **files}
    collection = Collection("aff-wild2", out, get_label_set("mosei"))
    for split, part in FOLDERS.items():
        folder = first_that_exists(
            root, f"VA_Estimation_Challenge/{part}", f"annotations/VA_Estimation_Challenge/{part}",
            f"annotations/VA_Set/{part}", part,
        )  # fmt: skip
        texts = sorted(p for p in folder.glob("*.txt") if p.name[0] != ".") if folder else []
        if not texts:
            collection.notes.append(f"no {part}/*.txt: the split is left out")
            continue
        with_media = collection.note_unless_any(files, split, "VIDEOS (batch1, batch2)")
        for text in texts:
            _annotation(collection, text, split, files, with_media)
    if not collection.samples and not collection.rejected:
        raise EmollamaError(f"{root}: has no VA_Estimation_Challenge/Train_Set/*.txt")
    return collection.finish({}, strict)


def _annotation(
    collection: Collection, text: Path, split: str, files: dict[str, Path], with_media: bool
) -> None:
    name = text.stem
    person = _PERSON.fullmatch(name)
    # Some videos are themselves called so.
    base = person["video"] if person and name not in files else name
    collection.count(name, split, "", str(text))
    if with_media and not collection.usable(name, split, files.get(base)):
        return
    valences, arousals = read_frames(text)
    if not valences:
        collection.rejected[name] = "no frame is annotated"
        return
    collection.samples.append(
        Sample(
            id=name,
            video=collection.path(files.get(base)),
            group=base,
            split=split,
            targets=Targets(
                frames=collection.path(text),
                valence=round(math.fsum(valences) / len(valences), 6),
                arousal=round(math.fsum(arousals) / len(arousals), 6),
            ),
            truth={"side": person["side"]} if person and base != name else {},
        )
    )


def read_frames(path: Path) -> tuple[list[float], list[float]]:
    """Valence and arousal of the annotated frames, from -1 to 1; see `read_frame_rows`."""
    rows = read_frame_rows(path)
    known = rows[~np.isnan(rows).any(axis=1)]
    return known[:, 0].tolist(), known[:, 1].tolist()


def read_frame_rows(path: Path) -> np.ndarray:
    """Valence and arousal of every frame, float64 [L, 2] from -1 to 1; NaN where not annotated.

    Raises:
        EmollamaError: another header, or a line that is not a pair of such numbers.
    """
    header, *lines = read_text(path).rstrip().split("\n")
    if [cell.strip().lower() for cell in header.split(",")] != ["valence", "arousal"]:
        raise EmollamaError(f"{path}:1: must be 'valence,arousal', is '{header.strip()[:50]}'")
    rows = np.full((len(lines), 2), np.nan)
    for number, line in enumerate(lines, start=2):
        where = f"{path}:{number}"
        cells = line.split(",")
        if len(cells) != 2:
            raise EmollamaError(f"{where}: must hold valence,arousal, holds '{line.strip()[:50]}'")
        valence, arousal = (finite(cell.strip(), where) for cell in cells)
        if NOT_ANNOTATED in (valence, arousal):
            continue
        if not (-1 <= valence <= 1 and -1 <= arousal <= 1):
            raise EmollamaError(f"{where}: {valence:g},{arousal:g} is neither from -1 to 1 nor -5")
        rows[number - 2] = valence, arousal
    return rows
