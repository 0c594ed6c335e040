"""EMO-DB and Java-SED: their own names, what is left out and why, and the real data."""

from __future__ import annotations

from pathlib import Path

import pytest

from emollama.base.errors import EmollamaError
from emollama.corpora.readers import javased
from emollama.corpora.readers.emodb import prepare_emodb
from emollama.corpora.readers.javased import prepare_javased
from emollama.manifest.labels import get_label_set
from emollama.manifest.sample import read_manifest

DATA = Path(__file__).parents[3] / "shared" / "data"


def tree(root: Path, *names: str) -> Path:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return root


def test_emodb_in_the_published_layout(tmp_path: Path) -> None:
    root = tree(
        tmp_path / "db",
        "wav/03a01Fa.wav", "wav/08b10Ec.wav", "wav/13a04Lb.wav", "wav/16b09Wb.wav",
        "audio/03a01Fa.flac", "wav/03a03Fa.wav", "wav/07a01Fa.wav", "wav/03a01Xa.wav",
        "wav/03a01F.wav", "erkennung.txt", "__MACOSX/wav/._03a01Fa.wav",
    )  # fmt: skip
    report = prepare_emodb(root, tmp_path / "m.jsonl")
    manifest = read_manifest(tmp_path / "m.jsonl")
    assert manifest.corpus == manifest.labels.name == "emodb"
    first, *_, last = manifest.samples
    assert (first.id, first.audio, first.video) == ("03a01Fa", "db/wav/03a01Fa.wav", None)
    assert (first.speaker, first.group, first.split) == ("speaker-03", "speaker-03", "train")
    assert first.text == "Der Lappen liegt auf dem Eisschrank." and first.truth == {"sex": "male"}
    assert (first.targets.emotion, first.targets.native) == ("happy", "F")
    assert (last.split, last.targets.emotion, last.truth["sex"]) == ("test", "angry", "female")
    assert report.emotions == {
        "train": {"disgust": 1, "happy": 1}, "val": {"boredom": 1}, "test": {"angry": 1},
    }  # fmt: skip
    assert report.rejected == {
        "audio/03a01Fa.flac": "another file of the same utterance",
        "wav/03a01F.wav": "name is not SPEAKER SENTENCE EMOTION VERSION, like 03a01Fa",
        "wav/03a01Xa.wav": "emotion 'X' is not one of W, L, E, A, F, T, N",
        "wav/03a03Fa.wav": (
            "sentence 'a03' is not one of a01, a02, a04, a05, a07, b01, b02, b03, b09, b10"
        ),
        "wav/07a01Fa.wav": ("speaker '07' is not one of 03, 08, 09, 10, 11, 12, 13, 14, 15, 16"),
    }
    assert report.faults == ("split 'all speakers': 4 samples found, 535 expected",)
    with pytest.raises(EmollamaError, match="4 samples found, 535 expected"):
        prepare_emodb(root, tmp_path / "strict.jsonl", strict=True)


def test_javased_anywhere_below_the_root(tmp_path: Path) -> None:
    root = tree(
        tmp_path / "java",
        "dataset-resize/01-01-01_01.mp4", "more/08-04-06_01.mp4", "07-02-05_01.mp4",
        "copy/01-01-01_01.mp4", "11-01-01_01.mp4", "01-05-01_01.mp4", "01-01-07_01.mp4",
        "talk.mp4",
    )  # fmt: skip
    report = prepare_javased(root, tmp_path / "m.jsonl")
    manifest = read_manifest(tmp_path / "m.jsonl")
    assert manifest.corpus == manifest.labels.name == "javased"
    first, second, third = manifest.samples
    assert (first.id, first.split, first.targets.emotion) == ("01-01-01_01", "train", "neutral")
    assert first.video in ("java/copy/01-01-01_01.mp4", "java/dataset-resize/01-01-01_01.mp4")
    assert first.text is None and first.truth == {} and first.speaker == "actor-01"
    assert (second.group, second.split, second.targets.emotion) == ("actor-07", "val", "fear")
    assert (third.split, third.targets.native) == ("test", "06")
    reasons = sorted(report.rejected.values())
    assert reasons == [
        "actor '11' is not one of 01 to 10",
        "another file of the same clip",
        "emotion '07' is not one of 01 to 06",
        "name is not ACTOR-SENTENCE-EMOTION_REPETITION, like 08-02-06_01",
        "sentence '05' is not one of 01 to 04",
    ]


def test_empty_folders_are_one_line(tmp_path: Path) -> None:
    for prepare, what in ((prepare_emodb, "EMO-DB"), (prepare_javased, "Java-SED")):
        with pytest.raises(EmollamaError, match=f"holds no {what}"):
            prepare(tmp_path, tmp_path / "m.jsonl")
        with pytest.raises(EmollamaError, match="is not a folder"):
            prepare(tmp_path / "nowhere", tmp_path / "m.jsonl")
    tree(tmp_path, "03a01Xa.wav", "talk.mp4")
    for prepare in (prepare_emodb, prepare_javased):
        with pytest.raises(EmollamaError, match=r"no sample is usable; 1 left out"):
            prepare(tmp_path, tmp_path / "m.jsonl")
    assert not (tmp_path / "m.jsonl").exists()


@pytest.mark.skipif(not (DATA / "emodb").is_dir(), reason="EMO-DB is not here")
def test_the_real_emodb_is_whole(tmp_path: Path) -> None:
    report = prepare_emodb(DATA / "emodb", tmp_path / "m.jsonl", strict=True)
    assert report.samples == 535 and not report.rejected
    assert report.splits == {"train": 278, "val": 130, "test": 127}
    samples = {s.id: s for s in read_manifest(tmp_path / "m.jsonl").samples}
    rows = (DATA / "emodb" / "manifest.csv").read_text(encoding="utf-8").splitlines()[1:]
    assert len(rows) == len(samples)
    for row in rows:
        name, _, emotion, speaker, sex, _, rest = row.split(",", 6)
        sample = samples[name]
        assert sample.truth["sex"] == sex and sample.speaker == f"speaker-{speaker}"
        assert get_label_set("emodb").canonical(emotion) == sample.targets.emotion
        assert str(sample.text) in rest


@pytest.mark.skipif(not (DATA / "javased").is_dir(), reason="Java-SED is not here")
def test_the_real_part_of_javased(tmp_path: Path) -> None:
    report = prepare_javased(DATA / "javased", tmp_path / "m.jsonl")
    assert report.samples == 144 and not report.rejected
    assert report.splits == {"train": 96, "val": 24, "test": 24}
    samples = {s.id: s for s in read_manifest(tmp_path / "m.jsonl").samples}
    rows = (DATA / "javased" / "manifest.csv").read_text(encoding="utf-8").splitlines()[1:]
    for row in rows:
        name, _, emotion, actor = row.split(",")[:4]
        assert samples[name].targets.emotion == emotion == javased.EMOTIONS[name[6:8]]
        assert samples[name].group == f"actor-{actor}"
