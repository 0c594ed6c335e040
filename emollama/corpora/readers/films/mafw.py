"""MAFW (Liu et al. 2022): clips of films and programmes, eleven emotions, five official folds.

Read here are the clips of a single expression. The release names neither films nor actors. Labels
and folds are those of sunlicai/MAE-DFER (saved/data/mafw/single), read whole: 9,172 clips, of which
zengqunzhao/DFER-CLIP has 9,170, without two that lack faces. *Unverified*: clips of several
expressions and captions are not read, and neither the order of lines nor a header is known beyond
`preprocess/mafw.py` there.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from emollama.base.errors import EmollamaError
from emollama.base.files import read_text
from emollama.corpora.collection import Collection, first_that_exists, require_root
from emollama.corpora.media_files import first_with_media
from emollama.corpora.report import PrepareReport
from emollama.manifest.labels import get_label_set
from emollama.manifest.sample import Targets

COUNTS = {1: (7333, 1839), 2: (7335, 1837), 3: (7339, 1833), 4: (7340, 1832), 5: (7341, 1831)}
"""{fold: (training, test)}, 9,172 clips together."""
CLIPS = ("data/clips", "clips", "video", "data/frames", "data/faces", "frames", "faces", "data")
"""Places of the clips, the best first: films before frames, whole frames before faces."""
_FOLDERS = (
    "Train & Test Set/single/no_caption",
    "split/single/no_caption",
    "single/no_caption",
    "",
)


def prepare_mafw(
    root: Path, out: Path, *, fold: int = 1, media: Path | None = None, strict: bool = False
) -> PrepareReport:
    """Write a manifest of one of MAFW's official folds of single expressions.

    Args:
        root: folder with `Train & Test Set/single/no_caption/set_<fold>/train.txt` and `test.txt`.
        out: the manifest.
        fold: 1 to 5.
        media: folder that the clips lie in or below: films, or a folder of frames for each clip. By
            default the first of `CLIPS` below `root` that has some, else `root`.
        strict: counts other than the published ones are an error.

    Raises:
        EmollamaError: no such fold or no list of it, many odd lines (not `00025.mp4 anger`, an
            unknown label, a duplicate clip), or clips of training or of test alone.
    """
    if fold not in COUNTS:
        raise EmollamaError(f"fold {fold} does not exist; folds are 1 to 5")
    require_root(root, "MAFW", f"{_FOLDERS[0]}/set_1/train.txt, ...")
    collection = Collection("mafw", out, get_label_set("mafw"))
    lists = split_lists(root, _FOLDERS, f"set_{fold}/{{}}.txt")
    names = [Path(cells[0]).stem for lines in lists.values() for _, cells in lines]
    files = first_with_media(root, CLIPS, names, media, "MAFW")
    for split, lines in lists.items():
        with_media = collection.note_unless_any(files, split, "CLIPS (<name>.mp4)")
        for where, cells in lines:
            with collection.row(where):
                if len(cells) != 2:
                    raise EmollamaError(f"{where}: must hold a clip and its label: 00025.mp4 anger")
                name, native = Path(cells[0]).stem.zfill(5), cells[1]
                emotion = collection.labels.require(native, where)
                collection.count(name, split, emotion, where)
                targets = Targets(emotion=emotion, native=native)
                collection.add_film(name, split, files.get(name), with_media, targets=targets)
    if files:
        collection.notes.append(f"clips are read from {files.root}")
    train, test = COUNTS[fold]
    return collection.finish({"train": train, "test": test}, strict)


def split_lists(
    root: Path, folders: Sequence[str], file: str
) -> dict[str, list[tuple[str, list[str]]]]:
    """The lines of the lists of training and test, which lie in the first of `folders` that has it.

    Raises:
        EmollamaError: a list is in none of them.
    """
    lists = {}
    for split in ("train", "test"):
        name = file.format(split)
        table = first_that_exists(root, *(f"{folder}/{name}".lstrip("/") for folder in folders))
        if table is None:
            raise EmollamaError(f"{root}: has no {folders[0]}/{name}")
        lists[split] = list_lines(table)
    return lists


def list_lines(path: Path) -> list[tuple[str, list[str]]]:
    """("file:line", cells) of the lines of a list whose cells are separated by blanks."""
    return [
        (f"{path}:{number}", line.split())
        for number, line in enumerate(read_text(path).splitlines(), start=1)
        if line.strip()
    ]
