"""Runs the enrolment curve of a model and of the regression on the same inputs."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression

from emollama.base.errors import EmollamaError
from emollama.base.progress import bar
from emollama.evaluation.config import EvalConfig
from emollama.evaluation.known_people import require_prior
from emollama.features.tracks import usable
from emollama.inputs.draws import drawn
from emollama.inputs.enrolment import Enrolment, Known, enrolment, person_of
from emollama.inputs.person import ClipMoments, Person, PersonPrior
from emollama.manifest.sample import Sample
from emollama.manifest.split_file import read_with_splits
from emollama.runs.artefact import LoadedSamples
from emollama.scoring.enrolment.curve import (
    ALL,
    ANY,
    MIXED,
    NEUTRAL,
    NOBODY,
    TOLD,
    Curve,
    CurveRow,
)
from emollama.session.family import open_artefact

CASES: tuple[tuple[str, int], ...] = (
    (NOBODY, 0),
    *((ANY, n) for n in (1, 2, 4, 8, 16)),
    *((NEUTRAL, n) for n in (1, 2, 4)),
    *((TOLD, n) for n in (1, 2, 4)),
    *((MIXED, n) for n in (3, 6)),
    (ALL, 0),
)
"""Which clips are enrolled, and how many."""

REGRESSION = "logistic regression"
STRENGTH = 0.01
"""C of the regression."""
EPOCHS = 6
"""How often each training clip is seen by the regression, each time known by a new draw."""


@dataclass(frozen=True)
class Draw:
    """One draw of a case: who is known by what, and which clips were enrolled."""

    case: str
    clips: int
    number: int
    known: Known
    enrolled: frozenset[str]


def enrolment_curve(config: EvalConfig, draws: int, baseline: bool = True) -> Curve:
    """Answers of a model to a split, by how many clips of each person are known.

    Enrolled clips are not scored. The estimate of a person sees no label, except that of clips
    which are told to be neutral.

    Raises:
        EmollamaError: the model does not measure people, or the split has no labelled clips of
            people with two clips or more.
    """
    model = open_artefact(config.model, config.dtype)
    prior = require_prior(model, config)
    manifest = read_with_splits(config.data.manifest, config.data.split_file)
    split = config.data.split
    tested = [s for s in manifest.split(split) if s.targets.emotion in model.labels]
    samples = drawn(config.seed, tested, config.data.limit)
    loaded = model.load_samples(manifest, samples, split, config.data.store, config.data.features)
    people = enrolment(prior, loaded.readers, loaded.samples)
    plan = list(planned(people, loaded.samples, draws, config.seed))
    if not any(draw.case == ANY for draw in plan):
        raise EmollamaError(
            f"{config.data.manifest}: split '{split}' has no person with two clips; people are "
            "named by `speaker` or `group`"
        )
    labels = list(model.labels)
    answers: dict[str, Callable[[Draw], dict[str, int]]] = {
        f"the {'language' if model.writes else 'fusion'} model": lambda draw: _asked(
            loaded, draw, config.batch_size
        )
    }
    if baseline:
        split = config.data.train_split
        train, _ = usable(
            [s for s in manifest.split(split) if s.targets.emotion in labels], loaded.readers
        )
        answers[REGRESSION] = _regression(prior, loaded, people, train, labels)
    rows = []
    with bar("answers") as advance:
        total = len(plan) * len(answers)
        advance(0, total)
        for system, ask in answers.items():
            for draw in plan:
                found = ask(draw)
                codes = tuple(found.get(s.id, -1) for s in loaded.samples)
                rows.append(CurveRow(system, draw.case, draw.clips, draw.number, codes))
                advance(len(rows), total)
    return Curve(
        labels=tuple(labels),
        ids=tuple(s.id for s in loaded.samples),
        truth=tuple(labels.index(str(s.targets.emotion)) for s in loaded.samples),
        people=tuple(person_of(s) or s.id for s in loaded.samples),
        rows=tuple(rows),
        about={
            "corpus": manifest.corpus,
            "split": config.data.split,
            "model": Path(config.model).name,
        },
    )


def planned(people: Enrolment, samples: Sequence[Sample], draws: int, seed: int) -> Iterator[Draw]:
    """The draws of every case that some person has the clips for; each leaves a clip to score."""
    emotions = {s.id: s.targets.emotion for s in samples}
    for case, clips in CASES:
        if case in (NOBODY, ALL):
            known = Known(people.prior, lambda _: None) if case == NOBODY else people.transductive
            yield Draw(case, clips, 0, known, frozenset())
            continue
        for number in range(draws):
            found: dict[str, Person | None] = {}
            enrolled: set[str] = set()
            for person, own in people.clips.items():
                draw = random.Random(f"{seed}/{case}/{clips}/{number}/{person}")
                chosen = _chosen(case, clips, own, emotions, draw)
                if chosen is None:
                    continue
                found[person] = people.by(chosen, neutral=case == TOLD)
                enrolled |= set(chosen)
            if not found:
                break
            # People without so many clips are not scored in this case.
            others = {i for i in emotions if people.people[i] not in found}
            yield Draw(case, clips, number, _known(people, found), frozenset(enrolled | others))


def _known(people: Enrolment, found: Mapping[str, Person | None]) -> Known:
    return Known(people.prior, lambda sample_id: found.get(people.people[sample_id] or ""))


def _chosen(
    case: str,
    clips: int,
    own: Sequence[str],
    emotions: Mapping[str, str | None],
    draw: random.Random,
) -> list[str] | None:
    """The clips to enrol; None where there are too few, or none would be left."""
    if len(own) <= clips:
        return None
    if case == ANY:
        return draw.sample(list(own), clips)
    neutral = [i for i in own if emotions[i] == "neutral"]
    others = [i for i in own if emotions[i] != "neutral"]
    wanted = round(clips * 2 / 3) if case == MIXED else clips
    if len(neutral) < wanted or len(others) < clips - wanted:
        return None
    return draw.sample(neutral, wanted) + draw.sample(others, clips - wanted)


def _asked(loaded: LoadedSamples, draw: Draw, batch_size: int) -> dict[str, int]:
    """The numbers of the labels that the model answers to clips that were not enrolled."""
    loaded.known = draw.known
    channels = sorted(loaded.channels)
    found: dict[str, int] = {}
    for chunk in loaded.chunks(batch_size):
        ids = [i for i in chunk if i not in draw.enrolled]
        answers = loaded.answers(ids, channels, batch_size) if ids else []
        for name, answer in zip(ids, answers, strict=True):
            assert answer.scores is not None
            found[name] = int(np.argmax(answer.scores))
    return found


def _regression(
    prior: PersonPrior,
    loaded: LoadedSamples,
    people: Enrolment,
    train: Sequence[Sample],
    labels: Sequence[str],
) -> Callable[[Draw], dict[str, int]]:
    """A regression on the inputs that are measured against people, fitted as the model is.

    Each training clip is seen several times, its person known by a new number of clips each time.
    """
    known = enrolment(prior, loaded.readers, train)
    rows = [
        _columns(prior, known.moments[s.id], known.drawn(0, epoch, s.id))
        for epoch in range(EPOCHS)
        for s in train
    ]
    fitted = LogisticRegression(C=STRENGTH, max_iter=1000)
    fitted.fit(np.stack(rows), [str(s.targets.emotion) for s in train] * EPOCHS)

    def ask(draw: Draw) -> dict[str, int]:
        ids = [i for i in people.moments if i not in draw.enrolled]
        if not ids:
            return {}
        asked = np.stack([_columns(prior, people.moments[i], draw.known.person(i)) for i in ids])
        return {i: labels.index(str(x)) for i, x in zip(ids, fitted.predict(asked), strict=True)}

    return ask


def _columns(prior: PersonPrior, moments: ClipMoments, person: Person | None) -> np.ndarray:
    """A clip's means against its person, or against the corpus; 0 where it has none."""
    mean, deviation = (
        (prior.mean, prior.deviation) if person is None else (person.mean, person.deviation)
    )
    return np.nan_to_num((moments.mean - mean) / deviation)
