"""EmoBox (Ma et al., Interspeech 2024): metadata of 32 speech corpora with folds, in one form.

`data/<corpus>/fold_<k>/<corpus>_{train,valid,test}_fold_<k>.jsonl` has a line a clip, keys `key`,
`dataset`, `wav`, `type`, `sample_rate`, `num_frame`, `length`, `task`, `emo`, `channel`, and for
recordings of many utterances `start_time` and `end_time`; `label_map.json` gives the word for each
`emo`. EmoBox has no sound: that is the corpus's own.

Real oddities (emo-box/EmoBox, commit 08280f279d47fb55d2c614061c70523d0a338d6b): EMO-DB's map has
`boredem` and `Neutral` where its lines say `boredem` and `neutral`; EMOVO's map is called
`label_dict.json`; MER2023's further tests have `audio` and `label` in place of `wav` and `emo`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emollama.base.errors import EmollamaError
from emollama.base.files import read_json, read_jsonl
from emollama.corpora.collection import Collection, require_root
from emollama.corpora.readers.speech.media_tails import VIDEO, MediaTails
from emollama.corpora.report import PrepareReport
from emollama.manifest.labels import label_set
from emollama.manifest.sample import Sample, Targets

SPLITS = {"train": "train", "valid": "val", "test": "test"}
"""Lists of a fold; further ones (MER2023's test1 to test3) are splits of their own names."""
CLIPS = {
    "aesdd": 604, "ased": 2474, "asvpesd": 13964, "cafe": 936, "casia": 1200, "cremad": 7442,
    "emns": 1181, "emodb": 535, "emovdb": 6887, "emovo": 588, "emozionalmente": 6902,
    "enterface": 1263, "esd": 35000, "iemocap": 5531, "jlcorpus": 2400, "m3ed": 24437,
    "mead": 31729, "meld": 13706, "mer2023": 5030, "mesd": 862, "msppodcast": 73042, "oreau": 434,
    "pavoque": 7334, "polish": 450, "ravdess": 1440, "resd": 1396, "savee": 480, "shemo": 2838,
    "subesco": 7000, "tess": 2800, "turevdb": 1735, "urdu": 400,
}  # fmt: skip
"""Clips of each corpus, by EmoBox's README."""
NO_EMOTION = ("no-agreement", "other", "unknown")
"""Words of label maps that name no emotion; such a clip has no label."""
ALL = "all clips"
MAPS = ("label_map.json", "label_dict.json")

_Row = tuple[str, str, dict[str, Any]]
"""Place, split and line of a clip."""


def prepare_emobox(
    root: Path,
    out: Path,
    *,
    fold: int = 1,
    media: Path | None = None,
    validation: int = 0,
    strict: bool = False,
) -> PrepareReport:
    """Write a manifest of one fold of a corpus.

    The label set has the corpus's name and the words of its label map that are used. Speakers are
    not in the metadata, and folds may cut them (EMO-DB's do), so samples have no group.

    Args:
        root: folder of the corpus in EmoBox, e.g. `data/emodb`.
        out: the manifest.
        fold: number of the fold, from 1.
        media: folder of the corpus's own files, anywhere below it, in any format; by default
            EmoBox's `downloads`.
        validation: every N-th training sample, in order of the list, goes to val; 0 for none. A
            corpus with an official validation list keeps that.
        strict: another number of clips than EmoBox states, or missing files, are errors.

    Raises:
        EmollamaError: no such fold, no media folder, a line without a key or a path, or no usable
            sample.
    """
    require_root(root, "one corpus in EmoBox", "fold_1/ and label_map.json, e.g. data/emodb")
    corpus, rows = _rows(root, fold)
    words = _words(root)
    folder = media or root.absolute().parent.parent / "downloads"
    if not folder.is_dir():
        raise EmollamaError(
            f"{folder}: is not a folder; name the folder of {corpus}'s own files with --media"
        )
    used = {words.of(_get(row, "emo", "label", where)) for where, _, row in rows}
    labels = label_set(corpus, *(w for w in words.known if w in used and w not in NO_EMOTION))
    collection = Collection(corpus, out, labels)
    files = MediaTails(folder, (_get(row, "wav", "audio", where) for where, _, row in rows))
    for where, split, row in _validated(rows, validation):
        key, native = _get(row, "key", "key", where), _get(row, "emo", "label", where)
        word = words.of(native)
        collection.count(key, ALL, word or native, where)
        if word is None:
            collection.rejected[key] = f"emo '{native}' is not in {words.path.name}"
            continue
        path, several = files.find(_get(row, "wav", "audio", where))
        if several:
            collection.rejected[key] = several
            continue
        if not collection.usable(key, ALL, path):
            continue
        assert path is not None
        shows = path.suffix.lower() in VIDEO
        collection.samples.append(
            Sample(
                id=key,
                video=collection.path(path) if shows else None,
                audio=None if shows else collection.path(path),
                start=_seconds(row, "start_time", where),
                end=_seconds(row, "end_time", where),
                split=split,
                targets=Targets(emotion=None if word in NO_EMOTION else word, native=native),
            )
        )
    collection.notes.append("the lists name no speakers; their folds may have one on both sides")
    return collection.finish({ALL: CLIPS[corpus]} if corpus in CLIPS else {}, strict)


@dataclass(frozen=True)
class _Words:
    """What each `emo` means, by `path`."""

    path: Path
    by_code: Mapping[str, str]

    @property
    def known(self) -> list[str]:
        """Every word once, in the map's order."""
        return list(dict.fromkeys(self.by_code.values()))

    def of(self, native: str) -> str | None:
        """The word, even where the lists spell the code with other capitals than the map."""
        others = {code.lower(): word for code, word in self.by_code.items()}
        return self.by_code.get(native) or others.get(native.lower())


def _rows(root: Path, fold: int) -> tuple[str, list[_Row]]:
    """The corpus's name, and the clips of a fold, each once: in the first list that has it."""
    name = re.compile(rf"(.+)_(train|valid|test\d*)_fold_{fold}\.jsonl")
    lists: dict[str, Path] = {}
    corpus = ""
    for path in sorted((root / f"fold_{fold}").glob("*.jsonl")):
        if found := name.fullmatch(path.name):
            corpus = found[1]
            lists[found[2]] = path
    if not {"train", "test"} <= lists.keys():
        folds = sorted(int(p.name[5:]) for p in root.glob("fold_*") if p.name[5:].isdecimal())
        told = "it has no folds; give the folder of one corpus, e.g. data/emodb"
        if folds:
            told = f"there are folds {', '.join(map(str, folds))}"
        raise EmollamaError(
            f"{root}: has no fold_{fold}/<corpus>_train_fold_{fold}.jsonl and "
            f"<corpus>_test_fold_{fold}.jsonl; {told}"
        )
    rows: list[_Row] = []
    seen: set[object] = set()
    for part in sorted(lists, key=lambda p: (p not in SPLITS, p)):
        own = set()
        for number, row in read_jsonl(lists[part]):
            # test1 of MER2023 is its test list again; a clip that one list has twice is a mistake.
            if row.get("key") not in seen:
                rows.append((f"{lists[part]}:{number}", SPLITS.get(part, part), row))
            own.add(row.get("key"))
        seen |= own
    return corpus, rows


def _words(root: Path) -> _Words:
    path = next((root / name for name in MAPS if (root / name).is_file()), None)
    if path is None:
        raise EmollamaError(f"{root}: has no {MAPS[0]}, which says what each `emo` means")
    found = read_json(path)
    if not isinstance(found, dict) or not all(isinstance(w, str) and w for w in found.values()):
        raise EmollamaError(f"{path}: must map each `emo` to a word")
    return _Words(path, {code: word.lower() for code, word in found.items()})


def _validated(rows: list[_Row], every: int) -> list[_Row]:
    """The rows, with every N-th of training in val where no list is for validation."""
    if not every or any(split == "val" for _, split, _ in rows):
        return rows
    train = [at for at, (_, split, _) in enumerate(rows) if split == "train"]
    held_out = set(train[every - 1 :: every])
    return [
        (where, "val" if at in held_out else split, row)
        for at, (where, split, row) in enumerate(rows)
    ]


def _get(row: Mapping[str, Any], name: str, former: str, where: str) -> str:
    """A text of a line, under its name or the one of older lists."""
    value = row.get(name, row.get(former))
    if not isinstance(value, str) or not value.strip():
        raise EmollamaError(f"{where}: has no '{name}'")
    return value


def _seconds(row: Mapping[str, Any], name: str, where: str) -> float | None:
    value = row.get(name)
    if value is not None and not isinstance(value, (int, float)):
        raise EmollamaError(f"{where}: '{name}' is {value!r}; it must be a number of seconds")
    return value
