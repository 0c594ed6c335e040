"""What tested people are known by in an evaluation, and the same for the baseline beside it."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from emollama.base.errors import EmollamaError
from emollama.evaluation.config import EvalConfig
from emollama.features.tracks import TrackReader, usable
from emollama.inputs.enrolment import Known, enrolment, person_of
from emollama.inputs.person import Person, PersonPrior
from emollama.manifest.sample import Manifest, Sample
from emollama.runs.artefact import Artefact

SETTING = "people known by"
"""Key of the header's settings."""


@dataclass(frozen=True)
class KnownPeople:
    """The people of an evaluation.

    Attributes:
        known: what they are known by.
        words: the same for the reader of a report.
    """

    known: Known
    words: str


def drawn_clips(config: EvalConfig, tested: Sequence[Sample]) -> dict[str, list[Sample]]:
    """The clips to enrol of each person, drawn by the seed; they are not answered.

    A person keeps one clip at least to be answered.
    """
    count = config.data.enrol
    if not isinstance(count, int):
        return {}
    own: dict[str, list[Sample]] = {}
    for sample in tested:
        if (person := person_of(sample)) is not None:
            own.setdefault(person, []).append(sample)
    if not own:
        raise EmollamaError(
            f"{config.data.manifest}: data.enrol needs people, named by `speaker` or `group`"
        )
    return {
        person: random.Random(f"{config.seed}/enrol/{person}").sample(
            clips, min(count, len(clips) - 1)
        )
        for person, clips in own.items()
    }


def known_people(
    config: EvalConfig,
    model: Artefact,
    manifest: Manifest,
    enrolled: dict[str, list[Sample]],
    tested: Sequence[Sample],
    readers: Mapping[str, TrackReader],
) -> KnownPeople | None:
    """What everybody is known by; None without enrolment.

    People of the training and validation splits, for the baseline, are known by all their clips.

    Raises:
        EmollamaError: the model does not measure people.
    """
    if config.data.enrol == "none":
        return None
    prior = require_prior(model, config)
    splits = [config.data.train_split, *filter(None, [config.data.validation_split])]
    present = {s.split or "(none)" for s in manifest.samples}
    asked = [part for split in splits for part in split.split("+") if part in present]
    ids = {s.id for s in tested}
    fit = [s for s in manifest.samples if s.split in asked and s.id not in ids]
    others = enrolment(prior, readers, usable(fit, readers)[0])
    if config.data.enrol == "all":
        answered = enrolment(prior, readers, tested).transductive
        words = "all their clips of this split, unlabelled, those scored included (transductive)"
    else:
        clips = [s for own in enrolled.values() for s in own]
        answered = enrolment(prior, readers, usable(clips, readers)[0]).for_others(tested)
        words = f"{config.data.enrol} of their clips, unlabelled and not scored"

    def person(sample_id: str) -> Person | None:
        return answered.person(sample_id) if sample_id in ids else others.all(sample_id)

    return KnownPeople(Known(prior, person), words)


def require_prior(model: Artefact, config: EvalConfig) -> PersonPrior:
    """The prior of a model that measures people.

    Raises:
        EmollamaError: it does not.
    """
    if model.prior is None:
        raise EmollamaError(
            f"{config.model}: its features are not measured against people; train it with "
            "`standardise: person` on an input, or leave out data.enrol"
        )
    return model.prior
