"""Subtitles and tiers: lines of real files, as rows of clips."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from emollama.base.errors import EmollamaError
from emollama.corpora.csv_table import prepare_csv
from emollama.corpora.report import PrepareReport
from emollama.manifest.labels import get_label_set
from emollama.manifest.sample import Sample
from tests.corpora.trees import plant, samples_of

# glut23/webvtt-py, tests/subtitles/sample.srt at 2f78325: the second and the third cue.
SRT = (
    "2\n00:00:07,000 --> 00:00:11,890\nCaption text #2\n\n"
    "3\n00:00:11,890 --> 00:00:16,320\nCaption text #3\n"
)
# The same repository, tests/subtitles/cue_tags.vtt holds tags like these.
VTT = "WEBVTT\n\n00:16.500 --> 00:18.500\nWhen the <i>moon</i> hits your eye\n"

# timmahrt/praatIO, tests/files/mary.TextGrid at 9043a52: the first phones and the first word.
TEXTGRID = """File type = "ooTextFile"
Object class = "TextGrid"

0
1.869687
<exists>
2
"IntervalTier"
"phone"
0
1.869687
4
0
0.3154201182247563
""
0.3154201182247563
0.38526757369599995
"m"
0.38526757369599995
0.4906833231456586
"ə"
0.4906833231456586
1.869687
""
"IntervalTier"
"word"
0
1.869687
3
0
0.3154201182247563
""
0.3154201182247563
0.6755499913498981
"mary"
0.6755499913498981
1.869687
""
"""

# dopefishh/pympi, test/sample_3.0.eaf at 36d1426: its media, slots and tiers by these names; a
# slot without a time as its ts39. The participant and the annotations of "gestures" are ours.
EAF = """<?xml version="1.0" encoding="UTF-8"?>
<ANNOTATION_DOCUMENT AUTHOR="" DATE="2014-10-28T10:14:04+01:00" FORMAT="3.0" VERSION="3.0"
 xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
 xsi:noNamespaceSchemaLocation="http://www.mpi.nl/tools/elan/EAFv3.0.xsd">
<HEADER MEDIA_FILE="" TIME_UNITS="milliseconds"><MEDIA_DESCRIPTOR
 MEDIA_URL="file:///Users/Shared/MPI/DemoMaterial/yele/r03_v20_s5.wav" MIME_TYPE="audio/x-wav"
 RELATIVE_MEDIA_URL="../../DemoMaterial/yele/r03_v20_s5.wav"/></HEADER>
