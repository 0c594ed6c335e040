"""UR-FUNNY, version 2 (Hasan et al. 2019): is the last sentence of an excerpt of a talk funny?

The release is a set of pickles: folds, labels and sentences by id. They are read without running
any code (see `plain_pickle`). The release names neither talks nor speakers, so samples have no
group and one talk may be on both sides of a fold.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from emollama.base.errors import EmollamaError
from emollama.base.plain_pickle import read_pickle
from emollama.corpora.collection import (
    Collection,
    Expected,
    first_that_exists,
    require_root,
)
from emollama.corpora.media_files import MediaFiles, media_below
from emollama.corpora.readers.nce_list import flat
from emollama.corpora.report import PrepareReport
from emollama.manifest.labels import get_label_set
from emollama.manifest.sample import Sample, Targets

FOLDS, LABELS, LANGUAGE = "data_folds.pkl", "humor_label_sdk.pkl", "language_sdk.pkl"
SPLITS = {"train": "train", "dev": "val", "test": "test"}
EMOTIONS = {0: "not funny", 1: "funny"}
_WHOLE = "all folds"
EXPECTED: Expected = {_WHOLE: {"funny": 5083, "not funny": 5083}}
"""For version 2; the size of each fold is not checked."""


def prepare_ur_funny(root: Path, out: Path, *, strict: bool = False) -> PrepareReport:
    """Write a manifest of UR-FUNNY in its official folds; the fold "dev" is called "val".

    `text` is the punchline; the sentences before it are kept in `truth.context`.

    Args:
        root: folder with `data_folds.pkl`, `humor_label_sdk.pkl` and `language_sdk.pkl`, or its
            parent folder; clips in `urfunny2_videos/<id>.mp4`.
        out: the manifest.
        strict: counts other than the published ones, or a missing clip, are errors.

    Raises:
        EmollamaError: a file is missing, cut off or names code, an id is duplicated or has no
            label, or a label is not 0 or 1.
    """
    require_root(root, "UR-FUNNY", f"{FOLDS}, {LABELS}, {LANGUAGE}, urfunny2_videos/1.mp4, ...")
    folder = root if (root / FOLDS).is_file() else next(_folders(root), root)
    for file in (FOLDS, LABELS, LANGUAGE):
        if not (folder / file).is_file():
            hint = "; version 1, which has no sentences, is not read" if file == LANGUAGE else ""
            raise EmollamaError(f"{folder}: has no {file}{hint}")
    labels = _by_id(folder / LABELS)
    language = _by_id(folder / LANGUAGE)
    videos = first_that_exists(root, "urfunny2_videos", "videos", "video")
    files = media_below(videos) if videos else MediaFiles(root)
    collection = Collection("ur-funny", out, get_label_set("ur-funny"))
    folds = read_pickle(folder / FOLDS)
    placed = 0
    for part, split in SPLITS.items():
        names = folds.get(part) if isinstance(folds, Mapping) else None
        if not isinstance(names, list | tuple | set | np.ndarray) or (
            isinstance(names, np.ndarray) and names.ndim != 1
        ):
            raise EmollamaError(f"{folder / FOLDS}: has no list '{part}'")
        with_media = collection.note_unless_any(files, split, "CLIPS (urfunny2_videos/*.mp4)")
        for i, key in enumerate(names):
            where, name = f"{folder / FOLDS}: {part}[{i}]", str(key)
            if name not in labels:
                raise EmollamaError(f"{where}: id '{name}' is not in {LABELS}")
            placed += 1
            native = _label(labels[name], f"{folder / LABELS}: '{name}'")
            collection.count(name, split, EMOTIONS[native], where)
            collection.tally(_WHOLE, EMOTIONS[native])
            if with_media and not collection.usable(name, split, files.get(name)):
                continue
            text, context = _sentences(language.get(name), f"{folder / LANGUAGE}: '{name}'")
            collection.samples.append(
                Sample(
                    id=name,
                    video=collection.path(files.get(name)),
                    text=text,
                    split=split,
                    targets=Targets(emotion=EMOTIONS[native], native=str(native)),
                    truth={"context": context} if context else {},
                )
            )
    if placed < len(labels):
        collection.notes.append(f"{len(labels) - placed} labelled ids are in no fold")
    return collection.finish(EXPECTED, strict)


def _folders(root: Path) -> Iterator[Path]:
    return (path.parent for path in sorted(root.glob(f"*/{FOLDS}")))


def _by_id(path: Path) -> dict[str, Any]:
    """A pickled {id: value}; ids are numbers in some copies and words in others."""
    values = read_pickle(path)
    if not isinstance(values, Mapping):
        raise EmollamaError(f"{path}: must hold a value for each id")
    found: dict[str, Any] = {}
    for key, value in values.items():
        if str(key) in found:
            raise EmollamaError(f"{path}: id '{key}' occurs twice, as a number and as text")
        found[str(key)] = value
    return found


def _label(value: Any, where: str) -> int:
    """0 or 1, which some copies wrap in a list or an array."""
    number = value
    while isinstance(number, list | tuple) and len(number) == 1:
        number = number[0]
    if isinstance(number, np.ndarray) and number.size == 1:
        number = number.item()
    if not isinstance(number, int | float | np.number | np.bool_) or number not in (0, 1):
        raise EmollamaError(f"{where}: label must be 0 or 1, is {str(value)[:40]}")
    return int(number)


def _sentences(value: Any, where: str) -> tuple[str | None, list[str]]:
    """The punchline and the sentences before it."""
    if value is None:
        return None, []
    if not isinstance(value, Mapping):
        raise EmollamaError(f"{where}: must hold 'punchline_sentence' and 'context_sentences'")
    context = _listed(value.get("context_sentences", ()))
    if not isinstance(context, list | tuple):
        raise EmollamaError(f"{where}: 'context_sentences' must be a list")
    told = (_sentence(sentence, f"{where}: 'context_sentences'") for sentence in context)
    punchline = _sentence(value.get("punchline_sentence"), f"{where}: 'punchline_sentence'")
    return punchline, [text for text in told if text]


def _sentence(value: Any, where: str) -> str | None:
    """A sentence, given as text or as a list of words."""
    words = _listed(value)
    words = words if isinstance(words, list | tuple) else [words]
    if not all(isinstance(word, str) for word in words):
        raise EmollamaError(f"{where}: must be text or a list of words, is {str(value)[:40]}")
    return flat(" ".join(words))


def _listed(value: Any) -> Any:
    """An array as a list, and None as an empty one."""
    return value.tolist() if isinstance(value, np.ndarray) else () if value is None else value
