"""A person's own mean and deviation from some unlabelled clips, and what they do to features."""

from __future__ import annotations

import stat
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from emollama.base.errors import EmollamaError
from emollama.encoders.base import FeatureTrack
from emollama.features.store import open_tracks
from emollama.inputs.enrolment import Enrolment, enrolment, fit_people
from emollama.inputs.opening import Readers
from emollama.inputs.person import ClipMoments, PersonPrior
from emollama.inputs.person_file import read_person, read_prior, write_person, write_prior
from emollama.inputs.person_fit import fit_person_prior
from emollama.inputs.spec import InputSpec
from emollama.manifest.sample import Sample, read_manifest
from tests.inputs.people import LABELS, WIDTHS, make_people

# Not in the order of the alphabet: the columns of a prior must keep theirs.
INPUTS = [InputSpec(c, c, c, standardise="person") for c in ("voice", "face")]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> tuple[Readers, list[Sample]]:
    manifest = make_people(tmp_path_factory.mktemp("people"))
    readers: Readers = {c: open_tracks(manifest.parent / "store", c) for c in WIDTHS}
    return readers, list(read_manifest(manifest).samples)


@pytest.fixture(scope="module")
def people(corpus: tuple[Readers, list[Sample]]) -> Enrolment:
    readers, samples = corpus
    train = [s for s in samples if s.split == "train"]
    found = fit_people(INPUTS, readers, train, LABELS.labels)
    assert found is not None
    return found


@pytest.fixture(scope="module")
def tested(corpus: tuple[Readers, list[Sample]], people: Enrolment) -> Enrolment:
    readers, samples = corpus
    return enrolment(people.prior, readers, [s for s in samples if s.split == "test"])


def distances(tested: Enrolment, clips: list[str], neutral: bool = False) -> float:
    """How far the person's true mean is from the estimate, over its distance from the corpus."""
    prior = tested.prior
    person = tested.by(clips, neutral)
    assert person is not None
    name = tested.people[clips[0]]
    assert name is not None
    true = np.nanmean([tested.moments[i].mean for i in tested.clips[name]], axis=0)
    scale = prior.deviation
    return float(
        np.linalg.norm((person.mean - true) / scale) / np.linalg.norm((prior.mean - true) / scale)
    )


def test_nobody_changes_nothing(people: Enrolment) -> None:
    assert people.prior.estimate([]) is None
    assert people.prior.affine("voice", None) is None
    track = FeatureTrack(np.ones((2, 12), np.float32), np.zeros(2, np.float32))
    assert people.transductive.track("words", "p00-00", track) is track


def test_more_clips_bring_the_estimate_nearer(tested: Enrolment) -> None:
    for clips in tested.clips.values():
        far = [distances(tested, clips[:n]) for n in (1, 4, 16, 24)]
        assert far[0] < 1 and far[1] < 0.5 and far[3] < 0.15
        assert far == sorted(far, reverse=True)


def test_neutral_clips_alone_do_no_harm(tested: Enrolment) -> None:
    """The plain mean of neutral clips is neutral: the estimate must be nearer to the person."""
    for clips in tested.clips.values():
        neutral = [i for i in clips if int(i[-2:]) % 4 == 0]
        assert distances(tested, neutral) < 0.6
        assert distances(tested, neutral, neutral=True) < 0.45
        found = tested.by(neutral)
        assert found is not None and found.variety < 0.2


def test_varied_clips_count_as_varied_where_their_labels_are_unsure(tested: Enrolment) -> None:
    """With few training people the labels expected are unsure; how clips vary is plain to see."""
    unsure = replace(tested.prior, weights=0.02 * tested.prior.weights)
    for clips in tested.clips.values():
        found = unsure.estimate([tested.moments[i] for i in clips])
        assert found is not None and found.variety > 0.6


def test_noisy_clips_of_one_label_do_not_count_as_varied() -> None:
    """Clips of some corpora are noisier than those of others: other sentences, shorter ones."""
    draw = np.random.default_rng(5)
    classes = draw.normal(size=(4, 60))

    def clip(person: np.ndarray, label: int, noise: float) -> ClipMoments:
        return ClipMoments(person + classes[label] + noise * draw.normal(size=60), np.ones(60))

    noises = [0.3] * 6 + [1.5] * 2
    people = [draw.normal(size=60) for _ in noises]
    rows = [(p, k) for p in range(len(people)) for k in range(4) for _ in range(6)]
    prior = fit_person_prior(
        {"voice": 60},
        [clip(people[p], k, noises[p]) for p, k in rows],
        [f"p{p}" for p, _ in rows],
        [LABELS.labels[k] for _, k in rows],
        LABELS.labels[:4],
    )
    somebody = draw.normal(size=60)
    noisy = prior.estimate([clip(somebody, 0, 1.5) for _ in range(6)])
    assert noisy is not None and noisy.variety < 0.1
    plain = replace(prior, noisiest=1.0).estimate([clip(somebody, 0, 1.5) for _ in range(6)])
    assert plain is not None and plain.variety > 0.4  # else there was nothing to guard against


