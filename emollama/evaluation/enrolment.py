"""Runs the enrolment curve of a model and of the regression on the same inputs."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression

from emollama.base.errors import EmollamaError
from emollama.base.progress import bar
from emollama.evaluation.config import EvalConfig
from emollama.evaluation.known_people import require_prior
from emollama.features.tracks import TrackReader, usable
from emollama.inputs.common_labels import as_trained
from emollama.inputs.config import DataSection
from emollama.inputs.draws import drawn
from emollama.inputs.enrolment import Enrolment, Known, enrolment, person_of
from emollama.inputs.mixture import read_corpora, store_of
from emollama.inputs.opening import open_inputs
from emollama.inputs.person import ClipMoments, Person, PersonPrior
from emollama.manifest.sample import Manifest, Sample
from emollama.manifest.split_file import read_with_splits
from emollama.runs.artefact import Artefact, LoadedSamples
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
    """One draw of a case: who is known by what, and which clips are not scored."""

    case: str
    clips: int
    number: int
    known: Known
    left_out: frozenset[str]


def enrolment_curve(
    config: EvalConfig, draws: int, baseline: bool = True, scored: int = 0
) -> Curve:
    """Answers of a model to a split, by how many clips of each person are known.

    Enrolled clips are not scored. The estimate of a person sees no label, except that of clips
    which are told to be neutral. `scored`: how many clips of a person each draw scores at most, as
    evenly over the labels as can be; 0 for all that are not enrolled.

    Raises:
        EmollamaError: the model does not measure people, or the split has no labelled clips of
            people with two clips or more.
    """
    model = open_artefact(config.model, config.dtype, config.quantise)
    prior = require_prior(model, config)
    manifest = read_with_splits(config.data.manifest, config.data.split_file)
    manifest, _ = as_trained(
        manifest, model.labels, model.record, config.data.map, config.data.lacks
    )
    labels = manifest.labels.labels
    split = config.data.split
    tested = [s for s in manifest.split(split) if s.targets.emotion in labels]
    samples = drawn(config.seed, tested, config.data.limit)
    loaded = model.load_samples(manifest, samples, split, config.data.store, config.data.features)
    loaded.channels -= manifest.lacks
    people = enrolment(prior, loaded.readers, loaded.samples)
    plan = list(planned(people, loaded.samples, draws, config.seed, scored))
    if not any(draw.case == ANY for draw in plan):
        raise EmollamaError(
            f"{config.data.manifest}: split '{split}' has no person with two clips; people are "
            "named by `speaker` or `group`"
        )
    own = [model.labels.index(label) for label in labels]
    answers: dict[str, Callable[[Draw], dict[str, int]]] = {
        f"the {'language' if model.writes else 'fusion'} model": lambda draw: _asked(
            loaded, draw, config.batch_size, own
        )
    }
    if baseline:
        train, readers = _training(config, model, manifest, loaded)
        answers[REGRESSION] = _regression(
            prior, people, train, enrolment(prior, readers, train), labels
        )
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
        labels=labels,
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


def planned(
    people: Enrolment, samples: Sequence[Sample], draws: int, seed: int, scored: int = 0
) -> Iterator[Draw]:
    """The draws of every case that some person has the clips for; each leaves a clip to score.

    `scored`: see `enrolment_curve`.
    """
    emotions = {s.id: s.targets.emotion for s in samples}
    for case, clips in CASES:
        if case in (NOBODY, ALL):
            known = Known(people.prior, lambda _: None) if case == NOBODY else people.transductive
            yield Draw(case, clips, 0, known, frozenset())
            continue
        for number in range(draws):
            found: list[str] = []
            enrolled: list[str] = []
            for person, own in people.clips.items():
                draw = random.Random(f"{seed}/{case}/{clips}/{number}/{person}")
                chosen = _chosen(case, clips, own, emotions, draw)
                if chosen is None:
                    continue
                found.append(person)
                enrolled += chosen
            if not found:
                break
            # People without so many clips are not scored in this case.
            others = {i for i in emotions if people.people[i] not in found}
            left_out = {*enrolled, *others}
            if scored:
                draw = random.Random(f"{seed}/{case}/{clips}/{number}/scored")
                for person in found:
                    rest = [i for i in people.clips[person] if i not in left_out]
                    left_out |= set(rest) - set(_spread(rest, emotions, scored, draw))
            known = people.known_by(enrolled, neutral=case == TOLD)
            yield Draw(case, clips, number, known, frozenset(left_out))


def _spread(
    ids: Sequence[str], emotions: Mapping[str, str | None], count: int, draw: random.Random
) -> list[str]:
    """`count` of these clips, drawn label by label in turn."""
    shuffled = draw.sample(list(ids), len(ids))
    seen: Counter[str | None] = Counter()
    rounds = {}
    for name in shuffled:
        rounds[name] = seen[emotions[name]]
        seen[emotions[name]] += 1
    return sorted(shuffled, key=rounds.__getitem__)[:count]


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


def _training(
    config: EvalConfig, model: Artefact, manifest: Manifest, loaded: LoadedSamples
) -> tuple[list[Sample], Mapping[str, TrackReader]]:
    """The training samples of the regression and their tracks: the model's own, if it was trained
    on several corpora, else those of the tested corpus.
    """
    readers: Mapping[str, TrackReader] = loaded.readers
    split, labels = config.data.train_split, manifest.labels.labels
    if "mixture" in model.record:
        data = DataSection.model_validate(model.record["config"]["data"])
        if config.data.store is not None:
            # Its stores may have been elsewhere in training, and in one place here.
            moved = [
                one
                if one.store is not None and one.store.is_dir()
                else one.model_copy(update={"store": config.data.store})
                for one in data.manifests
            ]
            data = data.model_copy(update={"manifests": moved})
        manifest = read_corpora(data)
        readers = open_inputs(store_of(manifest, data), model.inputs)[1]
        split, labels = data.train_split, model.labels
    kept, _ = usable([s for s in manifest.split(split) if s.targets.emotion in labels], readers)
    return kept, readers


def _asked(
    loaded: LoadedSamples, draw: Draw, batch_size: int, own: Sequence[int]
) -> dict[str, int]:
    """The numbers of the labels that the model answers to the clips that are scored.

    `own`: places of the corpus's labels among the model's.
    """
    loaded.known = draw.known
    channels = sorted(loaded.channels)
    found: dict[str, int] = {}
    for chunk in loaded.chunks(batch_size):
        ids = [i for i in chunk if i not in draw.left_out]
        answers = loaded.answers(ids, channels, batch_size) if ids else []
        for name, answer in zip(ids, answers, strict=True):
            assert answer.scores is not None
            found[name] = int(np.argmax(answer.scores[list(own)]))
    return found


def _regression(
    prior: PersonPrior,
    people: Enrolment,
    train: Sequence[Sample],
    known: Enrolment,
    labels: Sequence[str],
) -> Callable[[Draw], dict[str, int]]:
    """A regression on the inputs that are measured against people, fitted as the model is.

    Each training clip is seen several times, its person known by a new number of clips each time.
    It answers with the tested corpus's labels.
    """
    rows = [
        _columns(prior, known.moments[s.id], known.drawn(0, epoch, s.id))
        for epoch in range(EPOCHS)
        for s in train
    ]
    fitted = LogisticRegression(C=STRENGTH, max_iter=1000)
    fitted.fit(np.stack(rows), [str(s.targets.emotion) for s in train] * EPOCHS)
    places = {str(label): i for i, label in enumerate(fitted.classes_)}
    own = [places[label] for label in labels if label in places]
    numbers = [i for i, label in enumerate(labels) if label in places]

    def ask(draw: Draw) -> dict[str, int]:
        ids = [i for i in people.moments if i not in draw.left_out]
        if not ids:
            return {}
        asked = np.stack([_columns(prior, people.moments[i], draw.known.person(i)) for i in ids])
        chosen = fitted.predict_proba(asked)[:, own].argmax(axis=1)
        return {i: numbers[k] for i, k in zip(ids, chosen, strict=True)}

    return ask


def _columns(prior: PersonPrior, moments: ClipMoments, person: Person | None) -> np.ndarray:
    """A clip's means against its person, or against the corpus; 0 where it has none."""
    mean, deviation = (
        (prior.mean, prior.deviation) if person is None else (person.mean, person.deviation)
    )
    return np.nan_to_num((moments.mean - mean) / deviation)
