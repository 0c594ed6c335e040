"""Several manifests as one: names, labels, tracks, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from emollama.base.config import Strict, load_config
from emollama.base.errors import EmollamaError
from emollama.features.tracks import usable
from emollama.inputs.common_labels import as_trained, counted
from emollama.inputs.config import DataSection
from emollama.inputs.mixture import (
    Mixture,
    balance_of,
    corpora_sha256,
    mixture_record,
    read_corpora,
    store_of,
    tell_mixture,
)
from emollama.inputs.opening import open_inputs
from emollama.inputs.spec import InputSpec
from emollama.manifest.sample import Manifest, read_manifest, write_manifest
from tests.fusion.corpus import fill_store
from tests.inputs.corpora import COMMON, make_corpora

VOICE = InputSpec("sound", "voice", "voice")
FACE = InputSpec("look", "face", "face")


class Run(Strict):
    data: DataSection


@pytest.fixture
def data(tmp_path: Path) -> dict[str, Any]:
    return make_corpora(tmp_path)


def read(data: dict[str, Any]) -> Mixture:
    found = read_corpora(DataSection.model_validate(data))
    assert isinstance(found, Mixture)
    return found


def rewrite(path: Path, **changed: Any) -> None:
    """A manifest with other fields in every sample; functions get the sample."""
    manifest = read_manifest(path)
    samples = [
        s.model_copy(update={k: v(s) if callable(v) else v for k, v in changed.items()})
        for s in manifest.samples
    ]
    write_manifest(path, manifest.corpus, manifest.labels, samples)


def test_corpora_keep_their_samples_people_and_media_apart(
    data: dict[str, Any], tmp_path: Path
) -> None:
    rewrite(tmp_path / "german/manifest.jsonl", face=lambda s: f"double-{s.speaker}")
    mixture = read(data)
    assert mixture.corpus == "german + java" and mixture.labels.labels == COMMON
    assert len(mixture.samples) == len({s.id for s in mixture.samples}) == 56
    german, java = mixture.samples[0], mixture.samples[40]
    assert (german.id, java.id) == ("german/clip-00", "java/clip-00")
    assert (german.group, java.group) == ("german/actor-0", "java/actor-0")
    assert (german.face, java.face) == ("german/double-actor-0", None)
    assert java.video == str(tmp_path / "java/media/clip-00.mp4")
    assert german.video is None and german.audio == str(tmp_path / "german/media/clip-00.mp4")
    assert mixture.lacking(german.id) == {"face"} and mixture.lacking(java.id) == frozenset()
    assert (
        corpora_sha256(mixture)
        == corpora_sha256(read(data))
        != corpora_sha256(read({**data, "manifests": data["manifests"][::-1]}))
    )


def test_labels_are_mapped_or_left_out(data: dict[str, Any]) -> None:
    first, second = read(data).corpora
    assert first.labels == ("neutral", "happy", "angry") and first.dropped == {"boredom": 4}
    # The synonym needs no map.
    assert second.labels == ("happy", "sad", "angry", "surprise") and not second.dropped
    # A native label goes first, and null leaves out what the common set would take.
    data["manifests"][0]["map"] = {"L": "sad", "boredom": "happy", "neutral": None}
    mixture = read(data)
    assert mixture.corpora[0].labels == ("happy", "sad", "angry")
    assert mixture.corpora[0].dropped == {"neutral": 6}
    assert {s.targets.emotion for s in mixture.samples if s.targets.native == "L"} == {"sad"}
    assert mixture.columns_of("german") == [1, 2, 3]


def test_intensities_are_translated_too(data: dict[str, Any], tmp_path: Path) -> None:
    shown = {"boredom": 1.0, "happy": 2.0, "angry": 0.5}
    rewrite(
        tmp_path / "german/manifest.jsonl",
        targets=lambda s: s.targets.model_copy(update={"emotions": shown}),
    )
    data["manifests"][0]["map"] = {"happy": "angry"}
    assert read(data).samples[0].targets.emotions == {"angry": 2.0}


def test_tracks_are_those_of_the_corpus(data: dict[str, Any]) -> None:
    mixture = read(data)
    section = DataSection.model_validate(data)
    specs, readers = open_inputs(store_of(mixture, section), [VOICE, FACE])
    assert [s.width for s in specs] == [6, 4] and specs[0].source == "voice"
    sound, look = readers["sound"], readers["look"]
    one, other = sound.get("german/clip-00"), sound.get("java/clip-00")
    assert one is not None and other is not None and (one.values != other.values).any()
    assert look.status("german/clip-00") == "absent" and look.get("german/clip-00") is None
    assert look.get("java/clip-00") is not None and sound.status("java/clip-99") == "missing"
    assert len(sound.ids()) == 56 and len(look.ids()) == 16 and "java/clip-00" in look
    assert "german/clip-00" not in look
    kept, left_out = usable(mixture.samples, readers)
    assert len(kept) == 56 and not left_out


def test_features_that_are_not_there_or_differ_are_one_line(
    data: dict[str, Any], tmp_path: Path
) -> None:
    data["manifests"][0]["lacks"] = []
    with pytest.raises(
        EmollamaError,
        match=r"^data.manifests.0 \(german\): .* of 'face'.*; if this corpus has no face, "
        r"say lacks: \[face\]$",
    ):
        read(data).tracks(FACE)
    data["manifests"][0]["lacks"] = data["manifests"][1]["lacks"] = ["face"]
    with pytest.raises(EmollamaError, match="'look': every corpus lacks its channel"):
        read(data).tracks(FACE)
    reader = read(data).tracks(VOICE).readers[0]
    wider = {
        i: None if (track := reader.get(i)) is None else track.values[:, :5] for i in reader.ids()
    }
    fill_store(tmp_path / "narrow", "voice", "voice", wider)
    data["manifests"][0]["store"] = str(tmp_path / "narrow")
    with pytest.raises(EmollamaError, match="of 'java' and 'german' come from different encoders"):
        read(data).tracks(VOICE)


def test_external_tracks_have_a_folder_each(data: dict[str, Any], tmp_path: Path) -> None:
    import numpy as np

    for name, value in (("german", 1.0), ("java", 2.0)):
        folder = tmp_path / "tracks" / name / "openface"
        folder.mkdir(parents=True)
        np.save(folder / "clip-00.npy", np.full(3, value, np.float32))
    for section, name in zip(data["manifests"], ("german", "java"), strict=True):
        section |= {"features": str(tmp_path / "tracks" / name), "lacks": []}
    reader = read(data).tracks(InputSpec("units", "face", "npy:anywhere/openface"))
    assert reader.key is None and reader.width == 3
    found = [reader.get(f"{name}/clip-00") for name in ("german", "java")]
    assert [float(t.values[0, 0]) for t in found if t is not None] == [1.0, 2.0]


def test_shares_and_the_record(data: dict[str, Any]) -> None:
    data["manifests"][1]["share"] = 3
    mixture = read(data)
    train = [s for s in mixture.split("train") if s.targets.emotion]
    assert len(train) == 24  # 16 of German without boredom, 8 of Java
    balance = balance_of(mixture, train)
    assert balance is not None and balance.counts() == {"german": 6, "java": 18}
    (first, second) = mixture_record(mixture, train, mixture.split("val"))["mixture"]
    assert first["labels_left_out"] == {"boredom": 4} and first["language"] == "German"
    assert (first["samples"], first["drawn_per_epoch"], first["share"]) == (16, 6, 0.25)
    assert first["channels"] == ["voice", "words"] and first["ids"] == "german/"
    assert second["validation_samples"] == 4 and second["language"] is None
    assert tell_mixture(mixture, train)[0] == (
        "german: 16 training samples, 6 of an epoch (25%); labels left out: boredom 4; without face"
    )
    with pytest.raises(EmollamaError, match=r"data.manifests.1 \(java\): no training sample has"):
        mixture.balance([s for s in train if s.id.startswith("german")])


def test_one_manifest_is_what_it_was(data: dict[str, Any]) -> None:
    path = Path(data["manifests"][1]["manifest"])
    section = DataSection(manifest=path)
    manifest = read_corpora(section)
    assert manifest == read_manifest(path) and type(manifest) is Manifest
    assert store_of(manifest, section) is None and balance_of(manifest, manifest.samples) is None
    assert mixture_record(manifest, manifest.samples) == {}
    assert list(section.model_dump()) == [
        "manifest", "split_file", "store", "train_split", "validation_split",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"map": {"boredom": "serene"}}, "map: 'boredom': 'serene' is not in label set 'common'"),
        ({"map": {"bordom": "sad"}}, r"'bordom' is not a label of .*did you mean 'boredom'"),
        (
            {"map": {"neutral": None, "angry": None}},
            r"data.manifests.0 \(german\): only the label 'happy' is left of its training samples",
        ),
    ],
)
def test_bad_maps_are_one_line(data: dict[str, Any], changed: Any, message: str) -> None:
    data["manifests"][0] |= changed
    with pytest.raises(EmollamaError, match=message) as caught:
        read(data)
    assert "\n" not in str(caught.value)


def test_nobody_is_on_both_sides(data: dict[str, Any], tmp_path: Path) -> None:
    """The same corpus twice, with other splits: one person, or one file, of it on both sides."""
    again = tmp_path / "german/again.jsonl"
    again.write_text((tmp_path / "german/manifest.jsonl").read_text())
    data["manifests"].append({**data["manifests"][0], "manifest": str(again)})
    assert {c.key for c in read(data).corpora} == {"german", "german-2", "java"}
    turned = {"train": "val", "val": "train", "test": "test"}
    rewrite(again, split=lambda s: turned[s.split])
    with pytest.raises(
        EmollamaError,
        match=r"group 'german/actor-2' is on both sides: 'german-2/clip-02' is trained on and "
        r"'german/clip-02' is in split 'val'",
    ):
        read(data)
    # Under other names of corpus and people it is still the same file.
    manifest = read_manifest(again)
    others = [s.model_copy(update={"group": None, "speaker": None}) for s in manifest.samples]
    write_manifest(again, "other", manifest.labels, others)
    with pytest.raises(EmollamaError, match=r"file '.*clip-0\d.mp4' is on both sides: 'other/clip"):
        read(data)


def test_mistakes_of_the_configuration_are_one_line(data: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "run.yaml"
    one = data["manifests"][0]["manifest"]
    for values, message in (
        ({}, "key 'data.manifest' is missing"),
        ({**data, "manifest": one}, "give data.manifest or data.manifests, not both"),
        ({**data, "split_file": one}, "split_file stands beside each of data.manifests"),
        ({"manifest": one, "labels": "people"}, "labels is the common label set of data.manifests"),
        ({"manifests": [{"manifest": one, "shar": 1}]}, "did you mean 'share'"),
        ({"manifests": [{"manifest": one, "lacks": ["smell"]}]}, "data.manifests.0.lacks.0"),
        ({"manifests": [{"manifest": one, "share": 0}]}, "data.manifests.0.share"),
    ):
        path.write_text(yaml.safe_dump({"data": values}))
        with pytest.raises(EmollamaError, match=message):
            load_config(Run, path)
    with pytest.raises(ValidationError):
        DataSection.model_validate({})
    with pytest.raises(EmollamaError, match=r"different label sets \(german, java\); name a"):
        read({**data, "labels": None})
    with pytest.raises(EmollamaError, match="did you mean 'people'"):
        read({**data, "labels": "peple"})
    with pytest.raises(EmollamaError, match=r"data.manifests.0 \(german\): .*'learn' has no samp"):
        read({**data, "train_split": "learn"})


def test_a_manifest_as_a_model_of_many_corpora_sees_it(data: dict[str, Any]) -> None:
    mixture = read({**data})
    record = mixture_record(mixture, mixture.split("train"))
    german = read_manifest(Path(data["manifests"][0]["manifest"]))
    seen, dropped = as_trained(german, COMMON, record)
    assert seen.labels.labels == ("neutral", "happy", "angry") and seen.lacks == {"face"}
    assert counted(dropped) == "boredom 8" and "clip-12" in dropped
    # Another corpus stays as it is, unless the user says a map.
    other = replace(german, corpus="other")
    assert as_trained(other, COMMON, record) == (other, {})
    seen, dropped = as_trained(other, COMMON, record, {"boredom": "sad"}, ["words"])
    assert seen.labels.labels == ("neutral", "happy", "sad", "angry") and not dropped
    assert seen.samples[0].text is None and seen.lacks == {"words"}
    nothing = dict.fromkeys(german.labels.labels)
    with pytest.raises(EmollamaError, match="no label is one of the model's"):
        as_trained(other, COMMON, record, nothing)