<TIME_ORDER><TIME_SLOT TIME_SLOT_ID="ts1" TIME_VALUE="2000"/>
<TIME_SLOT TIME_SLOT_ID="ts2" TIME_VALUE="5000"/><TIME_SLOT TIME_SLOT_ID="ts39"/></TIME_ORDER>
<TIER LINGUISTIC_TYPE_REF="t" PARTICIPANT="ann" TIER_ID="text"><ANNOTATION>
<ALIGNABLE_ANNOTATION ANNOTATION_ID="a1" TIME_SLOT_REF1="ts1" TIME_SLOT_REF2="ts2">
<ANNOTATION_VALUE>The quick brown fox 001</ANNOTATION_VALUE></ALIGNABLE_ANNOTATION></ANNOTATION>
</TIER><TIER LINGUISTIC_TYPE_REF="t" PARTICIPANT="ann" TIER_ID="gestures"><ANNOTATION>
<ALIGNABLE_ANNOTATION ANNOTATION_ID="a2" TIME_SLOT_REF1="ts1" TIME_SLOT_REF2="ts2">
<ANNOTATION_VALUE>sad</ANNOTATION_VALUE></ALIGNABLE_ANNOTATION></ANNOTATION><ANNOTATION>
<ALIGNABLE_ANNOTATION ANNOTATION_ID="a3" TIME_SLOT_REF1="ts2" TIME_SLOT_REF2="ts39">
<ANNOTATION_VALUE>happy</ANNOTATION_VALUE></ALIGNABLE_ANNOTATION></ANNOTATION></TIER>
<LINGUISTIC_TYPE GRAPHIC_REFERENCES="false" LINGUISTIC_TYPE_ID="t" TIME_ALIGNABLE="true"/>
</ANNOTATION_DOCUMENT>
"""


def prepared(table: Path, **options: Any) -> tuple[PrepareReport, list[Sample]]:
    out = (table if table.is_dir() else table.parent) / "m.jsonl"
    labels = get_label_set("mer2023")
    report = prepare_csv(table, out, labels=labels, split="none", **options)
    return report, list(samples_of(out).values())


@pytest.mark.parametrize(("name", "text"), [("talk.srt", SRT), ("talk.vtt", VTT)])
def test_cues_are_rows_with_times_below_a_second(tmp_path: Path, name: str, text: str) -> None:
    plant(tmp_path, ["talk.mp4"])
    (tmp_path / name).write_text(text)
    first = prepared(tmp_path / name)[1][0]
    if name == "talk.srt":
        assert (first.id, first.text, first.end) == ("talk_7-11.89", "Caption text #2", 11.89)
    else:
        assert (first.text, first.start) == ("When the moon hits your eye", 16.5)
    (tmp_path / name).write_text("nonsense")
    with pytest.raises(EmollamaError, match=f"{name}: is not valid {name[-3:]}: "):
        prepared(tmp_path / name)


def test_subtitles_give_clips_their_words(tmp_path: Path) -> None:
    plant(tmp_path, ["clips/talk.mp4", "clips/b.mp4"])
    (tmp_path / "subs").mkdir()
    (tmp_path / "subs/talk.srt").write_bytes(SRT.replace("text #3", "三").encode("utf-16"))
    (tmp_path / "t.csv").write_text(
        "path,label,start,end\nclips/talk.mp4,sad,10,16\nclips/talk.mp4,sad,7,16\nclips/b.mp4,sad,,\n"
    )
    report, read = prepared(tmp_path / "t.csv", subtitles=tmp_path / "subs")
    assert [s.text for s in read] == ["Caption 三", "Caption text #2 Caption 三", None]
    assert "text of 2 of 3 clips without one" in "\n".join(report.lines())


def test_a_textgrid(tmp_path: Path) -> None:
    plant(tmp_path, ["mary.wav"])
    for encoding in ("utf-8", "utf-16"):
        (tmp_path / "mary.TextGrid").write_text(TEXTGRID, encoding=encoding)
        _, (one,) = prepared(tmp_path / "mary.TextGrid", columns={"text": "word"})
        assert (one.text, one.audio, one.start, one.end) == ("mary", "mary.wav", 0.315, 0.676)
    with pytest.raises(EmollamaError, match=r"no tier is named label or text; .*: phone, word"):
        prepared(tmp_path / "mary.TextGrid")


def test_an_elan_file_and_a_folder_of_them(tmp_path: Path) -> None:
    plant(tmp_path, ["r03_v20_s5.wav"])
    (tmp_path / "sample.eaf").write_text(EAF)
    for table in (tmp_path / "sample.eaf", tmp_path):
        _, (one,) = prepared(table, columns={"label": "gestures"})
        assert (one.id, one.audio, one.speaker) == ("r03_v20_s5", "r03_v20_s5.wav", "ann")
        assert (one.text, one.targets.emotion) == ("The quick brown fox 001", "sad")
        assert (one.start, one.end) == (2.0, 5.0)
    (tmp_path / "sample.eaf").write_text(EAF[:900])
    with pytest.raises(EmollamaError, match=r"sample\.eaf: is not a valid \.eaf file"):
        prepared(tmp_path / "sample.eaf")


def test_a_folder_without_tiers_says_what_it_is_for(tmp_path: Path) -> None:
    plant(tmp_path, ["a.mp4"])
    with pytest.raises(EmollamaError, match="a folder of clips is for `emollama prepare folder`"):
        prepared(tmp_path)
