"""Tables as people bring them: other encodings, spellings, machines, annotators and forms."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from emollama.base.errors import EmollamaError
from emollama.corpora.csv_table import prepare_csv
from emollama.corpora.folder import prepare_folder
from emollama.corpora.report import PrepareReport
from emollama.corpora.tables.words import read_labels, read_map
from emollama.manifest.labels import LabelSet, get_label_set
from emollama.manifest.sample import Sample
from tests.corpora.trees import plant, samples_of
from tests.growth import growth

MER = get_label_set("mer2023")


class Brought:
    """A folder with a table and its clips."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.report: PrepareReport | None = None

    def read(
        self, text: str, *files: str, saved_as: str = "utf-8", name: str = "t.csv",
        labels: LabelSet | None = MER, **options: object,
    ) -> list[Sample]:  # fmt: skip
        plant(self.folder, list(files))
        (self.folder / name).write_bytes(text.encode(saved_as))
        out = self.folder / "m.jsonl"
        options.setdefault("split", "none")
        self.report = prepare_csv(self.folder / name, out, labels=labels, **options)  # type: ignore[arg-type]
        return list(samples_of(out).values())

    @property
    def said(self) -> str:
        assert self.report is not None
        return "\n".join(self.report.lines())


@pytest.fixture
def brought(tmp_path: Path) -> Brought:
    return Brought(tmp_path)


CHINESE = "文件;标签;文本\n张三_01.mp4;高兴;你终于来了\n李四_02.mp4;愤怒;我不想说话\n"
GERMAN = "Datei;Gefühl;Text\nmüller.mp4;glücklich;Schön, dass du da bist\nb.mp4;Wut;Geh!\n"


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "gbk", "utf-8-sig"])
def test_chinese_names_and_labels_in_any_encoding(brought: Brought, encoding: str) -> None:
    one, two = brought.read(CHINESE, "张三_01.mp4", "李四_02.mp4", saved_as=encoding)
    assert (one.id, one.text, one.targets.emotion) == ("张三_01", "你终于来了", "happy")
    assert two.targets.emotion == "angry"
    assert "labels of another language: 高兴 is happy, 愤怒 is angry" in brought.said
    assert ("read as gbk" in brought.said) == (encoding == "gbk")


def test_chinese_names_of_quantities(brought: Brought) -> None:
    (one,) = brought.read("文件名;效价;唤醒度\na.mp4;-0,25;0,5\n", "a.mp4")
    assert (one.targets.valence, one.targets.arousal) == (-0.25, 0.5)


def test_windows_1252_is_found_out_and_another_encoding_is_named(brought: Brought) -> None:
    one, two = brought.read(GERMAN, "müller.mp4", "b.mp4", saved_as="cp1252")
    assert (one.id, one.targets.emotion, two.targets.emotion) == ("müller", "happy", "angry")
    assert "read as cp1252; if words look wrong, name its encoding with --encoding" in brought.said
    (three,) = brought.read(
        "path,label,text\nb.mp4,sad,Žąsis ėjo šalin\n", saved_as="cp1257", encoding="cp1257"
    )
    assert three.text == "Žąsis ėjo šalin"
    with pytest.raises(EmollamaError, match=r"t\.csv: is not ascii text \(byte"):
        brought.read(GERMAN, saved_as="cp1252", encoding="ascii")
    with pytest.raises(EmollamaError, match="encoding 'klingon' is unknown; examples"):
        brought.read(GERMAN, encoding="klingon")


def test_a_spreadsheets_first_line_decimal_commas_and_clocks(brought: Brought) -> None:
    text = "sep=;\nPath;LABEL;Start Time;End_Time;Valence\na.mp4;sad;1,5;2,25;-0,75\n"
    (one,) = brought.read(text, "a.mp4")
    assert (one.start, one.end, one.targets.valence) == (1.5, 2.25, -0.75)
    with pytest.raises(EmollamaError, match=r"t\.csv:3: column 'end': '1:2' is not"):
        brought.read(text.replace("2,25", "1:2"), "a.mp4")
    # The first line of declare-lab/MELD, data/MELD/train_sent_emo.csv, has 00:16:16,059.
    (two,) = brought.read("path\tlabel\tstart\tend\na.mp4\tsad\t00:16:16,059\t16:21.731\n")
    assert (two.start, two.end) == (976.059, 981.731)


