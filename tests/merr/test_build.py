"""The whole way on real files: clips and OpenFace CSVs in, a set that training reads out."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from emollama.base.errors import EmollamaError
from emollama.base.files import read_json
from emollama.corpora.readers.merr import prepare_merr
from emollama.manifest.sample import read_manifest
from emollama.merr.build import Build
from emollama.merr.settings import Settings
from emollama.merr.stagefile import Row, StageFile, read_rows
from emollama.merr.stages import STAGES, measure_all, run_all
from emollama.workers.shares import Share
from tests import warm
from tests.media.recording import record
from tests.merr.rows import _nothing, quiet

CLIPS = 6
RELEASED = ["AU_list", "visual_prior_list", "audio_prior_list", "peak_index", "peak_AU_list",
            "pseu_emotion", "text", "smp_reason_caption"]  # fmt: skip
"""Keys of the released fine-grained file, in their order."""


def openface(path: Path, strong: dict[str, float], frames: int = 50) -> None:
    """A CSV as FeatureExtraction writes it: blanks before names, a peak in frame 30."""
    units = ["AU01", "AU02", "AU04", "AU05", "AU06", "AU12", "AU15", "AU26"]
    head = ["frame", "face_id", "timestamp", "confidence", "success"]
    names = [*head, *(f"{u}_r" for u in units), *(f"{u}_c" for u in units)]
    lines = [", ".join(names)]
    for i in range(frames):
        rise = 1.0 if i == 30 else 0.5
        values = [round(strong.get(u, 0.1) * rise, 2) for u in units]
        present = [int(v > 0.8) for v in values]
        cells = [i + 1, 0, i * 0.04, 0.98, int(i != 5), *values, *present]
        lines.append(", ".join(map(str, cells)))
    path.write_text("\n".join(lines) + "\n")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six clips with CSVs and sentences, one cut off, one empty, one without a CSV."""
    folder = tmp_path_factory.mktemp("corpus")
    media, csvs = folder / "media", folder / "openface"
    media.mkdir()
    csvs.mkdir()
    faces: list[dict[str, float]] = [
        {"AU06": 3.0, "AU12": 4.0}, {"AU01": 3.0, "AU04": 2.5, "AU15": 3.5}, {},
        {"AU01": 2.0, "AU02": 3.0, "AU05": 3.0, "AU26": 3.0},
    ]  # fmt: skip
    sentences = ["name,sentence"]
    for i in range(CLIPS):
        name = f"clip-{i}"
        record(media / f"{name}.mp4", seconds=2.0 + 0.2 * i)
        openface(csvs / f"{name}.csv", faces[i % 4])
        sentences.append(f'{name},"This is sentence number {i}, said by somebody."')
    record(media / "whole.mp4")
    (media / "cut.mp4").write_bytes((media / "whole.mp4").read_bytes()[:3000])
    (media / "whole.mp4").rename(media / "no csv.mp4")
    (media / "empty.mp4").touch()
    (folder / "sentences.csv").write_text("\n".join(sentences) + "\n")
    return folder


def settings(corpus: Path) -> dict[str, Any]:
    return {
        "labels": "mer2023",
        "rules": "merr_published",
        "workers": 1,
        "faces": {"openface": corpus / "openface", "relative": False},
        "transcript": {"source": "given", "file": corpus / "sentences.csv"},
        "evidence": {"voice": 0, "words": 0},
        "refine": {"kind": "template"},
        "select": {"neutral": 1.0, "duplicates": 1.0, "validation": 3},
    }


def opened(corpus: Path, out: Path) -> Build:
    return Build(out, Settings(**settings(corpus)), corpus / "media", bar=quiet, echo=_nothing)


@pytest.fixture(scope="module")
def built(corpus: Path) -> Path:
    out = corpus / "built"
    run_all(opened(corpus, out))
    return out


def files(out: Path) -> dict[str, bytes]:
    """Everything but times."""
    return {
        path.relative_to(out).as_posix(): path.read_bytes()
        for path in sorted(out.rglob("*"))
        if path.is_file() and path.name not in ("log.jsonl", ".lock", "settings.json")
    }


def test_bad_clips_are_counted_with_their_reason_and_the_others_go_through(built: Path) -> None:
    told = read_json(built / "record.json")
    assert told["clips"]["in"] == CLIPS + 3 and told["clips"]["out"] == CLIPS + 1
    assert told["clips"]["rejected"] == {"unreadable": 2}
    assert told["units"]["rejected"] == {"no usable CSV": 1}
    assert told["select"]["out"] == told["export"]["out"] == CLIPS
    detail = told["units"]["examples"]["no usable CSV"][0]
    assert "no csv.csv: does not exist" in detail


