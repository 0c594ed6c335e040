"""AVE (Tian et al. 2018): ten-second clips of 28 events that are both seen and heard.

It is not a corpus of emotions; events take the place of emotions. A clip with events of several
kinds becomes several samples with the clip as their group. Of the 4,143 published rows, which the
counts of the splits include, one has an event of no length (a church bell from 0 to 0 s); it is
left out as odd.
"""

from __future__ import annotations

import re
from pathlib import Path

from emollama.base.csv_rows import finite
from emollama.base.errors import EmollamaError
from emollama.base.files import read_text
from emollama.corpora.collection import (
    Collection,
    Expected,
    first_that_exists,
    require_root,
)
from emollama.corpora.media_files import media_below
from emollama.corpora.report import PrepareReport
from emollama.manifest.labels import LabelSet
from emollama.manifest.sample import Targets

FILES = {"train": "trainSet.txt", "val": "valSet.txt", "test": "testSet.txt"}
EXPECTED: Expected = {"train": 3339, "val": 402, "test": 402}
EVENTS = 28
_COLUMNS = "Category&VideoID&Quality&StartTime&EndTime"


def prepare_ave(root: Path, out: Path, *, strict: bool = False) -> PrepareReport:
    """Write a manifest of AVE in its official splits; `truth.event` is the event's span in seconds.

    The label set consists of the categories in the files, sorted.

    Args:
        root: `AVE_Dataset`, with `trainSet.txt`, `valSet.txt`, `testSet.txt` and `AVE/<id>.mp4`.
        out: the manifest.
        strict: counts other than the published ones, or a clip in several splits, are errors.

    Raises:
        EmollamaError: no split file, many odd lines, or no usable sample of a split.
    """
    require_root(root, "AVE", "trainSet.txt, valSet.txt, testSet.txt, AVE/*.mp4")
    lines = {
        split: _lines(table)
        for split, file in FILES.items()
        if (table := first_that_exists(root, file)) is not None
    }
    categories = sorted({cells[0] for rows in lines.values() for _, cells in rows if cells[0]})
    if not categories:
        raise EmollamaError(f"{root}: has no lines in trainSet.txt, valSet.txt or testSet.txt")
    collection = Collection("ave", out, LabelSet("ave", tuple(categories)))
    if len(categories) != EVENTS:
        collection.notes.append(f"{len(categories)} categories; the whole corpus has {EVENTS}")
    files = media_below(root / "AVE")
    seen: dict[str, str] = {}
    cut: set[str] = set()
    for split, rows in lines.items():
        with_media = collection.note_unless_any(files, split, "CLIPS (AVE/*.mp4)")
        for where, cells in rows:
            with collection.row(where):
                category, video, start, end = _event(cells, where)
                # Ids name files of features: no spaces, commas or brackets of a category in them.
                word = re.sub(r"\W+", "-", category.lower()).strip("-")
                name = f"{video}_{word}_{start:g}-{end:g}"
                collection.count(name, split, category, where)
                if not 0 <= start < end:
                    raise EmollamaError(f"{where}: {start:g} to {end:g} s is not a valid span")
                if seen.setdefault(video, split) != split:
                    cut.add(video)
                collection.add_film(
                    name, split, files.get(video), with_media, group=video,
                    targets=Targets(emotion=category, native=category),
                    truth={"event": [start, end]},
                )  # fmt: skip
    if cut:
        collection.faults.append(f"{len(cut)} clips are in several splits, e.g. '{min(cut)}'")
    several = len(collection.samples) - len({s.group for s in collection.samples})
    collection.notes.append(f"{several} samples are further events of a clip")
    return collection.finish(EXPECTED, strict)


def _lines(path: Path) -> list[tuple[str, list[str]]]:
    """("file:line", cells) of each line."""
    # The file of all annotations has a header, those of the splits have none.
    return [
        (f"{path}:{number}", [cell.strip() for cell in line.split("&")])
        for number, line in enumerate(read_text(path).splitlines(), start=1)
        if line.strip() and line.strip() != _COLUMNS
    ]


def _event(cells: list[str], where: str) -> tuple[str, str, float, float]:
    """Category, clip, start and end in seconds of a line."""
    if len(cells) != 5 or not cells[0] or not cells[1]:
        raise EmollamaError(f"{where}: must hold {_COLUMNS}, holds '{'&'.join(cells)[:80]}'")
    start, end = (finite(cell, where) for cell in cells[3:])
    return cells[0], cells[1], start, end
