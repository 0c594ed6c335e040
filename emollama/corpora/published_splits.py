"""Random splits used in papers, by name, from the lists that their authors publish.

The lists belong to their authors and are read from the user's copy; this module knows the names of
the files, how a line names a sample and the number of lines. Those of AMST are in
`code/data/<corpus>` of its repository (CXianRen/AMST), or made by the script there.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from emollama.base.errors import EmollamaError, did_you_mean
from emollama.base.files import read_text
from emollama.corpora.listed_splits import ORDER, place


@dataclass(frozen=True)
class PublishedSplit:
    """Lists of a published split.

    Attributes:
        corpora: names, as in manifests, of the corpora that it splits.
        files: {split: name of its list}.
        line: pattern of the start of a line; its group is the sample's id.
        counts: {split: number of lines}.
    """

    corpora: tuple[str, ...]
    files: Mapping[str, str]
    line: re.Pattern[str]
    counts: Mapping[str, int]


def _lists(train: str, val: str, test: str) -> dict[str, str]:
    return {"train": train, "val": val, "test": test}


PUBLISHED_SPLITS: dict[str, PublishedSplit] = {
    "amst-crema-d": PublishedSplit(
        ("crema-d",),
        _lists("80_train_cre.txt", "10_val_cre.txt", "10_test_cre.txt"),
        re.compile(r"(\S+)\.flv\s"),
        {"train": 5962, "val": 742, "test": 742},
    ),
    "amst-iemocap": PublishedSplit(
        ("iemocap",),
        _lists("iemocap_train.txt", "iemocap_valid.txt", "iemocap_test.txt"),
        re.compile(r"([^,\s]+)\s*,"),
        {"train": 5426, "val": 683, "test": 676},
    ),
    "amst-mvsa": PublishedSplit(
        ("mvsa",),
        _lists("my_train_mvsa.txt", "my_val_mvsa.txt", "my_test_mvsa.txt"),
        re.compile(r"(\S+)\.jpg\s"),
        {"train": 3552, "val": 478, "test": 481},
    ),
    "amst-ur-funny": PublishedSplit(
        ("ur-funny",),
        _lists("ur_funny_train.txt", "ur_funny_valid.txt", "ur_funny_test.txt"),
        re.compile(r"([^,\s]+)\s*,"),
        {"train": 8132, "val": 1016, "test": 1018},
    ),
}


def published_split(
    name: str, lists: Path, corpus: str, ids: Collection[str]
) -> tuple[dict[str, str | None], list[str]]:
    """The published split `name` of a manifest's samples, and remarks for the report.

    What is in several lists or in none, `place` decides.

    Args:
        name: one of `PUBLISHED_SPLITS`.
        lists: folder of its lists.
        corpus: the manifest's corpus.
        ids: those of the manifest.

    Raises:
        EmollamaError: an unknown name, another corpus, a list that is missing or has another number
            of lines than published, a line that names no sample, or no sample in a list.
    """
    if name not in PUBLISHED_SPLITS:
        raise EmollamaError(f"split '{name}' is unknown{did_you_mean(name, PUBLISHED_SPLITS)}")
    published = PUBLISHED_SPLITS[name]
    if corpus not in published.corpora:
        raise EmollamaError(
            f"'{name}' splits {', '.join(published.corpora)}, but the manifest is corpus '{corpus}'"
        )
    lists_read: dict[str, list[str]] = {}
    for part in ORDER:
        listed = _read(lists / published.files[part], published.line)
        if len(listed) != published.counts[part]:
            raise EmollamaError(
                f"{lists / published.files[part]}: has {len(listed)} lines, but "
                f"'{name}' was published with {published.counts[part]}"
            )
        lists_read[part] = listed
    split, notes = place(ids, lists_read)
    if not any(split.values()):
        foreign = next(sample for part in ORDER for sample in lists_read[part])
        raise EmollamaError(f"{lists}: none of its ids is in the manifest, e.g. '{foreign}'")
    return split, notes


def _read(path: Path, line: re.Pattern[str]) -> list[str]:
    """The ids of a list, in its order."""
    ids = []
    for number, text in enumerate(read_text(path).split("\n"), start=1):
        if not text.strip():
            continue
        found = line.match(text)
        if found is None:
            raise EmollamaError(f"{path}:{number}: names no sample: '{text.strip()[:60]}'")
        ids.append(found[1])
    return ids
