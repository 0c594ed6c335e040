"""A face that is not the speaker's is measured against other clips of that face."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from emollama.base.errors import EmollamaError
from emollama.encoders.base import FeatureTrack
from emollama.evaluation.enrolment import planned
from emollama.features.store import open_tracks
from emollama.features.tracks import TrackReader
from emollama.inputs.enrolment import Enrolment, Known, enrolment, fit_people
from emollama.inputs.opening import Readers
from emollama.inputs.person import ClipMoments
from emollama.inputs.spec import InputSpec
from emollama.manifest.sample import Sample, read_manifest
from emollama.scoring.enrolment.curve import ANY, NOBODY
from tests.inputs.people import LABELS, WIDTHS, make_people

INPUTS = [InputSpec(c, c, c, standardise="person") for c in ("voice", "face")]


@dataclass
class Dubbed:
    """The face tracks of other clips, of the same label."""

    reader: TrackReader
    shown: dict[str, str]

    def __post_init__(self) -> None:
        self.width, self.fingerprint = self.reader.width, self.reader.fingerprint
        self.columns = self.reader.columns

    def get(self, sample_id: str) -> FeatureTrack | None:
        return self.reader.get(self.shown[sample_id])

    def __contains__(self, sample_id: object) -> bool:
        return sample_id in self.shown

    def ids(self) -> list[str]:
        return list(self.shown)

    def status(self, sample_id: str) -> str:
        return self.reader.status(self.shown[sample_id])


@pytest.fixture(scope="module")
def dubbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Readers, list[Sample]]:
    """People who speak over the faces of others of their split, another one in every clip."""
    manifest = make_people(tmp_path_factory.mktemp("dubbed"))
    readers: Readers = {c: open_tracks(manifest.parent / "store", c) for c in WIDTHS}
    shown, samples = {}, []
    everybody = read_manifest(manifest).samples
    for split in ("train", "test"):
        own = [s for s in everybody if s.split == split]
        names = sorted({str(s.speaker) for s in own})
        for sample in own:
            clip = int(sample.id[-2:])
            face = names[(names.index(str(sample.speaker)) + clip) % len(names)]
            shown[sample.id] = f"{face}-{clip:02d}"
            samples.append(sample.model_copy(update={"face": face}))
    readers["face"] = Dubbed(readers["face"], shown)
    return readers, samples


def people_of(readers: Readers, samples: list[Sample]) -> tuple[Enrolment, Enrolment]:
    """The training and the tested people."""
    found = fit_people(INPUTS, readers, [s for s in samples if s.split == "train"], LABELS.labels)
    assert found is not None
    return found, enrolment(found.prior, readers, [s for s in samples if s.split == "test"])


def left_over(known: Known, readers: Readers, samples: list[Sample], channel: str) -> float:
    """How far apart the means of people's faces or voices lie once they are measured."""
    rows: dict[str, list[np.ndarray]] = {}
    for sample in samples:
        if sample.split != "test":
            continue
        track = known.track(channel, sample.id, readers[channel].get(sample.id))
        who = sample.face if channel == "face" else sample.speaker
        if track is not None:
            rows.setdefault(str(who), []).append(track.values.mean(axis=0))
    return float(np.std([np.mean(own, axis=0) for own in rows.values()], axis=0).mean())


def test_voices_and_faces_are_each_measured_against_their_own_clips(
    dubbed: tuple[Readers, list[Sample]],
) -> None:
    readers, samples = dubbed
    _, tested = people_of(readers, samples)
    nobody = Known(tested.prior, lambda _: None)
    others = [s for s in samples if s.split == "test"]
    for known in (tested.transductive, tested.for_others(others)):
        for channel in ("voice", "face"):
            before = left_over(nobody, readers, samples, channel)
            assert left_over(known, readers, samples, channel) < 0.2 * before, channel
    alone = [s.model_copy(update={"face": None}) for s in samples]
    _, unnamed = people_of(readers, alone)
    before = left_over(nobody, readers, samples, "face")
    assert left_over(unnamed.transductive, readers, samples, "face") > 0.5 * before


