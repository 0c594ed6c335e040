"""MER2023 and MERR in miniature, and what is here of their real files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from emollama.base.errors import EmollamaError
from emollama.cli import app as cli
from emollama.corpora.readers.mer2023 import prepare_mer2023
from emollama.corpora.readers.merr import prepare_merr
from emollama.features.external import ExternalTracks
from tests.corpora.trees import plant, samples_of

REAL = Path(__file__).parents[3] / "shared/data"


@pytest.fixture
def mer2023(tmp_path: Path) -> Path:
    return plant(
        tmp_path / "mer",
        {
            "mer2023train/train-label.csv": "\ufeffvalence,name,discrete\r\n"
            "-0.5,sample_00000001,sad\r\n-10,sample_00000002,Happy\r\n1,sample_00000003,neutral\r\n",
            "mer2023train/train/sample_00000001.avi": b"x",
            "mer2023train/train/sample_00000002.mp4": b"x",
            "mer2023train/train/sample_00000002.avi": b"x",
            "test-labels/test3-label.csv": "name,discrete\nsamplenew_00000001,worried\n",
            "words.csv": "name,sentence\nsample_00000001,Oh no.\n",
        },
    )


def test_clips_valence_and_words(mer2023: Path, tmp_path: Path) -> None:
    report = prepare_mer2023(mer2023, tmp_path / "m.jsonl", transcripts=mer2023 / "words.csv")
    samples = samples_of(tmp_path / "m.jsonl")
    first, second, third = samples.values()
    assert (first.text, first.targets.valence, first.targets.emotion) == ("Oh no.", -0.5, "sad")
    assert second.targets.valence is None and second.targets.native == "Happy"
    assert second.video == "mer/mer2023train/train/sample_00000002.mp4"
    assert third.id == "samplenew_00000001" and third.split == "test3" and third.video is None
    assert report.rejected == {"sample_00000003": "file is missing"}
    assert "split 'train': 3 samples found, 3373 expected" in report.faults
    assert "split 'test1': 0 samples found, 411 expected" in report.faults
    with pytest.raises(EmollamaError, match="split 'test3': 1 samples found, 834 expected"):
        prepare_mer2023(mer2023, tmp_path / "strict.jsonl", strict=True)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("name,discrete\na,sad\na,sad\n", r"train-label.csv:3: id 'a' is already at"),
        ("name,discrete\na,bored\n", r"train-label.csv:2: column 'discrete': 'bored' is not in"),
        ("name,discrete,valence\na,sad,low\n", r"csv:2: column 'valence': 'low' is not a number"),
        (
            "name,discrete,Valence\na,sad,99\n",
            r"csv:2: column 'valence': 99 is neither from -5 to 5",
        ),
        ("name,discrete,valence,Valence\na,sad,1,2\n", r"csv:1: column 'valence' occurs twice"),
        ("name,discrete\n,sad\n", r"csv:2: column 'name' is empty"),
        ("name,emotion\na,sad\n", "has no column 'discrete'"),
    ],
)
def test_mistakes_are_one_line(tmp_path: Path, content: str, said: str) -> None:
    plant(tmp_path, {"train-label.csv": content})
    with pytest.raises(EmollamaError, match=said):
        prepare_mer2023(tmp_path, tmp_path / "m.jsonl")


def test_an_id_in_two_splits(tmp_path: Path) -> None:
    table = "name,discrete\na,sad\n"
    plant(tmp_path, {"train-label.csv": table, "test-labels/test1-label.csv": table})
    with pytest.raises(EmollamaError, match=r"test1-label.csv:2: id 'a' is already at .*train-l"):
        prepare_mer2023(tmp_path, tmp_path / "m.jsonl")


@pytest.mark.skipif(not (REAL / "mer2023").is_dir(), reason="MER2023's labels are not here")
def test_the_released_labels_of_test1(tmp_path: Path) -> None:
    report = prepare_mer2023(REAL / "mer2023", tmp_path / "m.jsonl")
    assert report.splits == {"test1": 411}
    assert not any("test1" in fault for fault in report.faults)


FINE = {
    "sample_1": {"AU_list": ["AU04"], "peak_AU_list": ["AU01"], "peak_index": "20",
                 "audio_prior_list": "a low\n tone", "pseu_emotion": "angry", "text": "No.",
                 "smp_reason_caption": "A frown,\n so angry."},
    "sample_2": {"pseu_emotion": "doubt", "smp_reason_caption": "A brow."},
}  # fmt: skip


def test_merr_with_its_list_clips_and_clues(tmp_path: Path) -> None:
    root = plant(
        tmp_path / "merr",
        {
            "MERR_fine_grained.json": json.dumps(FINE),
            "MERR_fine_grained.txt": "sample_1 20 angry -10\r\nsample_2 0 doubt -10\n"
            "sample_3 0 sad -10\n",
            "video/sample_1.mp4": b"x",
        },
    )
    report = prepare_merr(root, tmp_path / "m.jsonl")
    (sample,) = samples_of(tmp_path / "m.jsonl").values()
    assert sample.video == "merr/video/sample_1.mp4" and sample.text == "No."
    assert sample.targets.reason == "A frown, so angry." and sample.targets.native == "angry"
    assert sample.truth == {
        "units": ["AU04"], "peak_units": ["AU01"], "peak": 20, "tone": "a low tone",
    }  # fmt: skip
    assert sample.clues == {
        "face": "brow lowerer; at the peak inner brow raiser", "voice": "a low tone",
    }  # fmt: skip
    assert report.rejected == {
        "sample_2": "file is missing", "sample_3": "not in MERR_fine_grained.json",
    }  # fmt: skip
    assert report.faults[0] == "split 'train': 3 samples found, 4487 expected"
    with pytest.raises(EmollamaError, match="4487 expected"):
        prepare_merr(root, tmp_path / "m.jsonl", strict=True)


def test_merr_from_the_json_alone(tmp_path: Path) -> None:
    plant(tmp_path, {"MERR_fine_grained.json": json.dumps(FINE)})
    prepare_merr(tmp_path, tmp_path / "m.jsonl", validation=2)
    samples = samples_of(tmp_path / "m.jsonl")
    assert [s.split for s in samples.values()] == ["val", "train"]
    assert samples["sample_2"].targets.emotion == "doubt" and not samples["sample_2"].truth


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"a": {"caption": "x"}}, "'a' has no 'pseu_emotion', and there is no"),
        ({"a": {"caption": "x", "pseu_emotion": "bored"}}, "'a': pseu_emotion: 'bored' is not"),
        ({"a": {"caption": "x", "pseu_emotion": "sad", "AU_list": "AU1"}}, "'AU_list' must be"),
        ([1], "must hold an annotation for each name"),
    ],
)
def test_what_is_no_merr(tmp_path: Path, content: object, said: str) -> None:
    plant(tmp_path, {"MERR_coarse_grained.json": json.dumps(content)})
    with pytest.raises(EmollamaError, match=said):
        prepare_merr(tmp_path, tmp_path / "m.jsonl", part="coarse")
    with pytest.raises(EmollamaError, match="MERR has no part 'corse'; did you mean 'coarse'"):
        prepare_merr(tmp_path, tmp_path / "m.jsonl", part="corse")


def test_half_a_json_names_its_line(tmp_path: Path) -> None:
    plant(tmp_path, {"MERR_fine_grained.json": json.dumps(FINE, indent=1)[:60]})
    with pytest.raises(EmollamaError, match=r"MERR_fine_grained.json:\d+: is not JSON"):
        prepare_merr(tmp_path, tmp_path / "m.jsonl")


@pytest.mark.skipif(not (REAL / "merr").is_dir(), reason="MERR's annotations are not here")
def test_the_released_fine_annotations_with_and_without_the_list(tmp_path: Path) -> None:
    prepare_merr(REAL / "merr", tmp_path / "m.jsonl")
    samples = samples_of(tmp_path / "m.jsonl")
    assert len(samples) == 3607 and all(s.truth["units"] is not None for s in samples.values())
    folder = tmp_path / "alone"
    folder.mkdir()
    (folder / "MERR_fine_grained.json").symlink_to(REAL / "merr/MERR_fine_grained.json")
    prepare_merr(folder, tmp_path / "j.jsonl")
    alone = samples_of(tmp_path / "j.jsonl")
    assert {n: s.targets for n, s in alone.items()} == {n: s.targets for n, s in samples.items()}


def test_merr_units_and_tone_as_tracks(tmp_path: Path) -> None:
    told = {
        "a": {**FINE["sample_1"], "audio_prior_list": "A low, calm tone."},
        "b": {**FINE["sample_1"], "AU_list": [], "peak_AU_list": ["AU12", "AU99"],
              "audio_prior_list": "low"},
        "c": {k: v for k, v in FINE["sample_1"].items() if "AU_list" not in k
              and k != "audio_prior_list"},
    }  # fmt: skip
    root = plant(tmp_path / "merr", {"MERR_fine_grained.json": json.dumps(told)})
    words = ["prepare", "merr", str(root), "--out", str(tmp_path / "m.jsonl"), "--tracks",
             str(tmp_path / "tracks")]  # fmt: skip
    said = CliRunner().invoke(cli.app, words)
    assert said.exit_code == 0 and "units: 2 tracks" in said.output, said.output
    units = ExternalTracks(tmp_path / "tracks/units")
    on = {i: {units.columns[k] for k in units.get(i).values[0].nonzero()[0]} for i in "ab"}
    assert on == {"a": {"clip:AU04", "peak:AU01"}, "b": {"peak:AU12"}}
    assert units.status("a") == "ok" and units.status("c") == "missing"
    tone = ExternalTracks(tmp_path / "tracks/tone")
    assert tone.columns == ("low",) and tone.get("a").values.tolist() == [[1.0]]


def test_columns_are_found_in_any_case(tmp_path: Path) -> None:
    plant(
        tmp_path,
        {
            "train-label.csv": "Valence,Discrete,Name\n0.5,happy,a\n-1.0,sad,b\n",
            "words.csv": "Name,SENTENCE\na,Oh no.\n",
        },
    )
    report = prepare_mer2023(tmp_path, tmp_path / "m.jsonl", transcripts=tmp_path / "words.csv")
    samples = samples_of(tmp_path / "m.jsonl")
    assert {n: s.targets.valence for n, s in samples.items()} == {"a": 0.5, "b": -1.0}
    assert samples["a"].text == "Oh no."
    assert not any("valence" in told for told in (*report.faults, *report.notes))


def test_a_table_without_valences_is_told_where_they_are_published(tmp_path: Path) -> None:
    for split in ("train", "test1", "test3"):
        plant(tmp_path, {f"{split}-label.csv": f"name,discrete\n{split},sad\n"})
    report = prepare_mer2023(tmp_path, tmp_path / "m.jsonl")
    said = "has no column 'valence'; samples are without it"
    assert f"train-label.csv: {said}" in report.faults
    assert [note for note in report.notes if said in note] == [f"test1-label.csv: {said}"]


def test_a_name_with_two_sentences(tmp_path: Path) -> None:
    plant(
        tmp_path,
        {
            "train-label.csv": "name,discrete,valence\na,sad,1\n",
            "words.csv": "name,sentence\na,No.\nb,Yes.\na,No.\nb,Never.\n",
        },
    )
    with pytest.raises(EmollamaError, match=r"words.csv:5: 'b' has another sentence at .*csv:3$"):
        prepare_mer2023(tmp_path, tmp_path / "m.jsonl", transcripts=tmp_path / "words.csv")


def test_merr_that_contradicts_its_list(tmp_path: Path) -> None:
    plant(
        tmp_path,
        {
            "MERR_fine_grained.json": json.dumps(FINE),
            "MERR_fine_grained.txt": "sample_1 20 sad -10\nsample_2 0 Doubtful -10\n",
        },
    )
    report = prepare_merr(tmp_path, tmp_path / "m.jsonl")
    assert samples_of(tmp_path / "m.jsonl")["sample_1"].targets.emotion == "sad"
    assert (
        "1 labels differ between list and json, e.g. 'sample_1', 'sad' in the list and "
        "'angry' in the json; those of the list are used"
    ) in report.notes


def test_merr_with_a_name_twice(tmp_path: Path) -> None:
    one = json.dumps(FINE["sample_2"])
    plant(tmp_path, {"MERR_fine_grained.json": f'{{"a": {one}, "b": {one}, "a": {one}}}'})
    with pytest.raises(EmollamaError, match=r"MERR_fine_grained.json: .* key 'a' occurs twice"):
        prepare_merr(tmp_path, tmp_path / "m.jsonl")
