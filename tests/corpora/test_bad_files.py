"""Annotations as users have them: other line ends, columns moved, cut off, spoiled anywhere.

Whatever a file holds, a reader writes a manifest that can be read, or raises one line that names
the file; it never ends in any other exception.
"""

from __future__ import annotations

import csv
import io
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from emollama.base.errors import EmollamaError
from emollama.manifest.sample import read_manifest
from tests.corpora.miniatures import MINIATURES, Miniature

ROUNDS = 60
TEXTS = [(name, file) for name, m in MINIATURES.items() for file in m.texts]
TABLES = [(name, file) for name, m in MINIATURES.items() for file in m.tables]


@pytest.fixture(autouse=True)
def unsynced(monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that is waited for makes minutes of a thousand manifests that nobody keeps."""
    monkeypatch.setattr("os.fsync", lambda descriptor: None)


def prepared(miniature: Miniature, root: Path, out: Path) -> str:
    """The samples of the manifest, in an order of their own."""
    miniature.prepare(root, out)
    return "\n".join(sorted(out.read_text().splitlines()[1:]))


@pytest.mark.parametrize("name", MINIATURES)
def test_line_ends_and_a_byte_order_mark_change_nothing(name: str, tmp_path: Path) -> None:
    miniature = MINIATURES[name]
    clean = prepared(miniature, miniature.plant(tmp_path / "x"), tmp_path / "m.jsonl")
    windows = {
        file: ("\ufeff" + text.replace("\n", "\r\n")).encode()
        for file, text in miniature.texts.items()
    }
    root = miniature.plant(tmp_path / "x", **windows)
    assert prepared(miniature, root, tmp_path / "m.jsonl") == clean


@pytest.mark.parametrize(("name", "file"), TABLES)
def test_columns_and_rows_in_any_order(name: str, file: str, tmp_path: Path) -> None:
    miniature = MINIATURES[name]
    root = miniature.plant(tmp_path / "x")
    clean = prepared(miniature, root, tmp_path / "m.jsonl")
    header, *rows = csv.reader(io.StringIO(miniature.texts[file]))
    for seed in range(5):
        draw = random.Random(seed)
        order = draw.sample(range(len(header)), len(header))
        shuffled = draw.sample(rows, len(rows))
        written = io.StringIO()
        csv.writer(written).writerows([row[i] for i in order] for row in (header, *shuffled))
        miniature.plant(root, **{file: written.getvalue()})
        assert prepared(miniature, root, tmp_path / "m.jsonl") == clean


# `prepare csv` finds out the encoding of people's own tables (see test_tables).
@pytest.mark.parametrize(("name", "file"), [text for text in TEXTS if text[0] != "csv"])
def test_another_encoding_is_told_with_its_line(name: str, file: str, tmp_path: Path) -> None:
    miniature = MINIATURES[name]
    first, *rest = miniature.texts[file].split("\n")
    spoiled = "\n".join([first, "caf\xe9", *rest]).encode("latin-1")
    root = miniature.plant(tmp_path, **{file: spoiled})
    with pytest.raises(EmollamaError, match=r":2: is not UTF-8 text \(byte \d+\)$") as told:
        miniature.prepare(root, tmp_path / "m.jsonl")
    assert file in str(told.value)


@pytest.mark.parametrize(("name", "file"), TABLES)
def test_a_table_cut_off_in_a_row(name: str, file: str, tmp_path: Path) -> None:
    miniature = MINIATURES[name]
    table = miniature.texts[file]
    cut = table[: table.rstrip().rindex(",")]  # the last cell is gone
    root = miniature.plant(tmp_path, **{file: cut})
    last = cut.count("\n") + 1
    with pytest.raises(EmollamaError, match=rf":{last}: (has \d cells|is not a valid CSV row)"):
        miniature.prepare(root, tmp_path / "m.jsonl")


def spoiled(text: str, draw: random.Random) -> bytes:
    """The text with one to three faults: a cut, bytes or pieces that are lost, moved or foreign."""
    raw = text.encode()
    for _ in range(draw.randint(1, 3)):
        at, to = sorted(draw.randint(0, len(raw)) for _ in range(2))
        piece = raw[at : min(to, at + 12)]
        rest = raw[at + len(piece) :]
        odd = draw.choice(
            [b"", b",", b'"', b"\n", b"\t", b"&", b"___", b"\x00", b"\xff", b"nan", b"-1e999",
             b"9" * 30, b"../", b"/", b" ", "\u2028".encode(), b"[", b"{", b"x" * 300]
        )  # fmt: skip
        raw = draw.choice(
            [raw[:at], raw[:at] + rest, raw[:at] + odd + rest, raw[:at] + odd + piece + rest,
             rest + piece + raw[:at], raw[:at] + piece + piece + rest]
        )  # fmt: skip
    return raw


def faults(name: str, file: str) -> Iterator[bytes]:
    draw = random.Random(f"{name} {file}")
    for _ in range(ROUNDS):
        yield spoiled(MINIATURES[name].texts[file], draw)


@pytest.mark.parametrize(("name", "file"), TEXTS)
def test_whatever_a_file_holds(name: str, file: str, tmp_path: Path) -> None:
    miniature = MINIATURES[name]
    root, out = miniature.plant(tmp_path / "root"), tmp_path / "m.jsonl"
    refused = 0
    for content in faults(name, file):
        out.unlink(missing_ok=True)
        (root / file).write_bytes(content)
        try:
            miniature.prepare(root, out)
        except EmollamaError as error:
            refused += 1
            assert str(root) in str(error) or " is usable" in str(error)
            assert not out.exists()
        else:
            manifest = read_manifest(out)
            assert all(
                s.targets.emotion in (None, *manifest.labels.labels) for s in manifest.samples
            )
    assert refused


@pytest.mark.parametrize("name", ["ur-funny", "mosei"])
def test_whatever_a_pickle_holds(name: str, tmp_path: Path) -> None:
    miniature = MINIATURES[name]
    root, draw = miniature.plant(tmp_path), random.Random(name)
    for file in (f for f in miniature.binary if f.endswith(".pkl")):
        for _ in range(ROUNDS):
            raw = bytearray(miniature.binary[file])
            raw[draw.randrange(len(raw))] = draw.randrange(256)
            (root / file).write_bytes(raw[: draw.choice([len(raw), draw.randrange(len(raw))])])
            try:
                miniature.prepare(root, tmp_path / "m.jsonl")
            except EmollamaError:
                continue
            read_manifest(tmp_path / "m.jsonl")
        miniature.plant(root)


@pytest.mark.parametrize(
    ("name", "file", "old", "new", "said"),
    [
        ("mer2023", "train-label.csv", "sample_1", "../up", r"csv:2: '../up' is not a valid id"),
        ("mer2023", "train-label.csv", "sample_1", "x" * 201, r"csv:2: 'x+' is not a valid id"),
        ("csv", "clips.csv", "a b", "../a", r"csv:2: column 'id': '../a' is not a valid id"),
        ("merr", "MERR_fine_grained.txt", "sample_1", "/etc", r"txt:1: '/etc' is not a valid id"),
        ("meld", "train_sent_emo.csv", "sadness", "bored", r"csv:2: column 'Emotion': 'bored'"),
        ("ave", "trainSet.txt", "&2&9", "&9&2", r"trainSet.txt:2: 9 to 2 s is not a valid span"),
        ("mosei", "Raw/Transcript/Segmented/Combined/train.txt", "___1___", "___0___",
         r"train.txt:2: segment 'train_0' is already at .*train.txt:1"),
        ("merr", "MERR_fine_grained.json", '"doubt"', '"dou', r"grained.json:\d+: is not JSON"),
        ("csv", "clips.csv", "train,2,3.5", "test,1.5,3.5",
         r"csv:3: 'c/d' \(1.5 to 3.5 s\) overlaps 'a b' of .*csv:2, which is in split 'train'"),
    ],
)  # fmt: skip
def test_one_line_with_file_and_line(
    name: str, file: str, old: str, new: str, said: str, tmp_path: Path
) -> None:
    miniature = MINIATURES[name]
    text = miniature.texts[file]
    assert text.count(old)
    root = miniature.plant(tmp_path, **{file: text.replace(old, new)})
    with pytest.raises(EmollamaError, match=said):
        miniature.prepare(root, tmp_path / "m.jsonl")


def test_names_longer_than_a_file_system_allows(tmp_path: Path) -> None:
    long = MINIATURES["csv"].texts["clips.csv"].replace("c/d,1.mp4", f"c/d,{'x' * 300}.mp4")
    root = MINIATURES["csv"].plant(tmp_path / "csv", **{"clips.csv": long})
    report = MINIATURES["csv"].prepare(root, tmp_path / "m.jsonl")
    assert list(report.rejected.values()) == ["media file is missing"]
    file = "Session1/dialog/EmoEvaluation/Ses01F_impro01.txt"
    told = MINIATURES["iemocap"].texts[file].replace("_impro01_M0", f"_impro01_{'é' * 130}_M0")
    root = MINIATURES["iemocap"].plant(tmp_path / "iemocap", **{file: told})
    report = MINIATURES["iemocap"].prepare(root, tmp_path / "m.jsonl")
    assert list(report.rejected.values()) == ["file is missing"]


def test_spans_that_overlap_in_one_split_are_told(tmp_path: Path) -> None:
    miniature = MINIATURES["csv"]
    text = miniature.texts["clips.csv"].replace("train,2,3.5", "train,1.5,")
    report = miniature.prepare(miniature.plant(tmp_path, **{"clips.csv": text}), tmp_path / "m")
    assert report.notes[-1] == (
        "1 spans overlap another span of their file, e.g. 'c/d' (1.5 to inf s) overlaps 'a b'"
    )


@pytest.mark.parametrize(
    ("first", "second", "said"),
    [
        (",,", ",0,2", r"'c' \(0 to 2 s\) overlaps 'a' of .*, which is in split 'train'"),
        (",,", ",,", r"'c' \(the whole file\) overlaps 'a'"),
        (",0,2", ",1,", r"'c' \(1 to inf s\) overlaps 'a'"),
        ("2.wav,0,2", "3.wav,1,3", r"'c' \(1 to 3 s\) overlaps 'a'"),
        ("2.wav,,", ",1,3", r"'c' \(1 to 3 s\) overlaps 'a'"),
    ],
)
def test_a_file_in_two_splits_whole_or_in_part(
    first: str, second: str, said: str, tmp_path: Path
) -> None:
    miniature = MINIATURES["csv"]
    table = (
        "id,video,label,split,audio,start,end\n"
        f"a,1.mp4,sad,train,{first}\nc,1.mp4,sad,{{}},{second}\n"
    )
    root = miniature.plant(tmp_path, **{"2.wav": b"x", "3.wav": b"x"})
    (root / "clips.csv").write_text(table.format("train"))
    notes = miniature.prepare(root, tmp_path / "m").notes
    assert any("overlap" in note for note in notes) == (first != second)
    (root / "clips.csv").write_text(table.format("test"))
    with pytest.raises(EmollamaError, match=r"clips.csv:3: " + said):
        miniature.prepare(root, tmp_path / "m")


def test_the_sound_alone_may_be_what_is_shared(tmp_path: Path) -> None:
    miniature = MINIATURES["csv"]
    table = "id,video,audio,label,split\na,1.mp4,2.wav,sad,train\nc,,2.wav,sad,test\n"
    root = miniature.plant(tmp_path, **{"2.wav": b"x", "clips.csv": table})
    with pytest.raises(EmollamaError, match=r"clips.csv:3: 'c' \(the whole file\) overlaps 'a'"):
        miniature.prepare(root, tmp_path / "m")
