"""Random splits that papers report on, by name, from the lists that their authors publish.

The lists are their authors' and are read from a folder that the user has; what is known here is
which files they are, how a line names a sample and how many lines there are. Those of AMST are in
`code/data/<corpus>` of its repository (CXianRen/AMST), or made by the script there.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from emollama.base.errors import EmollamaError, did_you_mean
from emollama.base.files import read_text


@dataclass(frozen=True)
class PublishedSplit:
    """Lists of a published split.

    Attributes:
        corpora: names of the corpora, as manifests have them, that it is a split of.
        files: {split: name of its list}.
        line: how a line begins; its group is the sample's id.
        counts: {split: lines of its list}.
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
    """The split called `name` of a manifest's samples, and what there is to say of it.

    An id that stands in several lists is tested, else validated on: what is tested is as published,
    and nothing is tested that was trained on. A sample in no list is in no split.

    Args:
        name: one of `PUBLISHED_SPLITS`.
        lists: folder of its lists.
        corpus: the manifest's corpus.
        ids: those of the manifest.

    Raises:
        EmollamaError: an unknown name, another corpus, a list is missing or has not the published
            number of lines, a line that names no sample, or no sample is in a list.
    """
    if name not in PUBLISHED_SPLITS:
        raise EmollamaError(f"split '{name}' is unknown{did_you_mean(name, PUBLISHED_SPLITS)}")
    published = PUBLISHED_SPLITS[name]
    if corpus not in published.corpora:
        raise EmollamaError(
            f"'{name}' is a split of {', '.join(published.corpora)}; the manifest is of '{corpus}'"
        )
    split: dict[str, str | None] = dict.fromkeys(ids)
    several: list[str] = []
    foreign: list[str] = []
    for part in ("test", "val", "train"):
        listed = _read(lists / published.files[part], published.line)
        if len(listed) != published.counts[part]:
            raise EmollamaError(
                f"{lists / published.files[part]}: has {len(listed)} lines, "
                f"{published.counts[part]} are published for '{name}'"
            )
        for sample in listed:
            if sample not in split:
                foreign.append(sample)
            elif split[sample] is not None:
                several.append(sample)
            else:
                split[sample] = part
    if not any(split.values()):
        raise EmollamaError(f"{lists}: none of its ids is in the manifest, e.g. '{foreign[0]}'")
    outside = [sample for sample, part in split.items() if part is None]
    return split, [
        f"{len(found)} {what}, e.g. '{found[0]}'"
        for found, what in (
            (several, "ids are listed more than once; each is tested, else validated on"),
            (foreign, "listed ids are not in the manifest"),
            (outside, "samples are in no list and so in no split"),
        )
        if found
    ]


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