MELD = (
    "Sr No.,Utterance,Speaker,Emotion,Sentiment,Dialogue_ID,Utterance_ID,Season,Episode,StartTime,"
    'EndTime\n1,also I was the point person,Chandler,neutral,neutral,0,0,8,21,"00:16:16,059",'
    '"00:16:21,731"\n2,You must’ve had your hands full.,The Interviewer,neutral,neutral,0,1,8,21,'
    '"00:16:21,940","00:16:23,442"\n'
)
"""Header and first rows (the first text shortened) of declare-lab/MELD's train_sent_emo.csv."""


def test_a_table_of_texts(brought: Brought) -> None:
    one, two = brought.read(MELD)
    assert (one.id, one.text) == ("t-00001", "also I was the point person")
    assert (two.speaker, two.targets.emotion) == ("The Interviewer", "neutral")
    assert two.targets.sentiment is None and two.start is None and two.video is None
    assert "columns ignored: Sr No., Sentiment," in brought.said
    assert "label from 'Emotion'" in brought.said


@pytest.mark.parametrize(
    "cell",
    ["clips\\a.mp4", ".\\clips\\a.mp4", "C:\\Users\\li\\clips\\a.mp4", "D:/data/clips/a.mp4",
     "\\\\server\\share\\clips\\a.mp4", "/home/li/clips/a.mp4", "/elsewhere/CLIPS/a.MP4"],
)  # fmt: skip
def test_paths_of_other_machines(brought: Brought, cell: str) -> None:
    root = brought.folder if "CLIPS" in cell else None
    (one,) = brought.read(f"path,label\n{cell},sad\n", "clips/a.mp4", media_root=root)
    assert (one.id, one.video) == ("a", "clips/a.mp4")
    with pytest.raises(EmollamaError, match=r"would both be .*name the folder"):
        text = "path,label\nC:\\x\\a.mp4,sad\nC:\\y\\a.mp4,sad\n"
        brought.read(text, media_root=brought.folder / "clips")


def test_names_without_suffix_zeros_and_folders(brought: Brought) -> None:
    plant(brought.folder / "raw", ["part_1/00025.mp4", "part_1/00025.jpg", "p2/x.wav", "p3/x.wav"])
    text = "name,label\n25,sad\n"
    (one,) = brought.read(text, media_root=brought.folder / "raw")
    assert (one.id, one.video) == ("00025", "raw/part_1/00025.mp4")
    (two,) = brought.read("name,label\np3/x,sad\n", media_root=brought.folder / "raw")
    assert two.audio == "raw/p3/x.wav"
    with pytest.raises(EmollamaError, match=r"'x' may be .*p2/x\.wav or .*p3/x\.wav; write more"):
        brought.read("name,label\nx,sad\n", media_root=brought.folder / "raw")


def test_spans_and_equal_names_get_ids(brought: Brought) -> None:
    text = "path,label,start,end\ntalk.mp4,sad,0,12.5\ntalk.mp4,happy,1234.567,\ns1/01.mp4,sad,,\n"
    read = brought.read(text + "s2/01.mp4,sad,,\n", "talk.mp4", "s1/01.mp4", "s2/01.mp4")
    assert [s.id for s in read] == ["talk_0-12.5", "talk_1234.567-", "s1/01", "s2/01"]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("00025.mp4 anger\n00026.mp4 joy\n", "list.txt"),  # as MER and EMER lists are written
        ("anger\t00025.mp4\njoy\t00026.mp4\n", "list.tsv"),
        ("00025,anger\n00026,joy\n", "list.csv"),
        ('{"file": "00025.mp4", "emotion": ["anger"]}\n{"emotion": "joy", "file": "00026.mp4"}\n',
         "rows.jsonl"),
        ('[{"clip": "00025.mp4", "label": "anger"},\n {"clip": "00026.mp4", "label": "joy"}]',
         "r.json"),
        ('{"00025": {"video": "00025.mp4", "label": "anger"},\n'
         ' "00026": {"video": "00026.mp4", "label": "joy"}}', "r.json"),
    ],
)  # fmt: skip
def test_lists_without_names_and_json(brought: Brought, text: str, name: str) -> None:
    read = brought.read(text, "00025.mp4", "00026.mp4", name=name)
    assert [(s.id, s.video, s.targets.emotion) for s in read] == [
        ("00025", "00025.mp4", "angry"), ("00026", "00026.mp4", "happy"),
    ]  # fmt: skip