def test_the_labels_of_enrolled_clips_are_not_seen(
    corpus: tuple[Readers, list[Sample]], tested: Enrolment
) -> None:
    readers, samples = corpus
    unlabelled = [
        s.model_copy(update={"targets": s.targets.model_copy(update={"emotion": None})})
        for s in samples
        if s.split == "test"
    ]
    blind = enrolment(tested.prior, readers, unlabelled)
    for name in tested.clips:
        own, other = tested.by(tested.clips[name]), blind.by(blind.clips[name])
        assert own is not None and other is not None
        np.testing.assert_array_equal(own.mean, other.mean)
        np.testing.assert_array_equal(own.deviation, other.deviation)


def test_features_become_deviations_from_the_person(tested: Enrolment) -> None:
    """After the standardiser of the corpus, a person's steps have about mean 0 and deviation 1."""
    prior = tested.prior
    for clips in tested.clips.values():
        affine = prior.affine("voice", tested.all(clips[0]))
        assert affine is not None
        means = np.stack([tested.moments[i].mean[:12] for i in clips]) * affine.scale + affine.shift
        standard = (means - prior.mean[:12]) / prior.deviation[:12]
        assert abs(standard.mean(axis=0)).max() < 0.35
        assert 0.4 < standard.std() < 1.4


def test_a_channel_that_the_clips_lack_stays_as_it_is(tested: Enrolment) -> None:
    moments = [tested.moments[i] for i in tested.clips["p08"]]
    blind = [replace(m, mean=np.where(np.arange(20) < 12, m.mean, np.nan)) for m in moments]
    affine = tested.prior.affine("face", tested.prior.estimate(blind))
    assert affine is not None
    np.testing.assert_array_equal(affine.scale, np.ones(8))
    np.testing.assert_allclose(affine.shift, 0, atol=1e-6)


def test_draws_are_of_others_and_a_function_of_seed_epoch_and_id(people: Enrolment) -> None:
    first = {e: [people.drawn(7, e, i) for i in people.moments] for e in (0, 1)}
    again = Enrolment(people.prior, people.moments, people.people)
    for epoch in (1, 0):
        for sample_id, person in zip(people.moments, first[epoch], strict=True):
            same = again.drawn(7, epoch, sample_id)
            assert (same is None) == (person is None)
            if same is not None and person is not None:
                np.testing.assert_array_equal(same.mean, person.mean)
    sizes = Counter(p.clips if p else 0 for p in first[0])
    # Of 24 clips two sets without a common one hold 12 each.
    assert set(sizes) == {0, 1, 2, 4, 8, 12, 24} and min(sizes.values()) > 10
    for sample_id in people.moments:
        name = people.people[sample_id]
        assert name is not None
        one, other = people._halves(7, 0, name, 3)
        assert len(one) == len(other) == 4 and not set(one) & set(other)


def test_files_keep_priors_and_people(tmp_path: Path, people: Enrolment) -> None:
    write_prior(people.prior, tmp_path / "prior.safetensors")
    prior = read_prior(tmp_path / "prior.safetensors", ("face",))
    assert list(prior.widths.items()) == [("voice", 12), ("face", 8)]
    assert prior.key == people.prior.key
    person = people.all("p00-00")
    assert person is not None
    path = tmp_path / "p.safetensors"
    write_person(person, path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    found = read_person(path)
    assert (found.clips, found.prior) == (24, prior.key)
    np.testing.assert_allclose(found.mean, person.mean, rtol=1e-6)
    (tmp_path / "broken.safetensors").write_bytes(b"no tensors")
    with pytest.raises(EmollamaError, match=r"broken\.safetensors: is not a stored person"):
        read_person(tmp_path / "broken.safetensors")


def test_a_corpus_of_one_person_is_refused(corpus: tuple[Readers, list[Sample]]) -> None:
    readers, samples = corpus
    alone = [s for s in samples if s.speaker == "p00"]
    with pytest.raises(EmollamaError, match=r"at least two people with two clips each.* name 1"):
        fit_people(INPUTS, readers, alone, LABELS.labels)
    plain = [replace(spec, standardise=True) for spec in INPUTS]
    assert fit_people(plain, readers, alone, LABELS.labels) is None


def test_without_labels_the_plain_mean_is_shrunk(people: Enrolment, tested: Enrolment) -> None:
    none = np.zeros((0, 20))
    plain: PersonPrior = replace(people.prior, labels=(), classes=none, weights=none)
    moments = [tested.moments[i] for i in tested.clips["p08"]]
    person = plain.estimate(moments)
    assert person is not None and person.variety == 1.0
