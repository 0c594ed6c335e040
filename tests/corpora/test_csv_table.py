"""Tables: what is read from a row, and one line for each thing that can be wrong with one."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from emollama.base.errors import EmollamaError
from emollama.corpora.csv_table import prepare_csv
from emollama.corpora.report import PrepareReport
from emollama.manifest.labels import get_label_set
from emollama.manifest.sample import Manifest, read_manifest

MER = get_label_set("mer2023")


class Corpus:
    """A folder with media files and the table under test."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.table = folder / "table.csv"
        self.out = folder / "lists" / "manifest.jsonl"
        for name in ("a.mp4", "b.mp4", "c.wav", "d.mp4", "e.mp4", "f.mp4"):
            (folder / name).touch()

    def prepare(self, text: str, encoding: str = "utf-8", **options: Any) -> PrepareReport:
        self.table.write_bytes(text.encode(encoding))
        return prepare_csv(self.table, self.out, labels=MER, **options)

    def manifest(self) -> Manifest:
        return read_manifest(self.out)


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    return Corpus(tmp_path)


def test_a_full_row(corpus: Corpus) -> None:
    corpus.prepare(
        "id,video,audio,text,label,speaker,group,split,start,end,mood\n"
        'x1,a.mp4,c.wav,"Well, ""no"".\nNever.",Joy,ann,s1,train,0.5,2,fine\n'
        "x2,b.mp4,,,,,,test,,,\n",
        encoding="utf-8-sig",
    )
    one, two = corpus.manifest().samples
    assert one.model_dump(exclude_defaults=True) == {
        "id": "x1", "video": "../a.mp4", "audio": "../c.wav", "text": 'Well, "no".\nNever.',
        "targets": {"emotion": "happy"}, "speaker": "ann", "group": "s1", "split": "train",
        "start": 0.5, "end": 2.0,
    }  # fmt: skip
    assert two.model_dump(exclude_defaults=True) == {
        "id": "x2", "video": "../b.mp4", "split": "test",
    }  # fmt: skip
    assert corpus.manifest().media(one.video or "").is_file()


def test_paths_are_sound_or_video_by_suffix_and_ids_are_their_names(corpus: Corpus) -> None:
    report = corpus.prepare("path;emotion;who\r\nc.wav;sad;ann\r\n\r\na.mp4;angry;bob\r\n",
                            columns={"label": "emotion", "speaker": "who"})  # fmt: skip
    sound, video = corpus.manifest().samples
    assert (sound.id, sound.audio, sound.video) == ("c", "../c.wav", None)
    assert (video.id, video.audio, video.video) == ("a", None, "../a.mp4")
    assert video.group == video.speaker == "bob"
    assert report.emotions == {"(none)": {"angry": 1, "sad": 1}}


def test_missing_media_is_counted_and_not_the_end(corpus: Corpus) -> None:
    report = corpus.prepare("path\tlabel\tnote\na.mp4\tsad\tx\nlost.mp4\tsad\ty\nb.mp4\t\tz\n")
    assert report.samples == 2
    assert report.rejected == {
        f"{corpus.table}:3: {corpus.folder / 'lost.mp4'}": "media file is missing"
    }
    text = "\n".join(report.lines())
    for part in ("2 samples", "left out: 1", "1 without a label", "columns ignored: note"):
        assert part in text


