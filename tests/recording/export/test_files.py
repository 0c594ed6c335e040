"""Files that other programs open, re-read by the libraries of those programs."""

from __future__ import annotations

import csv
import re
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote

import pytest
import webvtt
from praatio import textgrid
from pympi import Elan

from emollama.base.errors import EmollamaError
from emollama.corpora.tables.tiers import Interval, read_subtitles
from emollama.recording.export import FORMATS, write_all
from emollama.recording.export.subtitles import LONGEST_CUE, cues
from emollama.recording.export.tiers import apart
from tests.recording.export.made import LABELS, NASTY, STEM, analysis, answered, segment


@pytest.fixture
def out(tmp_path: Path) -> Path:
    write_all(analysis(tmp_path / f"{STEM}.mp4"), tmp_path / "out")
    return tmp_path / "out"


def table(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def test_a_row_for_each_segment(out: Path) -> None:
    first, second, third, failed, _ = table(out / "segments.csv")
    assert first["id"] == f"{STEM}-A-0000050" and first["label_set"] == "neutral; sad"
    assert float(first["probability"]) == float(first["p(neutral)"]) == 0.8
    assert sum(float(first[f"p({label})"]) for label in LABELS) == pytest.approx(1, abs=1e-5)
    assert first["without_norm"] == "sad"
    assert second["text"] == f"{NASTY} & --> so" and second["reason"] == f"He says {NASTY}."
    assert second["reason_from"] == "clues" and first["reason_from"] == ""
    # The face alone is unsure (.3) and takes no part.
    assert second["conflict"] == "voice angry, words happy" and not second["change"]
    assert third["change"] == "neutral → angry" and not third["conflict"]
    assert third["notes"] == "the face is small; far away"
    assert failed["error"] and not failed["label"] and not failed["p(angry)"]


def test_a_row_for_each_person_and_time(out: Path) -> None:
    rows = table(out / "timeline.csv")
    assert len(rows) == 2 * 100
    assert [row["time"] for row in rows[98:102]] == ["19.60", "19.80", "0.00", "0.20"]
    silent = [row for row in rows if row["speaking"] == "0"]
    assert silent and not any(row["loudness"] or row["pitch"] for row in silent)
    assert {row["speaking"] for row in rows} == {"0", "1"} and "nan" not in str(rows)
    assert all(-1 <= float(row["valence"]) <= 1 for row in rows)


def test_turns_are_strict_rttm(out: Path) -> None:
    lines = (out / "recording.rttm").read_text().splitlines()
    pattern = re.compile(r"SPEAKER (\S+) 1 (\d+\.\d+) (\d+\.\d+) <NA> <NA> (\S+) <NA> <NA>")
    read = [pattern.fullmatch(line) for line in lines]
    assert all(read) and len(read) == 4
    assert {m[1] for m in read if m} == {"Ann_&_Bo's_<talk>_#1"}
    assert [(m[4], float(m[2]), float(m[3])) for m in read if m][1] == ("B", 4.0, 3.0)


def test_subtitles_name_speaker_and_emotion(out: Path) -> None:
    cues = webvtt.read(str(out / "recording.vtt")).captions
    assert [(c.voice, c.start) for c in cues[:2]] == [
        ("A", "00:00:00.500"), ("B", "00:00:04.000"),
    ]  # fmt: skip
    raw = (out / "recording.vtt").read_text()
    assert '<v B>(angry) &lt;/script&gt;&lt;b&gt;"No"&lt;/b&gt; &amp; --&gt; so\n' in raw
    said = read_subtitles(out / "recording.srt")
    # What is silent (A from 12 to 19 s) has no cue.
    assert [(i.start, i.end) for i in said] == [(0.5, 4.25), (4, 7), (7.5, 12), (18, 20)]
    assert said[0].words == "A (neutral): I see you there"
    assert said[1].words == 'B (angry): ‹/script›‹b›"No"‹/b› & --› so'


def test_elan_holds_tiers_labels_and_the_recording(out: Path) -> None:
    eaf = Elan.Eaf(str(out / "recording.eaf"))
    assert list(eaf.get_tier_names()) == [
        "A emotion", "A text", "A words", "B emotion", "B text", "B words",
    ]  # fmt: skip
    assert eaf.get_annotation_data_for_tier("A emotion") == [
        (500, 4250, "neutral"), (7500, 12000, "angry"), (12000, 19000, ""),
    ]  # fmt: skip
    assert eaf.get_annotation_data_for_tier("B text")[0][2] == f"{NASTY} & --> so"
    assert eaf.tiers["B words"][2]["PARTICIPANT"] == "B"
    entries = eaf.controlled_vocabularies["labels"][1].values()
    assert [values[0][0] for values, _ in entries] == list(LABELS)
    kind = eaf.linguistic_types[eaf.tiers["A emotion"][2]["LINGUISTIC_TYPE_REF"]]
    assert kind["CONTROLLED_VOCABULARY_REF"] == "labels"
    media = eaf.get_linked_files()[0]
    assert unquote(media["RELATIVE_MEDIA_URL"]) == f"./../{STEM}.mp4"
    assert media["MIME_TYPE"] == "video/mp4" and "%20" in media["MEDIA_URL"]


def test_praat_reads_the_same_tiers(out: Path) -> None:
    grid = textgrid.openTextgrid(str(out / "recording.TextGrid"), includeEmptyIntervals=False)
    assert grid.tierNames[:3] == ("A emotion", "A text", "A words") and grid.maxTimestamp == 20
    assert [tuple(e) for e in grid.getTier("A emotion").entries] == [
        (0.5, 4.25, "neutral"), (7.5, 12.0, "angry"),
    ]  # fmt: skip
    assert grid.getTier("B text").entries[0].label == f"{NASTY} & --> so"


def test_long_sentences_are_several_cues_and_silence_is_none(tmp_path: Path) -> None:
    said = " ".join(f"word{i}" for i in range(40))
    made = replace(
        analysis(tmp_path / "a.mp4"),
        segments=(segment("A", 1, 13, said), segment("B", 5, 9)),
        answers=(answered("sad", 0.9), answered("happy", 0.9)),
    )
    found = cues(made)
    assert " ".join(cue.words for cue in found) == said and {c.person for c in found} == {"A"}
    assert len(found) == 4 and all(len(cue.words) <= LONGEST_CUE for cue in found)
    ends = [found[0].start, *(cue.end for cue in found)]
    assert ends[0] == 1 and ends[-1] == 13 and ends[1:-1] == [cue.start for cue in found[1:]]


def test_intervals_of_a_tier_never_overlap() -> None:
    found = apart([Interval(2.0004, 3, "b"), Interval(0, 2.5, "a"), Interval(2.9, 9, "c"),
                   Interval(4, 4.0002, "no time"), Interval(-1, 0.5, "first")], 8)  # fmt: skip
    # Both begin at 0 when the recording does: the longer one begins behind the shorter.
    assert [(i.start, i.end, i.words) for i in found] == [
        (0, 0.5, "first"), (0.5, 2, "a"), (2, 2.9, "b"), (2.9, 8, "c"),
    ]  # fmt: skip


def test_the_same_analysis_gives_the_same_bytes(out: Path, tmp_path: Path) -> None:
    first = {file.name: file.read_bytes() for file in out.iterdir()}
    write_all(analysis(tmp_path / f"{STEM}.mp4"), out)
    assert b'DATE="1970-01-01T00:00:00+00:00"' in first["recording.eaf"]
    assert first == {file.name: file.read_bytes() for file in out.iterdir()}


def test_an_unknown_format_is_told(tmp_path: Path) -> None:
    with pytest.raises(EmollamaError, match=r"^format 'elan' is unknown"):
        write_all(analysis(tmp_path / "a.mp4"), tmp_path / "out", ["elan"])
    assert "eaf" in FORMATS and not (tmp_path / "out").exists()


def test_a_name_that_is_no_unicode_is_no_obstacle(tmp_path: Path) -> None:
    write_all(analysis(tmp_path / "tal\udcffk.mp4"), tmp_path / "out")
    assert (tmp_path / "out/recording.rttm").read_text().startswith("SPEAKER tal_k 1 0.500 ")
    assert 'src="./../tal%FFk.mp4"' in (tmp_path / "out/report.html").read_text()
