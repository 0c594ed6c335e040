"""What tested people are known by, where an input is measured against the person of a clip."""

from __future__ import annotations

from collections.abc import Sequence

from emollama.bench.configuration import Enrol
from emollama.inputs.draws import epoch_order
from emollama.inputs.enrolment import Known, enrolment, person_of
from emollama.inputs.opening import Readers
from emollama.inputs.person import PersonPrior
from emollama.manifest.sample import Sample


def drawn_clips(samples: Sequence[Sample], count: int, seed: int) -> set[str]:
    """Ids of `count` clips of each person, drawn by the seed; at least one is left to score."""
    clips: dict[str, list[str]] = {}
    for sample in samples:
        if (person := person_of(sample)) is not None:
            clips.setdefault(person, []).append(sample.id)
    found: set[str] = set()
    for ids in clips.values():
        order = epoch_order(seed, 0, ids)[: min(count, len(ids) - 1)]
        found |= {ids[i] for i in order}
    return found


def known_in_test(
    prior: PersonPrior,
    readers: Readers,
    enrol: Enrol,
    tested: Sequence[Sample],
    enrolled: Sequence[Sample],
) -> Known | None:
    """What the people of the test clips are known by; None without any clip.

    Args:
        prior: of the training part.
        readers: of the inputs.
        enrol: as in the bench's configuration.
        tested: the test clips.
        enrolled: clips of the same people that are not scored, where `enrol` is a number.
    """
    if enrol == "none":
        return None
    if enrol == "all":
        return enrolment(prior, readers, tested).transductive
    return enrolment(prior, readers, enrolled).for_others(tested)


def told(enrol: Enrol) -> str:
    """How the people were known, in a sentence of the report."""
    if enrol == "none":
        return "By person: no clip of a tested person was enrolled."
    if enrol == "all":
        return (
            "By person is transductive: all clips of a tested person, those to be answered "
            "included, were used without their labels."
        )
    return (
        f"By person: {enrol} clips of each tested person were used without their labels; no row "
        "is scored on them."
    )