def test_a_list_is_read_by_number_or_says_how(brought: Brought) -> None:
    (one,) = brought.read("x y 00025.mp4 3\n", "00025.mp4", mapping={"3": "angry"},
                          columns={"path": "3", "label": "4"})  # fmt: skip
    assert (one.id, one.targets.emotion) == ("00025", "angry")
    with pytest.raises(EmollamaError, match=r"no column '5' .*give its number, 1 to 4"):
        brought.read("x y 00025.mp4 3\n", columns={"path": "5"})
    with pytest.raises(
        EmollamaError, match=r"'cross' is not in label set 'mer2023'.* --map 'cross="
    ):
        brought.read("00025.mp4 anger\n00026.mp4 cross\n", "00026.mp4")


def test_no_labels_is_a_corpus_to_be_predicted(brought: Brought) -> None:
    (one,) = brought.read("clip,note\na.mp4,late\n", "a.mp4")
    assert one.targets.emotion is None
    assert "clips to be predicted; name it with --column label=COLUMN, one of: note" in brought.said
    (two,) = brought.read("a.mp4\n", "a.mp4", name="ls.txt")
    assert two.id == "a"


def test_other_targets(brought: Brought) -> None:
    text = (
        "path,label,arousal,context,reason,openset\n"
        'a.mp4,sad,0.5,"Ann: Hi\nBob: Go",he cries,"Joyful, a little shy;joyful"\n'
    )
    (one,) = brought.read(text, "a.mp4")
    assert one.context == ("Ann: Hi", "Bob: Go")
    assert one.targets.words == ("Joyful", "a little shy")
    assert (one.targets.reason, one.targets.arousal) == ("he cries", 0.5)


def test_several_labels_in_a_cell_and_one_hot_columns(brought: Brought) -> None:
    clips = ("a.mp4", "b.mp4")
    both = {"happy": 1.0, "surprise": 1.0}
    read = brought.read("path;label\na.mp4;happy|surprise\nb.mp4;sad\n", *clips)
    assert [{k: v for k, v in (s.targets.emotions or {}).items() if v} for s in read] == [
        both, {"sad": 1.0},
    ]  # fmt: skip
    assert [s.targets.emotion for s in read] == [None, None]
    read = brought.read("path,Joy,Sadness,anger\na.mp4,1,0,0\nb.mp4,0,1,0\n")
    assert [s.targets.emotion for s in read] == ["happy", "sad"]
    read = brought.read("path,happy,sad,surprise\na.mp4,1,0,1\nb.mp4,0,0,0\n")
    assert {k: v for k, v in (read[0].targets.emotions or {}).items() if v} == both


# microsoft/FERPlus, fer2013new.csv at 8ad5426: its header and its first and fourth row.
FERPLUS = (
    "Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF\n"
    "Training,fer0000000.png,4,0,0,1,3,2,0,0,0,0\nTraining,fer0000003.png,4,0,0,4,1,0,0,0,1,0\n"
)


def test_columns_of_votes(brought: Brought) -> None:
    labels = read_labels("neutral,happiness,surprise,sadness,anger,disgust,fear,contempt")
    one, two = brought.read(FERPLUS, "fer0000000.png", "fer0000003.png", labels=labels, split=None)
    assert (one.split, one.video, one.targets.emotion) == ("train", "fer0000000.png", "neutral")
    assert one.targets.votes == {"neutral": 4, "sadness": 1, "anger": 3, "disgust": 2}
    assert two.targets.emotion is None, "neutral and sadness have four votes each"
    assert "1 clip has no label, because annotators are divided evenly" in brought.said
    assert "columns ignored: unknown, NF" in brought.said


