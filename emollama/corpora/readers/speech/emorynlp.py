"""EmoryNLP as declare-lab released it with clips: scenes of Friends, seven emotions.

Tables: declare-lab/MELD, data/emorynlp, last changed in commit
39766f44562ef0cbd9472c99f5891f75355e02cf; how a row names its clip is said in utils/read_emorynlp.py
there. The clips themselves were not available: their folders are as that script and the README
name them, *unverified* against a real copy.
"""

from __future__ import annotations

import ast
from pathlib import Path

from emollama.base.csv_rows import Row, read_rows
from emollama.base.errors import EmollamaError
from emollama.corpora.collection import (
    Collection,
    Expected,
    files_by_stem,
    first_that_exists,
    require_root,
)
from emollama.corpora.report import PrepareReport
from emollama.manifest.labels import get_label_set
from emollama.manifest.sample import LONGEST_CONTEXT, Targets

COLUMNS = ("Utterance", "Speaker", "Emotion", "Scene_ID", "Utterance_ID", "Season", "Episode")
PLACE = ("Season", "Episode", "Scene_ID", "Utterance_ID")
EXPECTED: Expected = {
    "train": {"neutral": 2485, "joyful": 1677, "scared": 941, "mad": 785, "peaceful": 638,
              "powerful": 551, "sad": 474},
    "val": {"neutral": 322, "joyful": 205, "scared": 127, "mad": 97, "peaceful": 82,
            "powerful": 70, "sad": 51},
    "test": {"neutral": 288, "joyful": 217, "scared": 116, "peaceful": 111, "powerful": 96,
             "mad": 86, "sad": 70},
}  # fmt: skip
"""Rows of the released tables: 7,551, 954 and 984."""


def prepare_emorynlp(root: Path, out: Path, *, strict: bool = False) -> PrepareReport:
    """Write a manifest of EmoryNLP; the official dev split is called "val".

    An id is `sea<S>_ep<E>_sc<N>_utt<U>`, as the clip is named; the group is the scene, whose
    earlier utterances are the `context`. Where several speak at once, all stand in `speaker`. A
    split without a folder of clips has words only.

    Args:
        root: folder with `emorynlp_{train,dev,test}_final.csv`, and the clips in
            `emorynlp_{train,dev,test}_splits`.
        out: the manifest.
        strict: counts other than the published ones are an error.

    Raises:
        EmollamaError: no table, a missing column, an unknown label, a cell that is no number or no
            list of speakers, a duplicate id, or no usable sample.
    """
    require_root(root, "EmoryNLP", "emorynlp_train_final.csv, emorynlp_train_splits/, ...")
    collection = Collection("emorynlp", out, get_label_set("emorynlp"))
    tables = 0
    for part in ("train", "dev", "test"):
        table = first_that_exists(
            root, f"emorynlp_{part}_final.csv", f"data/emorynlp/emorynlp_{part}_final.csv"
        )
        if table is None:
            collection.notes.append(f"no emorynlp_{part}_final.csv: the split is left out")
            continue
        tables += 1
        clips = first_that_exists(root, f"emorynlp_{part}_splits", f"{part}_splits")
        _split(collection, table, clips, "val" if part == "dev" else part)
    if not tables:
        raise EmollamaError(
            f"{root}: has no emorynlp_train_final.csv, emorynlp_dev_final.csv or "
            "emorynlp_test_final.csv"
        )
    return collection.finish(EXPECTED, strict)


def _split(collection: Collection, table: Path, clips: Path | None, split: str) -> None:
    files = files_by_stem(clips, (".mp4",)) if clips else {}
    with_media = collection.note_unless_any(files, split, f"CLIPS ({table.parent.name}: *.mp4)")
    rows = sorted(
        read_rows(table, COLUMNS), key=lambda row: tuple(_number(row, column) for column in PLACE)
    )
    said: dict[str, list[str]] = {}
    for row in rows:
        season, episode, scene, utterance = (_number(row, column) for column in PLACE)
        group = f"sea{season}_ep{episode}_sc{scene}"
        name = f"{group}_utt{utterance}"
        native = row.require("Emotion")
        emotion = collection.labels.require(native, f"{row.where}: column 'Emotion'")
        collection.count(name, split, emotion, row.where)
        speaker, text = ", ".join(_speakers(row)), row.get("Utterance")
        before = said.setdefault(group, [])
        context = tuple(before[-LONGEST_CONTEXT:])
        if text:
            before.append(f"{speaker}: {text}" if speaker else text)
        collection.add_film(
            name, split, files.get(name), with_media,
            text=text, context=context, speaker=speaker or None, group=group,
            targets=Targets(emotion=emotion, native=native),
            truth={"season": str(season), "episode": str(episode)},
        )  # fmt: skip


def _number(row: Row, column: str) -> int:
    cell = row.require(column)
    if not cell.isdecimal():
        raise EmollamaError(f"{row.where}: column '{column}': '{cell}' is not a number")
    return int(cell)


def _speakers(row: Row) -> list[str]:
    """Who speaks, from a cell like "['Monica Geller', 'Phoebe Buffay']"."""
    cell = row.require("Speaker")
    try:
        found = ast.literal_eval(cell)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        found = None
    if not isinstance(found, list) or not all(isinstance(name, str) for name in found):
        raise EmollamaError(
            f"{row.where}: column 'Speaker': '{cell[:60]}' is not a list like ['Ross Geller']"
        )
    return found