def test_labels_peaks_and_intensities_follow_the_units(built: Path) -> None:
    rows = {r["id"]: r for r in read_rows(built / "stages" / "emotion.jsonl")}
    assert [rows[f"clip-{i}"]["label"] for i in range(4)] == [
        "happy", "sad", "neutral", "surprise",
    ]  # fmt: skip
    assert rows["clip-0"]["intensity"] == "moderately"  # (1.5 + 2.0) / 2, for most of the clip
    peaks = {r["id"]: r for r in read_rows(built / "stages" / "peak.jsonl")}
    assert peaks["clip-0"]["frame"] == 30 and peaks["clip-0"]["time"] == pytest.approx(1.2)
    assert list(peaks["clip-0"]["signs"]) == ["AU12", "AU06"]


def test_exports_have_the_released_schema_and_are_read_back(built: Path, tmp_path: Path) -> None:
    fine = json.loads((built / "MERR_fine_grained.json").read_text())
    assert list(fine) == [f"clip-{i}" for i in range(CLIPS)]
    assert all(list(entry) == RELEASED for entry in fine.values())
    coarse = json.loads((built / "MERR_coarse_grained.json").read_text())
    assert all(list(e) == [*RELEASED[:6], "caption"] for e in coarse.values())
    assert (built / "MERR_fine_grained.txt").read_text().splitlines()[0] == "clip-0 50 happy -10"
    report = prepare_merr(built, tmp_path / "fine.jsonl")
    assert report.samples == CLIPS
    again = read_manifest(tmp_path / "fine.jsonl").samples
    assert [s.targets.emotion for s in again[:2]] == ["happy", "sad"]


def test_the_manifest_names_clips_that_are_there_with_labels_and_reasons(built: Path) -> None:
    manifest = read_manifest(built / "manifest.jsonl")
    assert len(manifest.samples) == CLIPS
    for sample in manifest.samples:
        assert manifest.media(str(sample.video)).is_file()
        assert sample.targets.emotion and sample.targets.reason and sample.text
        assert sample.split in ("train", "val")
    shared = [row for part in ("sharegpt", "sharegpt_val")
              for row in json.loads((built / f"{part}.json").read_text())]  # fmt: skip
    assert len(shared) == 2 * CLIPS
    assert "happy" in [row["messages"][1]["content"] for row in shared]
    assert "**No person has checked a label.**" in (built / "CARD.md").read_text()
    page = (built / "report" / "report.html").read_text()
    assert page.count("data:image/jpeg;base64,") == CLIPS


def dying(after: int) -> Callable[..., None]:
    """`StageFile.add` that leaves half a row and ends the run after so many rows."""
    real, left = StageFile.add, [after]

    def add(self: StageFile, key: str, row: Row) -> None:
        if not left[0]:
            self.close()
            with self._journal.path.open("ab") as file:
                file.write(b'{"key":"' + key.encode()[:9])
            raise KeyboardInterrupt
        left[0] -= 1
        real(self, key, row)

    return add


def test_stopped_in_every_stage_it_ends_in_the_same_bytes(
    corpus: Path, built: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = corpus / "stopped"
    real = StageFile.add
    stops = 0
    # 9 clips, then 7 rows of three stages together, then 6 or 7 rows of each other stage.
    for after in (4, 10, 16, 5, 7, 7, 7, 7, 7, 7, 7):
        monkeypatch.setattr(StageFile, "add", dying(after))
        try:
            run_all(opened(corpus, out))
        except KeyboardInterrupt:
            stops += 1
    monkeypatch.setattr(StageFile, "add", real)
    run_all(opened(corpus, out))
    assert stops >= 8
    assert files(out) == files(built)


def test_shards_give_the_same_as_one_run(corpus: Path, built: Path) -> None:
    from emollama.merr.measure.stage import merge_shards

    out = corpus / "sharded"
    STAGES["clips"].run(opened(corpus, out))
    for i in range(2):
        part = opened(corpus, out)
        part.shard = Share(i, 2)
        measure_all(part)
    whole = opened(corpus, out)
    merge_shards(whole)
    run_all(whole)
    assert files(out) == files(built)


def test_every_mistake_is_one_line(corpus: Path, tmp_path: Path) -> None:
    def run(*words: str) -> str:
        done = warm.run("-m", "merr", *words)
        assert done.returncode == 2 and "Traceback" not in done.stderr
        return done.stderr.strip().splitlines()[-1]

    (tmp_path / "none").mkdir()
    out = str(tmp_path / "out")
    assert "holds no clips" in run("build", str(tmp_path / "none"), "--out", out)
    assert "refine.kin" in run(
        "build", str(corpus / "media"), "--out", out, "--options", "refine.kin=x"
    )


def test_mistakes_that_need_no_process_of_their_own(corpus: Path, tmp_path: Path) -> None:
    with pytest.raises(EmollamaError, match="stage 'norms' has not been run"):
        STAGES["emotion"].run(opened(corpus, tmp_path / "empty"))
    with pytest.raises(EmollamaError, match="stage 'clips' has not been run"):
        measure_all(opened(corpus, tmp_path / "empty"))
    out = tmp_path / "copy"
    shutil.copytree(corpus / "built", out)
    (out / "stages" / "caption.jsonl").write_text("no row\n")
    with pytest.raises(EmollamaError, match=r"caption\.jsonl:1: is not JSON"):
        STAGES["select"].run(opened(corpus, out))
