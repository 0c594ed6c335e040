"""Clips of people who were left out are familiar, those of another kind of recording are not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from emollama.base.errors import EmollamaError
from emollama.features.store import open_tracks
from emollama.inputs.enrolment import fit_people
from emollama.inputs.familiarity import (
    Distance,
    Familiar,
    Familiarity,
    read_familiarity,
    write_familiarity,
)
from emollama.inputs.familiarity_fit import familiarity_of_record, fit_familiarity
from emollama.inputs.spec import InputSpec
from emollama.manifest.sample import Sample, read_manifest
from tests.inputs.people import LABELS, WIDTHS, make_people

SPECS = [InputSpec(c, c, c, width=width, standardise="person") for c, width in WIDTHS.items()]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_people(tmp_path_factory.mktemp("people"))


def fitted(manifest: Path, known: bool = True) -> tuple[Familiarity, list[Sample], dict]:  # type: ignore[type-arg]
    found = read_manifest(manifest)
    readers = {c: open_tracks(manifest.parent / "store", c) for c in WIDTHS}
    train = found.split("train")
    if not known:
        train = [one.model_copy(update={"speaker": None, "group": None}) for one in train]
    people = fit_people(SPECS, readers, train, LABELS.labels) if known else None
    made = fit_familiarity(SPECS, readers, train, people.prior if people else None)
    assert made is not None
    return made, list(found.split("test")), readers


def test_unseen_people_are_familiar_and_other_recordings_are_not(corpus: Path) -> None:
    made, tested, readers = fitted(corpus)
    assert made.people == 7 and made.clips == 7 * 24
    assert set(made.yardsticks["voice"]) == {"corpus", "person"}
    alarms, far = [], []
    for sample in tested:
        tracks = {c: reader.get(sample.id) for c, reader in readers.items()}
        alarms.append(made.of(tracks).overall is False)
        louder = {c: t and replace(t, values=t.values + 9) for c, t in tracks.items()}
        found = made.of(louder)
        far.append(found.overall is False)
        assert ("face" in found.channels) == (tracks["face"] is not None)
    assert np.mean(alarms) < 0.1 and np.mean(far) > 0.95
    # Of people who are left out, the usual distance is 1 by definition; the limit is passed by 1 %.
    for yardsticks in made.yardsticks.values():
        assert all(1 < one.limit < 4 for one in yardsticks.values())


def test_faces_are_left_out_by_who_is_seen(corpus: Path) -> None:
    own = read_manifest(corpus).split("train")
    readers = {c: open_tracks(corpus.parent / "store", c) for c in WIDTHS}
    dubbed = [
        s.model_copy(update={"face": s.speaker, "speaker": f"voice {i % 7}", "group": None})
        for i, s in enumerate(own)
    ]
    limits = []
    for samples in (own, dubbed):
        made = fit_familiarity(SPECS, readers, samples)
        assert made is not None
        limits.append({c: made.yardsticks[c]["corpus"].limit for c in WIDTHS})
    assert limits[0]["face"] == limits[1]["face"] and limits[0]["voice"] != limits[1]["voice"]


def test_a_clip_is_held_against_its_person_too(corpus: Path) -> None:
    made, tested, readers = fitted(corpus)
    tracks = {"voice": readers["voice"].get(tested[0].id)}
    moved = {"voice": replace(tracks["voice"], values=tracks["voice"].values + 9)}
    assert made.of(tracks, tracks).overall in (True, False)
    assert made.of(tracks, moved).overall is False  # by the person's yardstick alone
    assert made.of(moved, tracks).overall is False


def test_the_file_holds_all_and_tells_what_is_wrong(corpus: Path, tmp_path: Path) -> None:
    made, tested, readers = fitted(corpus)
    path = tmp_path / "familiarity.safetensors"
    write_familiarity(made, path)
    again = read_familiarity(path)
    for sample in tested[:9]:
        tracks = {c: reader.get(sample.id) for c, reader in readers.items()}
        ours, theirs = made.of(tracks).channels, again.of(tracks).channels
        assert ours.keys() == theirs.keys()
        for channel, one in ours.items():
            assert theirs[channel].times == pytest.approx(one.times, rel=2e-3)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(EmollamaError, match="is not a measure of familiarity"):
        read_familiarity(path)


def test_of_unknown_people_clips_are_left_out_and_that_is_said(corpus: Path) -> None:
    made, tested, readers = fitted(corpus, known=False)
    assert made.people == 0 and "person" not in made.yardsticks["voice"]
    track = readers["voice"].get(tested[0].id)
    warning = made.of({"voice": replace(track, values=track.values + 9)}).warning
    assert warning is not None and "of no known people only" in warning


def test_the_sentence_names_the_channels_that_are_far() -> None:
    found = Familiar({"voice": Distance(2.31, 1.5), "face": Distance(1.2, 1.5)}, 24)
    assert found.warning == (
        "This clip is unlike those the model was trained on (voice 2.3 times the usual distance): "
        "do not trust the answer."
    )
    assert found.only(["face"]).overall is True and found.only(["face"]).warning is None
    assert found.only([]).to_dict() == {"overall": None, "channels": {}}
    assert found.to_dict()["channels"]["voice"] == {
        "familiar": False, "times_usual": 2.31, "limit": 1.5,
    }  # fmt: skip


def test_a_finished_model_is_measured_from_its_record(corpus: Path) -> None:
    made, _, _ = fitted(corpus)
    data = {"manifest": str(corpus), "store": str(corpus.parent / "store"), "train_split": "train"}
    readers = {c: open_tracks(corpus.parent / "store", c) for c in WIDTHS}
    specs = [replace(one, fingerprint=readers[one.name].fingerprint) for one in SPECS]
    again = familiarity_of_record({"config": {"data": data}}, specs, None)
    usual = made.yardsticks["voice"]["corpus"].usual
    assert again.yardsticks["voice"]["corpus"].usual == pytest.approx(usual)
    with pytest.raises(EmollamaError, match="names no data"):
        familiarity_of_record({}, specs, None)
