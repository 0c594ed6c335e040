"""Which of their own clips people are known by: in training, in evaluation, and for one clip.

In training the number of clips is drawn anew for every sample and epoch, from none to all, so that
one model serves every case. A drawn set never holds the sample itself, except where all are drawn.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from emollama.encoders.base import FeatureTrack
from emollama.features.tracks import TrackReader
from emollama.inputs.draws import generator
from emollama.inputs.opening import Readers
from emollama.inputs.person import (
    Affine,
    ClipMoments,
    Person,
    PersonPrior,
    moments_of,
    seen_columns,
)
from emollama.inputs.person_fit import fit_person_prior
from emollama.inputs.spec import Described
from emollama.manifest.sample import Sample

SIZES: tuple[int | None, ...] = (0, 1, 2, 4, 8, 16, None)
"""Numbers of clips to draw from in training; None is all of a person's."""


def person_of(sample: Sample) -> str | None:
    """Who is in a sample: its speaker, else its group."""
    return sample.speaker or sample.group


def face_of(sample: Sample) -> str | None:
    """Who is seen in a sample: the speaker, unless another is named."""
    return sample.face or person_of(sample)


def person_inputs(inputs: Sequence[Described]) -> list[str]:
    """Names of the inputs with `standardise: person`; an `InputSpec` describes itself."""
    return [one.spec.name for one in inputs if one.spec.standardise == "person"]


def face_inputs(inputs: Sequence[Described]) -> tuple[str, ...]:
    """Names of those of `person_inputs` that show the face."""
    shown = {one.spec.name for one in inputs if one.spec.channel == "face"}
    return tuple(name for name in person_inputs(inputs) if name in shown)


def clip_moments(
    readers: Mapping[str, TrackReader], widths: Mapping[str, int], ids: Sequence[str]
) -> dict[str, ClipMoments]:
    """Moments of samples over the columns of these inputs; each track is read once."""
    sizes = list(widths.values())
    return {i: moments_of([readers[name].get(i) for name in widths], sizes) for i in ids}


