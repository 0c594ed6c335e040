"""Published lists in miniature: their line formats, ids in several, and what is not theirs."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from emollama.base.errors import EmollamaError
from emollama.corpora import published_splits
from emollama.corpora.published_splits import PUBLISHED_SPLITS, published_split
from tests.corpora.trees import plant

LINES = {
    "amst-crema-d": ("1028_IEO_ANG_LO.flv Anger", "1028_IEO_ANG_LO"),
    "amst-iemocap": ("Ses01M_impro01_F000, neu, 6.77, 8.46 ### Next, please.",
                     "Ses01M_impro01_F000"),
    "amst-mvsa": ("4.jpg positive", "4"),
    "amst-ur-funny": ("10009, NOTFUNNY, ### one, two", "10009"),
}  # fmt: skip


@pytest.mark.parametrize("name", PUBLISHED_SPLITS)
def test_how_a_line_names_a_sample(name: str) -> None:
    line, sample = LINES[name]
    found = PUBLISHED_SPLITS[name].line.match(line)
    assert found is not None and found[1] == sample
    assert PUBLISHED_SPLITS[name].counts.keys() == PUBLISHED_SPLITS[name].files.keys()


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """The lists of CREMA-D with the counts of this miniature."""
    counts = {"train": 4, "val": 2, "test": 1}
    changed = dataclasses.replace(PUBLISHED_SPLITS["amst-crema-d"], counts=counts)
    monkeypatch.setitem(published_splits.PUBLISHED_SPLITS, "amst-crema-d", changed)


def lists(root: Path, train: str = "a b c d", val: str = "c e", test: str = "d") -> Path:
    names = {"80_train_cre.txt": train, "10_val_cre.txt": val, "10_test_cre.txt": test}
    return plant(
        root, {n: "".join(f"{i}.flv Sad\r\n" for i in ids.split()) for n, ids in names.items()}
    )


@pytest.mark.usefixtures("small")
def test_what_stands_in_several_lists_is_tested_only(tmp_path: Path) -> None:
    split, notes = published_split("amst-crema-d", lists(tmp_path), "crema-d", list("abcdf"))
    assert split == {"a": "train", "b": "train", "c": "val", "d": "test", "f": None}
    assert notes == [
        "2 ids are in several lists; they go to test, else to val, e.g. 'c'",
        "1 listed ids are not in the manifest, e.g. 'e'",
        "1 samples are in no list and get no split, e.g. 'f'",
    ]


@pytest.mark.usefixtures("small")
def test_mistakes(tmp_path: Path) -> None:
    name = "amst-crema-d"
    with pytest.raises(EmollamaError, match="did you mean 'amst-crema-d'"):
        published_split("amst-crema", tmp_path, "crema-d", [])
    with pytest.raises(EmollamaError, match="splits crema-d, but the manifest is corpus 'meld'"):
        published_split(name, tmp_path, "meld", [])
    with pytest.raises(EmollamaError, match=r"10_test_cre.txt: cannot be read"):
        published_split(name, tmp_path, "crema-d", ["a"])
    with pytest.raises(
        EmollamaError,
        match=r"80_train_cre.txt: has 3 lines, but 'amst-crema-d' was published with 4",
    ):
        published_split(name, lists(tmp_path, "a b c"), "crema-d", ["a"])
    with pytest.raises(EmollamaError, match="none of its ids is in the manifest"):
        published_split(name, lists(tmp_path), "crema-d", ["z"])
    plant(tmp_path, {"10_val_cre.txt": "c.flv Sad\n1028_IEO\n"})
    with pytest.raises(EmollamaError, match=r"10_val_cre.txt:2: names no sample: '1028_IEO'"):
        published_split(name, tmp_path, "crema-d", ["a"])
