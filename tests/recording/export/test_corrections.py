"""Labels corrected in ELAN or Praat come back as training data."""

from __future__ import annotations

from pathlib import Path

import pytest
from praatio import textgrid
from pympi import Elan
from typer.testing import CliRunner

from emollama.base.errors import EmollamaError
from emollama.cli.data.prepare import app
from emollama.manifest.labels import get_label_set
from emollama.manifest.sample import Sample, read_manifest, write_manifest
from emollama.recording.corrections import prepare_corrected
from emollama.recording.export import write_all
from tests.recording.export.made import STEM, analysis


@pytest.fixture
def eaf(tmp_path: Path) -> Path:
    """`recording.eaf` in the folder of an analysis."""
    made = analysis(tmp_path / "media" / f"{STEM}.mp4")
    out = tmp_path / "out"
    write_all(made, out)
    samples = [
        Sample(
            id=one.id, video=f"../media/{STEM}.mp4" if one.view else None,
            audio=None if one.view else f"../media/{STEM}.mp4", start=one.start, end=one.end,
            view=one.view, text=one.text or "", speaker=f"{STEM}-{one.person}", group=STEM,
        )
        for one in made.segments
    ]  # fmt: skip
    write_manifest(out / "manifest.jsonl", "recording", get_label_set("mer2023"), samples)
    return out / "recording.eaf"


def corrected(file: Path) -> tuple[dict[str, Sample], str]:
    out = file.parent.parent / "train/one/m.jsonl"
    report = prepare_corrected([file], out)
    return {s.id: s for s in read_manifest(out).samples}, "\n".join(report.lines())


def annotate(path: Path, tier: str, start: int, end: int, value: str, erase: bool = True) -> None:
    """What a researcher does in ELAN: an annotation in place of those that it touches."""
    eaf = Elan.Eaf(str(path))
    if erase:
        for a in eaf.get_annotation_data_between_times(tier, start + 1, end - 1):
            eaf.remove_annotation(tier, (a[0] + a[1]) // 2)
    eaf.add_annotation(tier, start, end, value)
    eaf.to_file(str(path))


def test_a_corrected_label_keeps_id_view_person_and_words(eaf: Path) -> None:
    annotate(eaf, "A emotion", 7500, 12000, "Sadness")
    annotate(eaf, "A text", 7500, 12000, "But why?")
    found, told = corrected(eaf)
    first = {s.id: s for s in read_manifest(eaf.parent / "manifest.jsonl").samples}
    one = found[f"{STEM}-A-0000750"]
    assert one.targets.emotion == "sad" and one.text == "But why?"
    kept = first[one.id]
    assert (one.view, one.start, one.end, one.speaker, one.group) == (
        kept.view, kept.start, kept.end, f"{STEM}-A", STEM,
    )  # fmt: skip
    assert one.video == f"../../media/{STEM}.mp4" and one.audio is None
    # The segment without an answer was not labelled by the researcher either.
    assert set(first) - set(found) == {f"{STEM}-A-0001200"}
    assert "1 labels differ from the model's answers, 0 intervals are new" in told
    assert "1 intervals without a label are left out" in told


def test_intervals_that_were_split_moved_or_added(eaf: Path) -> None:
    annotate(eaf, "A emotion", 500, 2000, "happy")  # in place of the whole, 500 to 4250
    annotate(eaf, "A emotion", 2000, 4250, "sad", erase=False)
    annotate(eaf, "B emotion", 18300, 20000, "neutral")
    annotate(eaf, "B emotion", 10000, 11000, "sad", erase=False)
    found, told = corrected(eaf)
    first, second = found[f"{STEM}-A-0000050"], found[f"{STEM}-A-0000200"]
    assert (first.text, second.text) == ("I see", "you there")
    assert first.view == second.view == (0.1, 0.1, 0.5, 0.9) and first.end == 2.0
    moved = found[f"{STEM}-B-0001830"]
    assert (moved.start, moved.text, moved.view) == (18.3, "fine", None)
    added = found[f"{STEM}-B-0001000"]
    assert added.video is None and added.audio and added.speaker == f"{STEM}-B"
    assert "3 intervals are new" in told and "1 intervals overlap no segment" in told


def test_praat_does_the_same(eaf: Path) -> None:
    path = eaf.with_suffix(".TextGrid")
    grid = textgrid.openTextgrid(str(path), includeEmptyIntervals=False)
    tier = grid.getTier("A emotion")
    tier.insertEntry((12.0, 19.0, "worried"), "error")
    grid.replaceTier("A emotion", tier)
    grid.save(str(path), "short_textgrid", includeBlankSpaces=True)
    found, _ = corrected(path)
    assert found[f"{STEM}-A-0001200"].targets.emotion == "worried"
    assert found[f"{STEM}-A-0001200"].view == (0.2, 0.1, 0.6, 0.9)


def test_what_cannot_be_read_is_one_line(eaf: Path, tmp_path: Path) -> None:
    annotate(eaf, "A emotion", 7500, 12000, "angri")
    where = r"recording\.eaf: tier 'A emotion' at 7\.50 s: 'angri' is not in label set 'mer2023'; "
    with pytest.raises(EmollamaError, match=where + "did you mean 'angry'"):
        corrected(eaf)
    with pytest.raises(EmollamaError, match=r"manifest\.jsonl: is the manifest of the analysis"):
        prepare_corrected([eaf], eaf.parent / "manifest.jsonl")
    (eaf.parent / "manifest.jsonl").unlink()
    with pytest.raises(EmollamaError, match=r"manifest\.jsonl: cannot be read: No such file"):
        corrected(eaf)


def test_the_command(eaf: Path, tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["corrected", str(eaf), "--out", str(tmp_path / "m.jsonl")])
    assert done.exit_code == 0 and "4 samples" in done.output, done.output