class Enrolment:
    """The people of some samples, and what each is known by.

    Args:
        prior: of the model.
        moments: of the samples, by id.
        people: who is in each, by id; None where that is not known.
        columns: bool [D], those in which `people` are measured; None for all.
        faces: the people who are seen, measured in the other columns; None where they are `people`.
    """

    def __init__(
        self,
        prior: PersonPrior,
        moments: Mapping[str, ClipMoments],
        people: Mapping[str, str | None],
        columns: np.ndarray | None = None,
        faces: Enrolment | None = None,
    ) -> None:
        self.prior = prior
        self.moments = moments
        self.people = people
        self.columns = columns
        self.faces = faces
        self.clips: dict[str, list[str]] = {}
        for name in sorted(moments):
            if (person := people[name]) is not None:
                self.clips.setdefault(person, []).append(name)
        self._all: dict[str, Person | None] = {}
        self._epoch = (-1, -1)
        self._cut: dict[tuple[str, int], tuple[Sequence[str], Sequence[str]]] = {}
        self._drawn: dict[tuple[str, int, int], Person | None] = {}

    def by(self, ids: Sequence[str], neutral: bool = False) -> Person | None:
        """The person that these samples show; None without any.

        In the columns of `people`: a face that is of another stays as it is.
        """
        clips = [self.moments[i] for i in ids]
        if self.columns is not None:
            clips = [clip.only(self.columns) for clip in clips]
        return self.prior.estimate(clips, neutral)

    @property
    def transductive(self) -> Known:
        """Everybody known by all clips, those to be answered included."""
        return Known(self.prior, self.all)

    def for_others(self, samples: Sequence[Sample]) -> Known:
        """Other samples of the same people, each person known by all of these clips."""
        if self.faces is None and _others_seen(samples, self.prior.seen):
            return _apart(self.prior, self.moments, self.people, self.people).for_others(samples)
        heard = self._others({s.id: person_of(s) for s in samples})
        if self.faces is None:
            return Known(self.prior, heard)
        seen = self.faces._others({s.id: face_of(s) for s in samples})
        return Known(self.prior, lambda i: self.prior.joined(heard(i), seen(i)))

    def known_by(self, clips: Iterable[str], neutral: bool = False) -> Known:
        """Everybody known by those of these clips that are theirs."""
        chosen = list(clips)
        heard = self._chosen(chosen, neutral)
        if self.faces is None:
            return Known(self.prior, heard)
        seen = self.faces._chosen(chosen, neutral)
        return Known(self.prior, lambda i: self.prior.joined(heard(i), seen(i)))

    def _chosen(self, clips: Sequence[str], neutral: bool) -> Callable[[str], Person | None]:
        own: dict[str, list[str]] = {}
        for name in clips:
            if (person := self.people[name]) is not None:
                own.setdefault(person, []).append(name)
        people = {person: self.by(names, neutral) for person, names in own.items()}
        return lambda sample_id: people.get(self.people[sample_id] or "")

    def _others(self, who: Mapping[str, str | None]) -> Callable[[str], Person | None]:
        people = {person: self.by(clips) for person, clips in self.clips.items()}
        return lambda sample_id: people.get(who[sample_id] or "")

    def all(self, sample_id: str) -> Person | None:
        """The person of a sample by all clips of that person, this one included."""
        found = self._by_all(sample_id)
        return found if self.faces is None else self.prior.joined(found, self.faces.all(sample_id))

    def _by_all(self, sample_id: str) -> Person | None:
        person = self.people[sample_id]
        if person is None or len(self.clips[person]) < 2:
            return None
        if person not in self._all:
            self._all[person] = self.by(self.clips[person])
        return self._all[person]

    def drawn(self, seed: int, epoch: int, sample_id: str) -> Person | None:
        """The person of a sample as known in one epoch; a function of the three."""
        found = self._drawn_alone(seed, epoch, sample_id)
        if self.faces is None:
            return found
        return self.prior.joined(found, self.faces.drawn(seed, epoch, sample_id))

    def _drawn_alone(self, seed: int, epoch: int, sample_id: str) -> Person | None:
        person = self.people[sample_id]
        if person is None:
            return None
        place = generator(seed, epoch, "known", sample_id).randrange(len(SIZES))
        if SIZES[place] == 0:
            return None
        if SIZES[place] is None:
            return self._by_all(sample_id)
        if self._epoch != (seed, epoch):
            self._epoch, self._drawn, self._cut = (seed, epoch), {}, {}
        if (person, place) not in self._cut:
            self._cut[person, place] = self._halves(seed, epoch, person, place)
        first, second = self._cut[person, place]
        side = int(sample_id in first)
        key = (person, place, side)
        if key not in self._drawn:
            self._drawn[key] = self.by(second if side else first)
        return self._drawn[key]

    def in_epoch(self, seed: int, epoch: int) -> Known:
        """What people are known by in one epoch of training."""
        return Known(self.prior, lambda sample_id: self.drawn(seed, epoch, sample_id))

    def _halves(
        self, seed: int, epoch: int, person: str, place: int
    ) -> tuple[Sequence[str], Sequence[str]]:
        """Two sets of clips of a person without a common one: a sample is known by the other."""
        clips = list(self.clips[person])
        generator(seed, epoch, "enrolled", person, place).shuffle(clips)
        size = min(SIZES[place] or 0, len(clips) // 2)
        return clips[:size], clips[size : 2 * size]


@dataclass(frozen=True)
class Known:
    """What each sample's person is known by.

    Attributes:
        prior: of the model.
        person: of a sample id; None leaves its tracks as they are.
    """

    prior: PersonPrior
    person: Callable[[str], Person | None]

    def affine(self, name: str, sample_id: str) -> Affine | None:
        """The change of an input's columns for a sample."""
        if name not in self.prior.widths:
            return None
        return self.prior.affine(name, self.person(sample_id))

    def track(self, name: str, sample_id: str, track: FeatureTrack | None) -> FeatureTrack | None:
        """A track of an input, measured against the person of its sample."""
        affine = None if track is None else self.affine(name, sample_id)
        return track if track is None or affine is None else affine.apply(track)

    def readers(self, readers: Mapping[str, TrackReader]) -> Readers:
        """The readers, with the tracks of the prior's inputs measured against people."""
        return {
            name: PersonTracks(reader, name, self) if name in self.prior.widths else reader
            for name, reader in readers.items()
        }


class PersonTracks:
    """Tracks of one input, each measured against the person of its sample; a `TrackReader`.

    Args:
        reader: of the tracks as they are.
        name: of the input.
        known: what people are known by.
    """

    def __init__(self, reader: TrackReader, name: str, known: Known) -> None:
        self.reader, self.name, self.known = reader, name, known
        self.width, self.fingerprint = reader.width, reader.fingerprint
        self.columns = reader.columns

    def __contains__(self, sample_id: object) -> bool:
        return sample_id in self.reader

    def ids(self) -> list[str]:
        """Every id that the reader knows."""
        return self.reader.ids()

    def status(self, sample_id: str) -> str:
        """As the reader has it."""
        return self.reader.status(sample_id)

    def get(self, sample_id: str) -> FeatureTrack | None:
        """The track, against its person."""
        return self.known.track(self.name, sample_id, self.reader.get(sample_id))


def fit_people(
    inputs: Sequence[Described],
    readers: Mapping[str, TrackReader],
    samples: Sequence[Sample],
    labels: Sequence[str],
) -> Enrolment | None:
    """The people of the training samples and the prior fitted to them.

    None where no input has `standardise: person`.

    Raises:
        EmollamaError: fewer than two people have two clips.
    """
    widths = {n: readers[n].width for n in person_inputs(inputs)}
    if not widths:
        return None
    moments = clip_moments(readers, widths, [s.id for s in samples])
    faces = face_inputs(inputs)
    seen = seen_columns(widths, faces)
    emotions = [s.targets.emotion for s in samples]
    if not _others_seen(samples, seen):
        clips = [moments[s.id] for s in samples]
        people = [person_of(s) for s in samples]
    else:  # A clip counts twice: without its face for who speaks, with it alone for who is seen.
        clips = [moments[s.id].only(part) for part in (~seen, seen) for s in samples]
        people = [person_of(s) for s in samples]
        people += [None if (name := face_of(s)) is None else f"face of {name}" for s in samples]
        emotions = 2 * emotions
    prior = fit_person_prior(widths, clips, people, emotions, labels, faces)
    return _enrolment(prior, moments, samples)


def enrolment(
    prior: PersonPrior, readers: Mapping[str, TrackReader], samples: Sequence[Sample]
) -> Enrolment:
    """The people of samples of any split, for a model's prior."""
    return _enrolment(prior, clip_moments(readers, prior.widths, [s.id for s in samples]), samples)


def _enrolment(
    prior: PersonPrior, moments: Mapping[str, ClipMoments], samples: Sequence[Sample]
) -> Enrolment:
    people = {s.id: person_of(s) for s in samples}
    if not _others_seen(samples, prior.seen):
        return Enrolment(prior, moments, people)
    return _apart(prior, moments, people, {s.id: face_of(s) for s in samples})


def _apart(
    prior: PersonPrior,
    moments: Mapping[str, ClipMoments],
    heard: Mapping[str, str | None],
    seen: Mapping[str, str | None],
) -> Enrolment:
    """People whose faces are measured for themselves."""
    faces = Enrolment(prior, moments, seen, prior.seen)
    return Enrolment(prior, moments, heard, ~prior.seen, faces)


def _others_seen(samples: Sequence[Sample], seen: np.ndarray) -> bool:
    """Whether somebody else than the speaker is seen, in columns that show it."""
    return bool(seen.any()) and any(face_of(sample) != person_of(sample) for sample in samples)
