"""CMU-MOSEI (Zadeh et al. 2018) and CMU-MOSI (Zadeh et al. 2016): monologues of reviewers.

Splits, sentiment (-3 to 3) and words come from what MMSA gives out, its `label.csv` or its pickle.
Clips are its `Raw/<video_id>/<clip_id>.mp4`, or the original videos with the positions of the raw
transcripts. The six emotions of MOSEI (0 to 3 each) come from the labels of the CMU Multimodal SDK,
a csd file, matched by the start of the utterance, which the transcripts tell.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from emollama.base.csv_rows import finite
from emollama.base.errors import EmollamaError, did_you_mean
from emollama.base.files import read_text
from emollama.base.plain_pickle import read_pickle
from emollama.corpora.collection import (
    Collection,
    Expected,
    first_that_exists,
    require_root,
)
from emollama.corpora.media_files import MediaFiles, media_below
from emollama.corpora.readers.opinions.mmsa_table import Labelled, labelled, rows_of
from emollama.corpora.readers.opinions.mosei_csd import NEAR, emotions_at, read_labels
from emollama.corpora.report import PrepareReport
from emollama.manifest.labels import get_label_set
from emollama.manifest.sample import Sample, Targets

EXPECTED: dict[str, Expected] = {
    "mosei": {"train": 16326, "val": 1871, "test": 4659},
    "mosi": {"train": 1284, "val": 229, "test": 686},
}
REACH = 3.0
SPLITS = {"train": "train", "valid": "val", "test": "test"}
PICKLES = (
    "unaligned_50.pkl", "aligned_50.pkl", "Processed/unaligned_50.pkl", "Processed/aligned_50.pkl",
)  # fmt: skip
_TRANSCRIPTS = "Raw/Transcript/Segmented/Combined"
_VIDEOS = "Raw/Videos/Full/Combined"


@dataclass(frozen=True)
class Segment:
    """An utterance of the raw transcripts: seconds in its video, and the words."""

    start: float
    end: float
    text: str


def prepare_mosei(
    root: Path,
    out: Path,
    *,
    corpus: str = "mosei",
    pickle: Path | None = None,
    strict: bool = False,
) -> PrepareReport:
    """Write a manifest of CMU-MOSEI or CMU-MOSI; the group of a sample is its video.

    Reading the pickle takes as much memory as its size.

    Args:
        root: folder with MMSA's `label.csv` or pickle, and its clips
            `Raw/<video_id>/<clip_id>.mp4` or the original `Raw/Videos/Full/Combined` with
            `Raw/Transcript/Segmented/Combined`; and `CMU_MOSEI_Labels.csd` for emotions.
        out: the manifest.
        corpus: "mosei" or "mosi".
        pickle: the pickle, if it is not in `root`; aligned or not, its features are not read.
        strict: counts other than the published ones are an error.

    Raises:
        EmollamaError: neither table nor pickle, a pickle that names code, a column or key that is
            missing or has another length, many odd rows (a sentiment outside -3 to 3, a duplicate
            id, a segment of no length), or no usable sample of a split.
    """
    if corpus not in EXPECTED:
        raise EmollamaError(f"corpus '{corpus}' is unknown{did_you_mean(corpus, EXPECTED)}")
    require_root(root, corpus.upper(), "label.csv or aligned_50.pkl, Raw/...")
    collection = Collection(corpus, out, get_label_set("mosei"))
    rows = _utterances(collection, root, pickle)
    segments = _segments(collection, root / _TRANSCRIPTS)
    videos = media_below(root / _VIDEOS) if segments else MediaFiles(root)
    clips = MediaFiles(root) if (root / _VIDEOS).is_dir() else media_below(root / "Raw")
    if not segments and not clips:
        collection.notes.append(f"NO {_TRANSCRIPTS}/*.txt: samples have no media and no emotions")
    labels = root / "CMU_MOSEI_Labels.csd"
    emotions = read_labels(labels) if corpus == "mosei" and labels.is_file() else {}
    if corpus == "mosei" and not emotions:
        collection.notes.append("no CMU_MOSEI_Labels.csd: sentiment only, no emotions")
    told: set[str] = set()
    for where, read in rows:
        with collection.row(where):
            clip = read()
            name, split = f"{clip.video}_{clip.clip}", clip.split or "(none)"
            if split not in told:
                collection.note_unless_any(videos or clips, split, f"VIDEOS ({_VIDEOS}/*.mp4)")
                told.add(split)
            collection.count(name, split, clip.annotation or "", where)
            segment = segments.get(name)
            if videos and segment is None:
                collection.rejected[name] = "not in the raw transcripts"
                continue
            file = videos.get(clip.video) if videos else clips.get(f"{clip.video}/{clip.clip}")
            if (videos or clips) and not collection.usable(name, split, file):
                continue
            # Clips are cut already: a span is one of the original video.
            placed = segment if videos or not clips else None
            found = emotions_at(emotions.get(clip.video), segment.start) if segment else None
            collection.samples.append(
                Sample(
                    id=name,
                    video=collection.path(file),
                    start=placed.start if placed else None,
                    end=placed.end if placed else None,
                    text=clip.text,
                    group=clip.video,
                    split=clip.split,
                    targets=Targets(
                        sentiment=clip.sentiment, native=clip.annotation, emotions=found
                    ),
                )
            )
    if emotions:
        without = sum(s.targets.emotions is None for s in collection.samples)
        collection.notes.append(f"{without} have no emotions within {NEAR:g} s of their start")
    return collection.finish(EXPECTED[corpus], strict)


def _utterances(
    collection: Collection, root: Path, pickle: Path | None
) -> list[tuple[str, Callable[[], Labelled]]]:
    """("file:line", what reads the row or says why it is odd) of the table, or of the pickle."""
    table = root / "label.csv"
    if pickle is None and table.is_file():
        return [(r.where, partial(labelled, r, REACH)) for r in rows_of(collection, table)]
    pickle = pickle or first_that_exists(root, *PICKLES)
    if pickle is None:
        raise EmollamaError(f"{root}: has none of label.csv, {', '.join(PICKLES)}")
    data = read_pickle(pickle)
    return [
        (row[0], partial(_labelled, *row, split))
        for part, split in SPLITS.items()
        for row in _rows(data, part, pickle)
    ]


def _labelled(
    where: str, spelled: str, text: str, sentiment: float, annotation: str | None, split: str
) -> Labelled:
    """A row of the pickle as one of the table."""
    video, _, clip = spelled.rpartition("$_$")
    if not video:
        raise EmollamaError(f"{where}: id '{spelled}' must have the form video$_$clip")
    if not -REACH <= sentiment <= REACH:
        raise EmollamaError(f"{where}: sentiment {sentiment:g} is not from -3 to 3")
    return Labelled(where, video, clip, text or None, sentiment, {}, annotation, split)


def _rows(data: Any, part: str, path: Path) -> list[tuple[str, str, str, float, str | None]]:
    """(where, id, text, sentiment, annotation) of each sample of a part of MMSA's pickle."""
    values = data.get(part) if isinstance(data, Mapping) else None
    if not isinstance(values, Mapping):
        raise EmollamaError(f"{path}: has no part '{part}'; MMSA's have train, valid and test")
    columns: dict[str, list[Any]] = {}
    for key in ("id", "raw_text", "regression_labels", "annotations"):
        if key == "annotations" and key not in values:
            continue
        columns[key] = _column(values.get(key), f"{path}: {part}: '{key}'")
        if len(columns[key]) != len(columns["id"]):
            raise EmollamaError(
                f"{path}: {part}: {len(columns[key])} of '{key}', {len(columns['id'])} of 'id'"
            )
    told = columns.get("annotations", [None] * len(columns["id"]))
    rows = []
    for i, name in enumerate(columns["id"]):
        where = f"{path}: {part}[{i}]"
        sentiment = finite(str(columns["regression_labels"][i]), f"{where}: regression_labels")
        note = None if told[i] is None else _text(told[i], f"{where}: annotations")
        text = _text(columns["raw_text"][i], f"{where}: raw_text")
        rows.append((where, _text(name, f"{where}: id"), text, sentiment, note))
    return rows


