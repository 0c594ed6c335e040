"""Rows survive a kill, end in the clips' order, and say in one line what is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emollama.base.errors import EmollamaError
from emollama.merr.stagefile import StageFile, read_rows, row_key

KEYS = [row_key("stage", 1, None, str(i)) for i in range(6)]
ORDER = [(f"clip-{i}", key) for i, key in enumerate(KEYS)]


def fill(folder: Path, first: int, last: int, writer: str = "0-of-1") -> StageFile:
    file = StageFile(folder, "stage", writer)
    for i in range(first, last):
        if KEYS[i] not in file:
            file.add(KEYS[i], {"status": "ok", "value": i})
    return file


@pytest.mark.parametrize("cut", [0, 1, 3, 6])
@pytest.mark.parametrize("torn", [b"", b'{"key":"', b'{"key":"' + KEYS[5].encode() + b'","val'])
def test_a_kill_anywhere_ends_in_the_same_bytes(tmp_path: Path, cut: int, torn: bytes) -> None:
    fill(tmp_path / "whole", 0, 6).seal(ORDER)
    fill(tmp_path / "cut", 0, cut)
    journal = tmp_path / "cut" / "journals" / "stage.0-of-1.jsonl"
    if cut:
        journal.write_bytes(journal.read_bytes() + torn)
    fill(tmp_path / "cut", 0, 6).seal(ORDER)
    same = [(tmp_path / part / "stage.jsonl").read_bytes() for part in ("whole", "cut")]
    assert same[0] == same[1]
    assert [r["id"] for r in read_rows(tmp_path / "cut" / "stage.jsonl")] == [c for c, _ in ORDER]
    assert not journal.exists()


def test_shards_are_put_together_in_order_and_a_missing_one_is_named(tmp_path: Path) -> None:
    fill(tmp_path, 3, 6, "1-of-2").close()
    with pytest.raises(EmollamaError, match=r"stage\.jsonl: 'clip-0' is missing in this stage"):
        StageFile(tmp_path, "stage").seal(ORDER)
    fill(tmp_path, 0, 3, "0-of-2").close()
    StageFile(tmp_path, "stage").seal(ORDER)
    assert [r["value"] for r in read_rows(tmp_path / "stage.jsonl")] == list(range(6))


def test_a_written_stage_is_read_again_and_only_the_new_is_computed(tmp_path: Path) -> None:
    fill(tmp_path, 0, 3).seal(ORDER[:3])
    file = fill(tmp_path, 0, 6)
    assert len((tmp_path / "journals" / "stage.0-of-1.jsonl").read_text().splitlines()) == 3
    file.seal(ORDER)
    assert file.get(KEYS[1]) == {"status": "ok", "value": 1}


def test_clips_of_the_same_content_share_a_row(tmp_path: Path) -> None:
    fill(tmp_path, 0, 1).seal([("a", KEYS[0]), ("b", KEYS[0])])
    assert [(r["id"], r["value"]) for r in read_rows(tmp_path / "stage.jsonl")] == [
        ("a", 0),
        ("b", 0),
    ]


def test_a_full_disk_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "journals").mkdir()
    (tmp_path / "journals" / "stage.0-of-1.jsonl").symlink_to("/dev/full")
    with pytest.raises(EmollamaError, match=r"stage\.0-of-1\.jsonl: cannot be written: No space"):
        fill(tmp_path, 0, 1)


@given(st.dictionaries(st.text(max_size=5), st.text(max_size=20) | st.integers() | st.none()))
def test_any_text_comes_back(tmp_path_factory: pytest.TempPathFactory, row: dict[str, str]) -> None:
    folder = tmp_path_factory.mktemp("rows")
    row = {k: v for k, v in row.items() if k not in ("key", "id")}
    file = StageFile(folder, "stage")
    file.add(KEYS[0], row)
    assert StageFile(folder, "stage").get(KEYS[0]) == _writable(row)


def _writable(row: dict[str, str]) -> dict[str, str]:
    def clean(value: str) -> str:
        return value.encode("utf-8", "replace").decode() if isinstance(value, str) else value

    return {clean(k): clean(v) for k, v in row.items()}