def test_media_root(corpus: Corpus, tmp_path: Path) -> None:
    (tmp_path / "far").mkdir()
    (tmp_path / "far" / "z.mp4").touch()
    corpus.prepare("path,label\nz.mp4,sad\n", media_root=tmp_path / "far")
    assert corpus.manifest().samples[0].video == "../far/z.mp4"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "table.csv: is empty; the first line must name the columns"),
        ("path,label\n", "table.csv: holds only a header, no rows"),
        ("path,lable\na.mp4,sad\n", "table.csv:1: has no column 'label'; if it is 'lable', add "
         "--column label=lable"),
        ("paht,label\na.mp4,sad\n", ":1: has no column 'path', 'video', 'audio' or 'text'; if "
         "it is "
         "'paht', add --column path=paht"),
        ("path,label,path\na.mp4,sad,b.mp4\n", ":1: column 'path' occurs twice"),
        ("path,label\na.mp4,sad\nb.mp4,hapy\n", ":3: column 'label': 'hapy' is not in label set"),
        ("path,label\na.mp4,sad,really\n", ":2: has 3 cells, the header 2"),
        ('path,label\n"a.mp4,sad\n', ":2: is not a valid CSV row"),
        ('id,path,label\n"x\n",a.mp4,sad\ny,b.mp4,sad\ny,d.mp4,sad\n',
         "table.csv:5: id 'y' is already at"),
        ("path,label\na.mp4,sad\na.mp4,sad\n", "; add an 'id' column to distinguish clips"),
        ("path,label\n,sad\n", ":2: column 'path': is empty"),
        ("path,video,label\na.mp4,b.mp4,sad\n", ":2: column 'path': 'a.mp4' is a second video"),
        ("path,label,start\na.mp4,sad,soon\n", ":2: column 'start': 'soon' is not a number"),
        ("path,label,end\na.mp4,sad,nan\n", ":2: column 'end': 'nan' is not a number"),
        ("path,label,start,end\na.mp4,sad,3,2\n", "'end': 2 s is not after the start at 3 s"),
        ("path,label\nx.mp4,sad\n", "x.mp4: media file is missing; relative paths start from"),
        ("path,label\nx.mp4,sad\ny.mp4,sad\n", "none of the 2 media files exists, e.g. "),
        ("path,label,group,split\na.mp4,sad,g,train\nb.mp4,sad,g,test\n",
         "group 'g' is in several splits"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_in_one_line(corpus: Corpus, text: str, message: str) -> None:
    with pytest.raises(EmollamaError, match=re.escape(message)) as caught:
        corpus.prepare(text)
    assert str(corpus.table) in str(caught.value) and "\n" not in str(caught.value)
    assert not corpus.out.exists()


def test_wrong_options_are_said(corpus: Corpus) -> None:
    text = "path,label\na.mp4,sad\n"
    for options, message in (
        ({"columns": {"labels": "label"}}, "field 'labels' is unknown; did you mean 'label'?"),
        ({"columns": {"path": "path", "emotion": "label"}}, "field 'emotion' is unknown"),
        ({"columns": {"text": "pat"}}, "no column 'pat' (for 'text'); did you mean 'path'?"),
        ({"split": "folds"}, "split 'folds': must be 'fold=I/K' or 'leave=GROUP'"),
        ({"media_root": corpus.folder / "no"}, "no: is not a folder"),
    ):
        with pytest.raises(EmollamaError, match=re.escape(message)):
            corpus.prepare(text, **options)  # type: ignore[arg-type]


def test_splits_by_group(corpus: Corpus) -> None:
    text = "path,label,speaker\n" + "".join(
        f"{name}.mp4,{label},{who}\n"
        for name, label, who in (("a", "sad", "1"), ("b", "happy", "1"), ("d", "sad", "2"),
                                 ("e", "happy", "2"), ("f", "sad", "3"))
    )  # fmt: skip
    corpus.prepare(text, split="leave=2")
    assert [s.split for s in corpus.manifest().samples] == [
        "train",
        "train",
        "test",
        "test",
        "train",
    ]
    tested = []
    for fold in range(2):
        corpus.prepare(text, split=f"fold={fold}/2", seed=1)
        tested += [s.id for s in corpus.manifest().split("test")]
    assert sorted(tested) == list("abdef")


def test_an_official_split_with_speakers_on_both_sides_is_told(corpus: Corpus) -> None:
    report = corpus.prepare("path,label,speaker,split\na.mp4,sad,x,train\nb.mp4,sad,x,test\n")
    assert "separates clips of one speaker" in "\n".join(report.lines())
    assert [s.group for s in corpus.manifest().samples] == [None, None]


def table(clips: int, speakers: int = 0, split: str = "") -> str:
    """A table of clips of four labels, said by so many speakers in turn."""
    lines = ["path,label" + ",speaker" * bool(speakers) + ",split" * bool(split)]
    for i in range(clips):
        cells = [f"{i}.mp4", ("sad", "happy", "angry", "neutral")[i % 4]]
        cells += [f"s{i // 4 % speakers}"] if speakers else []
        cells += [split] if split else []
        lines.append(",".join(cells))
    return "\n".join(lines) + "\n"


@pytest.fixture
def many(corpus: Corpus) -> Corpus:
    for i in range(40):
        (corpus.folder / f"{i}.mp4").touch()
    return corpus


def said(report: PrepareReport) -> str:
    (line,) = [x for x in report.lines() if "no split" in x]
    return line


def test_a_table_without_splits_gets_them_by_clip_and_it_is_said(many: Corpus) -> None:
    report = many.prepare(table(20))
    assert report.splits == {"train": 14, "val": 3, "test": 3}
    assert "by clip" in said(report) and "--split none" in said(report)
    assert set(report.emotions["train"]) == {"sad", "happy", "angry", "neutral"}
    first = [s.split for s in many.manifest().samples]
    many.prepare(table(20))
    assert [s.split for s in many.manifest().samples] == first
    many.prepare(table(20), seed=3)
    assert [s.split for s in many.manifest().samples] != first


@pytest.mark.parametrize("speakers", [3, 4, 5, 10])
def test_a_table_with_speakers_gets_splits_that_keep_them_apart(
    many: Corpus, speakers: int
) -> None:
    report = many.prepare(table(40, speakers))
    assert "by speaker" in said(report)
    of: dict[str, set[str]] = {}
    for sample in many.manifest().samples:
        of.setdefault(str(sample.speaker), set()).add(str(sample.split))
    assert all(len(splits) == 1 for splits in of.values())
    assert set(report.splits) == {"train", "val", "test"}
    assert report.splits["train"] == max(report.splits.values())


def test_two_speakers_cannot_be_kept_apart_and_it_is_said(many: Corpus) -> None:
    report = many.prepare(table(20, 2))
    assert report.splits == {"train": 14, "val": 3, "test": 3}
    assert "2 speakers" in said(report) and "speakers seen in training" in said(report)
    assert [s.group for s in many.manifest().samples] == [None] * 20


def test_one_clip_without_a_speaker_and_it_is_said(many: Corpus) -> None:
    rows = [f"{i}.mp4,{'sad' if i % 2 else 'happy'},{f's{i % 6}' if i else ''}" for i in range(20)]
    report = many.prepare("\n".join(["path,label,speaker", *rows]) + "\n")
    assert "by clip, seed 0, because 1 clip has no speaker: scores will be on speakers" in said(
        report
    )
    assert [s.group for s in many.manifest().samples] == [None] * 20
    one = "\n".join(["path,label,speaker", *(row.rsplit(",", 1)[0] + ",s" for row in rows)]) + "\n"
    assert "because 1 speaker is too few to keep apart" in said(many.prepare(one))


def test_shares_are_chosen_or_none(many: Corpus) -> None:
    assert many.prepare(table(20), shares="50/25/25").splits == {"train": 10, "val": 5, "test": 5}
    assert many.prepare(table(20), shares="80/0/20").splits == {"train": 16, "test": 4}
    assert many.prepare(table(20), split="none").splits == {"(none)": 20}
    assert many.prepare(table(20, 0, "test")).splits == {"test": 20}  # the table's own
    for shares in ("50/50", "a/b/c", "0/50/50", "60/30/30", "-10/60/50"):
        with pytest.raises(EmollamaError, match="shares"):
            many.prepare(table(20), shares=shares)


def test_spans_of_a_file_stay_together_and_clips_to_predict_get_no_split(many: Corpus) -> None:
    rows = [f"c{i},{i // 4}.mp4,{'sad' if i % 2 else 'happy'},{i % 4},{i % 4 + 1}"
            for i in range(24)]  # fmt: skip
    many.prepare("\n".join(["id,path,label,start,end", *rows, "x,30.mp4,,,"]) + "\n")
    of: dict[str, set[str | None]] = {}
    for sample in many.manifest().samples:
        of.setdefault(str(sample.video), set()).add(sample.split)
    assert all(len(splits) == 1 for splits in of.values())
    assert many.manifest().samples[-1].split is None


def test_swapped_names_of_a_column_are_said(corpus: Corpus) -> None:
    with pytest.raises(EmollamaError, match=r"write FIELD=COLUMN, e\.g\. --column label=emotion"):
        corpus.prepare("path,emotion\na.mp4,sad\n", columns={"emotion": "label"})


def test_one_missing_file_is_named_once(corpus: Corpus) -> None:
    with pytest.raises(EmollamaError) as caught:
        corpus.prepare("path,label\n/no/x.mp4,sad\n")
    assert str(caught.value) == f"{corpus.table}:2: /no/x.mp4: media file is missing"


def test_a_file_that_is_no_media_by_its_suffix_is_told(corpus: Corpus) -> None:
    (corpus.folder / "notes.txt").touch()
    told = "\n".join(corpus.prepare("path,label\na.mp4,sad\nnotes.txt,sad\n").lines())
    assert "table.csv:3: 'notes.txt' is no video or sound by its suffix" in told
    assert "2 samples" in told and "'a.mp4' is no" not in told


def test_too_few_clips_to_split_are_said(many: Corpus) -> None:
    assert "2 labelled clips are too few" in said(many.prepare(table(2)))
    assert [s.split for s in many.manifest().samples] == [None, None]
    with pytest.raises(EmollamaError, match="2 labelled clips are too few to split"):
        many.prepare(table(2), shares="70/15/15")


def test_folds_without_groups_say_what_to_do(many: Corpus) -> None:
    with pytest.raises(EmollamaError, match=r"no group to split by; .*leave out --split"):
        many.prepare(table(20), split="fold=0/5")
    with pytest.raises(EmollamaError, match=r"no group to split by; .*leave out --split"):
        many.prepare(table(20), split="leave=s1")