def _column(values: Any, where: str) -> list[Any]:
    """The values of a list, or of an array [n] or [n, 1]."""
    if isinstance(values, np.ndarray) and values.ndim and values.size == len(values):
        return list(np.ravel(values))
    if not isinstance(values, list | tuple):
        raise EmollamaError(f"{where} must be a list with one value per sample")
    return list(values)


def _text(value: Any, where: str) -> str:
    if not isinstance(value, str):
        raise EmollamaError(f"{where}: must be text, is {str(value)[:40]}")
    # Half of a surrogate pair cannot be written.
    return str(value).strip().encode("utf-8", "replace").decode("utf-8")


def _segments(collection: Collection, folder: Path) -> dict[str, Segment]:
    """{video_clip: segment} of `id___segment___start___end___text` lines."""
    found: dict[str, Segment] = {}
    first: dict[str, str] = {}
    for path in sorted(folder.glob("*.txt")):
        for number, line in enumerate(read_text(path).split("\n"), start=1):
            if not line.strip():
                continue
            where = f"{path}:{number}"
            with collection.row(where):
                # From the right of the id: names of videos may end in or hold underscores.
                name, *cells = line.strip().split("___", 4)
                if len(cells) != 4:
                    raise EmollamaError(f"{where}: must hold id___segment___start___end___text")
                start, end = (finite(cell, where) for cell in cells[1:3])
                if not 0 <= start < end:
                    raise EmollamaError(f"{where}: {start:g} to {end:g} s is not a valid span")
                segment = f"{name}_{cells[0]}"
                if segment in first:
                    raise EmollamaError(
                        f"{where}: segment '{segment}' is already at {first[segment]}"
                    )
                first[segment] = where
                found[segment] = Segment(start, end, cells[3].strip())
    return found