@pytest.mark.parametrize("mode", ["majority", "votes"])
def test_annotators_in_rows_and_in_columns(brought: Brought, mode: str) -> None:
    long = "clip,rater,emotion,valence\na.mp4,1,sad,0\na.mp4,2,sad,1\na.mp4,3,angry,-0.4\n"
    (one,) = brought.read(long, "a.mp4", annotators=mode)
    assert one.targets.votes == {"sad": 2, "angry": 1}
    assert one.targets.emotion == ("sad" if mode == "majority" else None)
    assert one.targets.valence == pytest.approx(0.2)
    for columns in (None, {"label": ["label_1", "label_2", "label_3"]}):
        wide = "path,label_1,label_2,label_3\na.mp4,sad,angry,sad\n"
        (two,) = brought.read(wide, annotators=mode, columns=columns)
        assert two.targets.model_dump(exclude={"valence"}) == one.targets.model_dump(
            exclude={"valence"}
        )


def test_label_sets_by_list_file_and_from_the_table(brought: Brought, tmp_path: Path) -> None:
    assert read_labels("glad, cross").labels == ("glad", "cross")  # type: ignore[union-attr]
    own = tmp_path / "mine.txt"
    own.write_text("glad: 高兴, joy  # both\ncross\n", encoding="utf-8")
    found = read_labels(str(own))
    assert found is not None and found.name == "mine" and found.canonical("高兴") == "glad"
    (one,) = brought.read("path,label\na.mp4,Joy\n", "a.mp4", labels=found)
    assert one.targets.emotion == "glad"
    read = brought.read("path,label\na.mp4,cross\nb.mp4,Glad\n", "a.mp4", "b.mp4", labels=None)
    assert [s.targets.emotion for s in read] == ["cross", "Glad"]
    with pytest.raises(
        EmollamaError, match="labels are words: say what it means with --map 0=WORD"
    ):
        brought.read("path,label\na.mp4,0\n", labels=None)
    with pytest.raises(EmollamaError, match=r"--labels mer2032: is no label set, .*'mer2023'"):
        read_labels("mer2032")


def test_numbers_are_mapped_to_labels(brought: Brought) -> None:
    text = "path,label\na.mp4,0\nb.mp4,3.0\nc.mp4,xxx\n"
    mapping = read_map(["0=neutral", "3=Joy", "xxx="])
    read = brought.read(text, "a.mp4", "b.mp4", "c.mp4", mapping={**mapping, "3": "happy"})
    assert [s.targets.emotion for s in read] == ["neutral", "happy", None]
    with pytest.raises(EmollamaError, match=r"'0' is not in label set .*--map '0=LABEL'"):
        brought.read(text)
    with pytest.raises(EmollamaError, match="--map 0=neutrl: 'neutrl' is not in label set"):
        brought.read(text, mapping={"0": "neutrl"})


def test_a_folder_of_frames_is_named_by_a_table(brought: Brought) -> None:
    # DFEW's Clip/clip_224x224/<id>/<id>_<number>.jpg; here with frames named by number alone.
    frames = [f"{clip}/{i}.jpg" for clip in ("00001", "00002") for i in (1, 2, 10)]
    plant(brought.folder / "clips", frames)
    text = "path,label\n00001,happy\n00002,sad\n"
    read = brought.read(text, media_root=brought.folder / "clips")
    assert [s.video for s in read] == ["clips/00001", "clips/00002"]
    (old,) = brought.read("path,label\nD:\\clips\\00002,sad\n", media_root=brought.folder / "clips")
    assert old.video == "clips/00002"


def test_a_folder_of_frames_below_a_folder_is_one_clip(brought: Brought) -> None:
    frames = [f"{clip}/{i}.jpg" for clip in ("00001", "00002", "00003") for i in (1, 2, 10)]
    plant(brought.folder / "clips", [*frames, "00002.wav", "00003.mp4"])
    plant(brought.folder / "clips", ["album/a.jpg", "album/1.jpg", "1.jpg", "2.jpg"])
    folder = prepare_folder(brought.folder / "clips", brought.folder / "f.jsonl", labels=MER)
    found = samples_of(brought.folder / "f.jsonl")
    assert {(s.video, s.audio) for s in found.values()} == {
        ("clips/00001", None), ("clips/00002", "clips/00002.wav"), ("clips/00003.mp4", None),
        *((f"clips/{name}.jpg", None) for name in ("album/a", "album/1", "1", "2")),
    }  # fmt: skip
    assert "2 folders of numbered pictures are each a clip, of 25 frames" in str(folder.notes)
    assert "2 numbered pictures are each a clip; where they are the frames" in str(folder.notes)
    assert "1 pictures beside a clip of the same name" in str(folder.notes)


