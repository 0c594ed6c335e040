"""MER2023 (Lian et al. 2023) in its official release: folders of clips, CSV labels.

`nce_list` reads the lists that Emotion-LLaMA made of it. The three tests keep their names: test1 is
MER-MULTI, test2 MER-NOISE, test3 MER-SEMI.
"""

from __future__ import annotations

from pathlib import Path

from emollama.base.csv_rows import Row
from emollama.base.errors import EmollamaError
from emollama.corpora.collection import (
    Collection,
    Expected,
    first_that_exists,
    require_root,
)
from emollama.corpora.media_files import MediaFiles, media_below
from emollama.corpora.readers.nce_list import read_sentences
from emollama.corpora.report import PrepareReport
from emollama.manifest.labels import get_label_set
from emollama.manifest.sample import Targets

EXPECTED: Expected = {"train": 3373, "test1": 411, "test2": 412, "test3": 834}
NO_VALENCE = -10.0
"""Placeholder of a missing valence."""

VALENCES = (-5.0, 5.0)
WITHOUT_VALENCE = "test3"
"""The split published without valences."""


def prepare_mer2023(
    root: Path, out: Path, *, transcripts: Path | None = None, strict: bool = False
) -> PrepareReport:
    """Write a manifest of MER2023's labelled clips, in the splits train, test1, test2 and test3.

    The release names no speakers, so samples have no group. If a split's folder of clips is
    missing, its samples have no media, for use with features of other tools.

    Args:
        root: folder with `mer2023train/train-label.csv`, `test-labels/test1-label.csv` and the
            clips in `train`, `test1`, `test2`, `test3` beside them, or inside `mer2023train`.
        out: the manifest.
        transcripts: CSV with `name` and `sentence`, such as `transcription_en_all.csv`.
        strict: counts other than the published ones are an error.

    Raises:
        EmollamaError: no label file, a missing column, many odd rows (an unknown label, a valence
            outside -5 to 5, a duplicate id), or no usable sample of a split.
    """
    require_root(root, "MER2023", "mer2023train/train-label.csv, mer2023train/train/*.mp4, ...")
    collection = Collection("mer2023", out, get_label_set("mer2023"))
    sentences = read_sentences(transcripts) if transcripts else {}
    tables = 0
    for split in EXPECTED:
        file = f"{split}-label.csv"
        table = first_that_exists(
            root, f"mer2023train/{file}", file, f"test-labels/{file}",
            f"mer2023train/test-labels/{file}",
        )  # fmt: skip
        if table is None:
            collection.notes.append(f"no {file}: the split is left out")
            continue
        tables += 1
        clips = first_that_exists(root, f"mer2023train/{split}", split)
        _split(collection, table, clips, split, sentences)
    if not tables:
        raise EmollamaError(f"{root}: has no train-label.csv and no test-labels/test1-label.csv")
    silent = sum(1 for s in collection.samples if s.text is None)
    if silent:
        collection.notes.append(f"{silent} without a transcript")
    return collection.finish(EXPECTED, strict)


def _split(
    collection: Collection, table: Path, clips: Path | None, split: str, sentences: dict[str, str]
) -> None:
    files = media_below(clips) if clips else MediaFiles(table.parent)
    with_media = collection.note_unless_any(files, split, f"CLIPS ({split}/*.mp4 or .avi)")
    valued = split == WITHOUT_VALENCE
    for row in collection.table(table, ("name", "discrete"), ("valence",)):
        with collection.row(row.where):
            name = row.require("name")
            targets = label_and_valence(collection, row)
            collection.count(name, split, targets.emotion or "", row.where)
            valued = valued or "valence" in row.cells
            text = sentences.get(name)
            collection.add_film(
                name, split, files.get(name), with_media, text=text, targets=targets
            )
    if not valued:
        # Copies of the tests' labels go about that score emotions alone.
        said = collection.faults if split == "train" else collection.notes
        said.append(f"{table.name}: has no column 'valence'; samples are without it")


def label_and_valence(collection: Collection, row: Row) -> Targets:
    """Targets of a row with `discrete` and, where the table has it, `valence`.

    Raises:
        EmollamaError: an unknown label, or a valence outside -5 to 5.
    """
    native = row.require("discrete")
    emotion = collection.labels.require(native, f"{row.where}: column 'discrete'")
    valence = row.number("valence")
    low, high = VALENCES
    if valence is not None and valence != NO_VALENCE and not low <= valence <= high:
        raise EmollamaError(
            f"{row.where}: column 'valence': {valence:g} is neither from {low:g} to {high:g} nor "
            f"{NO_VALENCE:g} (missing)"
        )
    return Targets(
        emotion=emotion, native=native, valence=None if valence == NO_VALENCE else valence
    )
