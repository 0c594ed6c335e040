"""AVE (Tian et al. 2018): ten-second clips of 28 events that are both seen and heard.

It is not a corpus of emotions; events take the place of emotions. A clip with events of several
kinds becomes several samples with the clip as their group.
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
    files_by_stem,
    first_that_exists,
    require_root,
)
from emollama.corpora.report import PrepareReport
from emollama.manifest.labels import LabelSet
from emollama.manifest.sample import Sample, Targets

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
        EmollamaError: no split file, an invalid line, or no usable sample.
    """
    require_root(root, "AVE", "trainSet.txt, valSet.txt, testSet.txt, AVE/*.mp4")
    lines = {
        split: _lines(table)
        for split, file in FILES.items()
        if (table := first_that_exists(root, file)) is not None
    }
    categories = sorted({category for rows in lines.values() for _, category, *_ in rows})
    if not categories:
        raise EmollamaError(f"{root}: has no lines in trainSet.txt, valSet.txt or testSet.txt")
    collection = Collection("ave", out, LabelSet("ave", tuple(categories)))
    if len(categories) != EVENTS:
        collection.notes.append(f"{len(categories)} categories; the whole corpus has {EVENTS}")
    files = files_by_stem(root / "AVE", (".mp4",))
    seen: dict[str, str] = {}
    cut: set[str] = set()
    for split, rows in lines.items():
        with_media = collection.note_unless_any(files, split, "CLIPS (AVE/*.mp4)")
        for where, category, video, start, end in rows:
            # Ids name files of features: no spaces, commas or brackets of a category in them.
            word = re.sub(r"\W+", "-", category.lower()).strip("-")
            name = f"{video}_{word}_{start:g}-{end:g}"
            collection.count(name, split, category, where)
            if seen.setdefault(video, split) != split:
                cut.add(video)
            if with_media and not collection.usable(name, split, files.get(video)):
                continue
            collection.samples.append(
                Sample(
                    id=name,
                    video=collection.path(files.get(video)),
                    group=video,
                    split=split,
                    targets=Targets(emotion=category, native=category),
                    truth={"event": [start, end]},
                )
            )
    if cut:
        collection.faults.append(f"{len(cut)} clips are in several splits, e.g. '{min(cut)}'")
    several = len(collection.samples) - len({s.group for s in collection.samples})
    collection.notes.append(f"{several} samples are further events of a clip")
    return collection.finish(EXPECTED, strict)


def _lines(path: Path) -> list[tuple[str, str, str, float, float]]:
    """(where, category, video, start, end in seconds) of each line."""
    rows = []
    for number, line in enumerate(read_text(path).splitlines(), start=1):
        # The file of all annotations has a header, those of the splits have none.
        if not line.strip() or line.strip() == _COLUMNS:
            continue
        where = f"{path}:{number}"
        cells = [cell.strip() for cell in line.split("&")]
        if len(cells) != 5 or not cells[0] or not cells[1]:
            raise EmollamaError(f"{where}: must hold {_COLUMNS}, holds '{line.strip()[:80]}'")
        start, end = (finite(cell, where) for cell in cells[3:])
        if not 0 <= start < end:
            raise EmollamaError(f"{where}: {start:g} to {end:g} s is not a valid span")
        rows.append((where, cells[0], cells[1], start, end))
    return rows
