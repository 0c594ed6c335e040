"""MERR's and MER2023's lists, in the released form."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from emollama.base.errors import EmollamaError
from emollama.corpora.readers.nce_list import prepare_nce
from emollama.manifest.labels import get_label_set
from emollama.manifest.sample import read_manifest

MERR = Path(__file__).parents[3] / "shared/data/merr"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "video").mkdir()
    for name in ("sample_00000047.mp4", "sample_00000054.avi", "sample_00000060.mp4"):
        (tmp_path / "video" / name).write_bytes(b"")
    (tmp_path / "list.txt").write_text(
        "sample_00000047 22 surprise -0.61\nsample_00000054 0 angry -10\n\n"
        "sample_00000060 3 doubt\nsample_00000061 3 sad -10\n"
    )
    (tmp_path / "transcription_en_all.csv").write_text(
        '\ufeffname,chinese,sentence\nsample_00000047,啊,"Oh, my."\nsample_00000060,,\n'
    )
    reasons = {
        "sample_00000047": {"smp_reason_caption": "Eyes wide,\n    so surprise."},
        "sample_00000054": {
            "smp_reason_caption": "A frown.",
            "text": "Not on purpose.",
            "pseu_emotion": "sad",
        },
        "sample_00000060": {"smp_reason_caption": "A raised brow."},
    }
    (tmp_path / "fine.json").write_text(json.dumps(reasons))
    return tmp_path


def test_a_list_with_videos_transcripts_and_reasons(root: Path) -> None:
    report = prepare_nce(
        root / "list.txt", root / "out/m.jsonl", labels=get_label_set("merr"),
        media=root / "video", transcripts=root / "transcription_en_all.csv",
        reasons=root / "fine.json", validation=3,
    )  # fmt: skip
    samples = {s.id: s for s in read_manifest(root / "out/m.jsonl").samples}
    assert list(samples) == ["sample_00000047", "sample_00000054", "sample_00000060"]
    first = samples["sample_00000047"]
    assert (first.text, first.targets.emotion) == ("Oh, my.", "surprise")
    assert first.targets.reason == "Eyes wide, so surprise."
    assert first.video == "../video/sample_00000047.mp4" and first.split == "val"
    assert samples["sample_00000054"].text == "Not on purpose."
    assert samples["sample_00000060"].text is None
    assert report.rejected == {"sample_00000061": f"no video in {root / 'video'}"}
    assert "1 without a transcript" in report.notes
    assert report.notes[-1] == (
        "1 labels differ between list and json, e.g. 'sample_00000054', 'angry' in the "
        "list and 'sad' in the json; those of the list are used"
    )


def test_of_two_sentences_the_english_one_is_read(root: Path) -> None:
    """ZebangCheng/Emotion-LLaMA 4ee28d2, minigpt4/datasets/datasets/mer2024.py: `sentence_en`."""
    table = root / "transcription_all_new.csv"
    table.write_text("name,sentence,sentence_en\nsample_00000047,我的天,My goodness.\n")
    labels, out = get_label_set("merr"), root / "out/m.jsonl"
    prepare_nce(root / "list.txt", out, labels=labels, transcripts=table)
    assert read_manifest(out).samples[0].text == "My goodness."


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("sample_1 0", "must hold name, frame count and emotion"),
        ("sample_1 0 bored", "'bored' is not in label set 'merr'"),
        ("../sample_1 0 happy", "is not a valid id"),
        ("", "no usable line"),
    ],
)
def test_what_is_no_such_list(root: Path, line: str, said: str) -> None:
    (root / "list.txt").write_text(line + "\n")
    with pytest.raises(EmollamaError, match=said):
        prepare_nce(root / "list.txt", root / "m.jsonl", labels=get_label_set("merr"))
    assert not (root / "m.jsonl").exists()


@pytest.mark.skipif(not MERR.is_dir(), reason="MERR's annotations are not here")
def test_the_released_fine_annotations(tmp_path: Path) -> None:
    report = prepare_nce(
        MERR / "MERR_fine_grained.txt", tmp_path / "m.jsonl", labels=get_label_set("merr"),
        reasons=MERR / "MERR_fine_grained.json",
    )  # fmt: skip
    samples = read_manifest(tmp_path / "m.jsonl").samples
    lines = (MERR / "MERR_fine_grained.txt").read_text().split("\n")
    assert report.samples == sum(bool(line.strip()) for line in lines) > 3000
    assert all(s.targets.reason and "\n" not in s.targets.reason for s in samples)
