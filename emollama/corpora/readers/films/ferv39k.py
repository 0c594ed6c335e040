"""FERV39k (Wang et al. 2022): 38,935 clips in 22 kinds of scene, seven emotions, official split.

A clip is called `<scene>/<emotion>/<number>`; the release holds a folder of face pictures for each,
without sound. The release names neither films nor actors. Labels and split are those of
sunlicai/MAE-DFER (saved/data/ferv39k/all_scenes) and zengqunzhao/DFER-CLIP, read whole.
*Unverified*: the setups of single scenes are not read; the form of a line is known from
`preprocess/ferv39k.py` of MAE-DFER.
"""

from __future__ import annotations

from pathlib import Path

from emollama.base.errors import EmollamaError
from emollama.corpora.collection import Collection, Expected, require_root
from emollama.corpora.media_files import first_with_media
from emollama.corpora.readers.films.mafw import split_lists
from emollama.corpora.report import PrepareReport
from emollama.manifest.labels import get_label_set
from emollama.manifest.sample import Targets

EXPECTED: Expected = {
    "train": {"happy": 5854, "sad": 5523, "neutral": 7790, "angry": 5906, "surprise": 2502,
              "disgust": 1833, "fear": 1680},
    "test": {"happy": 1473, "sad": 1393, "neutral": 1958, "angry": 1487, "surprise": 638,
             "disgust": 467, "fear": 431},
}  # fmt: skip
CLIPS = ("2_ClipsforFaceCrop", "clips", "video")
"""Places of the clips, the best first."""
_FOLDERS = ("4_setups/All_scenes", "4_setups", "All_scenes", "")


def prepare_ferv39k(
    root: Path, out: Path, *, media: Path | None = None, strict: bool = False
) -> PrepareReport:
    """Write a manifest of FERV39k over all scenes; `truth.scene` is the scene.

    Args:
        root: folder with `4_setups/All_scenes/train_All.csv` and `test_All.csv`, and
            `2_ClipsforFaceCrop/<scene>/<emotion>/<number>/*.jpg`.
        out: the manifest.
        media: folder that the clips lie in or below; by default the first of `CLIPS` below `root`
            that has some, else `root`.
        strict: counts other than the published ones are an error.

    Raises:
        EmollamaError: no list, many odd lines (not `Action/Happy/0267 Happy`, an unknown label, a
            duplicate clip), or clips of training or of test alone.
    """
    require_root(root, "FERV39k", "4_setups/All_scenes/train_All.csv, 2_ClipsforFaceCrop/...")
    collection = Collection("ferv39k", out, get_label_set("ferv39k"))
    lists = split_lists(root, _FOLDERS, "{}_All.csv")
    names = [cells[0] for lines in lists.values() for _, cells in lines]
    files = first_with_media(root, CLIPS, names, media, "FERV39k")
    for split, lines in lists.items():
        with_media = collection.note_unless_any(files, split, "CLIPS (<scene>/<emotion>/<number>)")
        for where, cells in lines:
            with collection.row(where):
                if len(cells) != 2 or cells[0].count("/") != 2:
                    raise EmollamaError(
                        f"{where}: must hold a clip and its label: Action/Happy/0267 Happy"
                    )
                name, native = cells
                emotion = collection.labels.require(native, where)
                scene, folder, _ = name.split("/")
                if collection.labels.canonical(folder) != emotion:
                    raise EmollamaError(f"{where}: '{name}' lies in '{folder}', but is '{native}'")
                collection.count(name, split, emotion, where)
                targets, truth = Targets(emotion=emotion, native=native), {"scene": scene}
                collection.add_film(
                    name, split, files.get(name), with_media, targets=targets, truth=truth
                )
    if files:
        collection.notes.append(f"clips are read from {files.root}")
    return collection.finish(EXPECTED, strict)