def test_enrolled_clips_say_nothing_of_the_faces_of_others(
    tmp_path: Path, dubbed: tuple[Readers, list[Sample]]
) -> None:
    """Not even where no enrolled clip shows another than its speaker."""
    samples = list(read_manifest(make_people(tmp_path)).samples)
    readers: Readers = {c: open_tracks(tmp_path / "store", c) for c in WIDTHS}
    own, _ = people_of(readers, samples)
    half = [s for s in samples if s.split == "test" and s.id[-2:] < "12"]
    asked = [s for s in dubbed[1] if s.split == "test" and s.id[-2:] >= "12"]
    known = enrolment(own.prior, readers, half).for_others(asked)
    nobody = Known(own.prior, lambda _: None)
    for channel in ("voice", "face"):
        before = left_over(nobody, dubbed[0], asked, channel)
        assert left_over(known, dubbed[0], asked, channel) < 0.5 * before, channel


def test_a_reason_counts_the_clips_of_the_voice(dubbed: tuple[Readers, list[Sample]]) -> None:
    """Its words are relative to them."""
    readers, samples = dubbed
    own, _ = people_of(readers, samples)
    asked, *others = [s for s in samples if s.speaker == samples[0].speaker]
    known = enrolment(own.prior, readers, others).for_others([asked])
    assert sum(s.face == asked.face for s in others) < len(others)
    person = known.person(asked.id)
    assert person is not None and person.clips == len(others)


def test_the_curve_knows_faces_by_the_clips_that_show_them(
    dubbed: tuple[Readers, list[Sample]],
) -> None:
    readers, samples = dubbed
    _, tested = people_of(readers, samples)
    left = {
        draw.clips: left_over(draw.known, readers, samples, "face")
        for draw in planned(tested, [s for s in samples if s.split == "test"], 1, 7)
        if draw.case in (NOBODY, ANY)
    }
    assert left[16] < 0.5 * left[0]


def test_one_who_speaks_and_one_who_is_seen_are_too_few(
    dubbed: tuple[Readers, list[Sample]],
) -> None:
    readers, samples = dubbed
    few = [s.model_copy(update={"speaker": "ann", "face": "ben"}) for s in samples[:24]]
    with pytest.raises(EmollamaError, match=r"at least two people .* `face` name 1"):
        fit_people(INPUTS, readers, few, LABELS.labels)


def test_a_face_named_as_its_speaker_is_the_speaker(
    tmp_path: Path, dubbed: tuple[Readers, list[Sample]]
) -> None:
    manifest = make_people(tmp_path)
    readers: Readers = {c: open_tracks(tmp_path / "store", c) for c in WIDTHS}
    samples = list(read_manifest(manifest).samples)
    named = [s.model_copy(update={"face": s.speaker}) for s in samples]
    for channel in ("voice", "face"):
        plain, same = (
            left_over(people_of(readers, some)[1].transductive, readers, named, channel)
            for some in (samples, named)
        )
        assert same == plain


def test_a_drawn_person_does_not_depend_on_the_clip_itself(
    dubbed: tuple[Readers, list[Sample]],
) -> None:
    """Neither the voice nor the face, unless all clips are drawn."""
    readers, samples = dubbed
    people, _ = people_of(readers, samples)
    name = samples[0].id
    broken = {i: m if i != name else ClipMoments(m.mean + 99, m.variance)
              for i, m in people.moments.items()}  # fmt: skip
    assert people.faces is not None
    faces = Enrolment(people.prior, broken, people.faces.people, people.faces.columns)
    other = Enrolment(people.prior, broken, people.people, people.columns, faces)
    compared = 0
    for epoch in range(16):
        one, two = people.drawn(3, epoch, name), other.drawn(3, epoch, name)
        if one is None or one.clips > 16:
            continue
        assert two is not None
        np.testing.assert_array_equal(one.mean, two.mean)
        compared += 1
    assert compared > 4
    assert not np.array_equal(people.all(name).mean, other.all(name).mean)
