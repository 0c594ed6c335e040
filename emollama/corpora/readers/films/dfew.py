"""DFEW (Jiang et al. 2020): clips of films, seven emotions, five official folds.

Only single-labelled clips are used. The release names neither films nor actors, so scenes of one
film may be on both sides of a fold, and samples have no group.

Folds and labels are those of the lists in zengqunzhao/DFER-CLIP and sunlicai/MAE-DFER, read whole;
the places of clips are those that users of the release name.
"""

from __future__ import annotations

from pathlib import Path

from emollama.base.csv_rows import Row
from emollama.base.errors import EmollamaError
from emollama.corpora.collection import Collection, first_that_exists, require_root
from emollama.corpora.media_files import first_with_media
from emollama.corpora.report import PrepareReport
from emollama.manifest.labels import get_label_set
from emollama.manifest.sample import Targets

EMOTIONS = {
    "1": "happy", "2": "sad", "3": "neutral", "4": "angry", "5": "surprise", "6": "disgust",
    "7": "fear",
}  # fmt: skip
COUNTS = {1: (9356, 2341), 2: (9356, 2341), 3: (9357, 2340), 4: (9358, 2339), 5: (9361, 2336)}
"""{fold: (training, test)}, 11,697 clips together."""

CLIPS = (
    "Clip/original", "Clip/clip_original", "Clip/clip_224x224_avi", "Clip/clip_224x224",
    "Clip/clip_224x224_16f", "Clip", "original", "video", "clips",
)  # fmt: skip
"""Places of the clips, the best first: films with sound before faces, all frames before 16."""


def prepare_dfew(
    root: Path, out: Path, *, fold: int = 1, media: Path | None = None, strict: bool = False
) -> PrepareReport:
    """Write a manifest of one of DFEW's official folds.

    Args:
        root: folder with `EmoLabel_DataSplit/train(single-labeled)/set_<fold>.csv` and that of
            `test(single-labeled)`.
        out: the manifest.
        fold: 1 to 5.
        media: folder that the clips lie in or below: films, or a folder of face pictures for each
            clip. By default the first of `CLIPS` below `root` that has some, else `root`.
        strict: counts other than the published ones are an error.

    Raises:
        EmollamaError: no such fold or no CSV of it, many odd rows, or clips of training or of test
            alone.
    """
    if fold not in COUNTS:
        raise EmollamaError(f"fold {fold} does not exist; folds are 1 to 5")
    require_root(root, "DFEW", "EmoLabel_DataSplit/train(single-labeled)/set_1.csv, Clip/...")
    collection = Collection("dfew", out, get_label_set("dfew"))
    tables: dict[str, list[Row]] = {}
    for split in ("train", "test"):
        inner = f"{split}(single-labeled)/set_{fold}.csv"
        table = first_that_exists(root, f"EmoLabel_DataSplit/{inner}", inner)
        if table is None:
            raise EmollamaError(f"{root}: has no EmoLabel_DataSplit/{inner}")
        tables[split] = list(collection.table(table, ("video_name", "label")))
    names = [row.cells["video_name"] for rows in tables.values() for row in rows]
    files = first_with_media(root, CLIPS, names, media, "DFEW")
    for split, rows in tables.items():
        with_media = collection.note_unless_any(files, split, "CLIPS (<name>.mp4)")
        for row in rows:
            with collection.row(row.where):
                # Spreadsheets drop the zeros that clips are named with.
                name, native = row.require("video_name").zfill(5), row.require("label")
                if native == "0":
                    collection.see(name, row.where)
                    collection.rejected[name] = "label 0: not single-labelled"
                    continue
                if native not in EMOTIONS:
                    raise EmollamaError(f"{row.where}: column 'label': '{native}' is not 1 to 7")
                collection.count(name, split, EMOTIONS[native], row.where)
                targets = Targets(emotion=EMOTIONS[native], native=native)
                collection.add_film(name, split, files.get(name), with_media, targets=targets)
    if files:
        collection.notes.append(f"clips are read from {files.root}")
    collection.notes.append(
        f"official fold {fold}; films are not named, so one may be in training and test"
    )
    train, test = COUNTS[fold]
    return collection.finish({"train": train, "test": test}, strict)