def test_a_table_is_not_overwritten_and_a_minute_has_60_seconds(brought: Brought) -> None:
    text = "path,label\na.mp4,sad\n"
    plant(brought.folder, ["a.mp4"])
    own = brought.folder / "t.csv"
    own.write_text(text)
    with pytest.raises(EmollamaError, match="is the table itself"):
        prepare_csv(own, brought.folder / "." / "t.csv", labels=MER)
    assert own.read_text() == text
    for odd in ("1:99", "1:75:00"):
        with pytest.raises(EmollamaError, match=f"'{odd}' is not a number of seconds, nor a time"):
            brought.read(f"path,label,start\na.mp4,sad,{odd}\n")
    (one,) = brought.read("path,label,start\na.mp4,sad,75:30\n")  # minutes of a long recording
    assert one.start == 4530


def test_splits_under_other_names_are_told(brought: Brought) -> None:
    text = "path,label,Set\na.mp4,sad,Train\nb.mp4,sad,dev\nc.mp4,sad,Test\n"
    read = brought.read(text, "a.mp4", "b.mp4", "c.mp4", split=None)
    assert [s.split for s in read] == ["train", "val", "test"]
    assert "splits: 'Train' is train, 'dev' is val, 'Test' is test" in brought.said


def test_a_folder_of_clips(tmp_path: Path) -> None:
    # Names as in 2black0/video-emotion-recognition-javanese and in RAVDESS.
    plant(tmp_path / "clips", ["videos/08-01-01_01.mp4", "03-01-08-01-01-01-09.mp4",
                               "03-01-08-01-01-01-09.wav", "08.jpg", "a/1.wav", "b/1.wav",
                               "notes.txt", ".hidden.mp4"])  # fmt: skip
    report = prepare_folder(tmp_path / "clips", tmp_path / "m.jsonl", labels=MER)
    found = samples_of(tmp_path / "m.jsonl")
    assert sorted(found) == ["03-01-08-01-01-01-09", "08", "08-01-01_01", "a/1", "b/1"]
    both = found["03-01-08-01-01-01-09"]
    assert (both.video, both.audio) == (
        "clips/03-01-08-01-01-01-09.mp4", "clips/03-01-08-01-01-01-09.wav",
    )  # fmt: skip
    assert "1 sounds are the voice of the video" in "\n".join(report.lines())
    # The picture in ../shared/data/real_files/torchcodec, and one of a phone.
    plant(tmp_path / "pictures", ["gradient.heic", "IMG_1.HEIF", "x.avif"])
    prepare_folder(tmp_path / "pictures", tmp_path / "p.jsonl", labels=MER)
    assert len(samples_of(tmp_path / "p.jsonl")) == 3
    (tmp_path / "pictures/gone.mp4").symlink_to(tmp_path / "nowhere.mp4")
    found = prepare_folder(tmp_path / "pictures", tmp_path / "p.jsonl", labels=MER)
    assert found.rejected == {str(tmp_path / "pictures/gone.mp4"): "media file is missing"}
    (tmp_path / "empty").mkdir()
    with pytest.raises(EmollamaError, match="holds no video, sound or picture"):
        prepare_folder(tmp_path / "empty", tmp_path / "m.jsonl", labels=MER)


def test_reading_a_table_takes_time_linear_in_its_rows(brought: Brought) -> None:
    plant(brought.folder / "clips", [f"{i:05d}.mp4" for i in range(2000)])

    def read(count: int) -> None:
        rows = (f"clips/{i:05d}.mp4,{('happy', 'sad')[i % 2]},s{i % 60}" for i in range(count))
        brought.read("path,label,speaker\n" + "\n".join(rows) + "\n", split=None)

    assert growth(read, 500, 2000, rounds=2) < 10  # 4 where linear, 16 where quadratic


def test_real_tables_that_lie_here(brought: Brought) -> None:
    """declare-lab/MELD's own table, where there is a copy of it."""
    table = Path(__file__).parents[3] / "shared/data/meld/dev_sent_emo.csv"
    if not table.is_file():
        pytest.skip("no copy of MELD's table")
    read = brought.read(table.read_text(encoding="utf-8"), labels=get_label_set("meld"))
    with table.open(encoding="utf-8", newline="") as file:
        assert len(read) == len(list(csv.DictReader(file))) == 1109
