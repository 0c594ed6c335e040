"""A tokenizer whose file is parsed once: the same one that transformers makes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from transformers import AutoTokenizer

from emollama.assets import tokenizer as opening
from emollama.assets.tokenizer import open_tokenizer
from tests.tiny import tiny_llm

TEXTS = ("Hello <|im_end|> there", "happy", " é😀\n", "")


def facts(tokenizer: Any, saved: Path) -> list[Any]:
    """All that can differ between two: settings, ids, and the files they write."""
    tokenizer.save_pretrained(saved)
    told = {k: v for k, v in vars(tokenizer).items() if k != "_tokenizer"}
    ids = [
        tokenizer(t, add_special_tokens=add, split_special_tokens=plain).input_ids
        for t in TEXTS
        for add in (False, True)
        for plain in (False, True)
    ]
    return [
        told,
        tokenizer.added_tokens_decoder,
        ids,
        {f.name: f.read_bytes() for f in saved.iterdir()},
    ]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    found = tiny_llm(tmp_path / "llm")
    AutoTokenizer.from_pretrained(found).save_pretrained(found)
    return found


def later(folder: Path) -> None:
    """The added tokens behind the vocabulary, as in no file of the library's."""
    values = json.loads((folder / "tokenizer.json").read_text())
    values["added_tokens"] = values.pop("added_tokens")
    (folder / "tokenizer.json").write_text(json.dumps(values))


def older(folder: Path) -> None:
    """A file of an older version beside it."""
    (folder / "special_tokens_map.json").write_text('{"unk_token": "happy"}')


def with_settings(folder: Path) -> None:
    """Added tokens in the settings, too."""
    path = folder / "tokenizer_config.json"
    token = {"content": "happy", "special": True}
    path.write_text(
        json.dumps(json.loads(path.read_text()) | {"added_tokens_decoder": {"5": token}})
    )


@pytest.mark.parametrize("change", [None, later, older, with_settings])
def test_it_is_the_one_that_transformers_makes(folder: Path, tmp_path: Path, change: Any) -> None:
    if change:
        change(folder)
    else:
        assert opening._added_tokens(folder), "the fast way is not taken"
    made = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    expected = facts(made, tmp_path / "a")
    assert facts(open_tokenizer(folder), tmp_path / "b") == expected
