"""The logistic regression beside a row: the same tracks, fold and standardisation.

Measured against people, the training clips are repeated over several epochs of drawn enrolments, as
a fusion model sees them, and the others are known as in the test.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from emollama.bench.configuration import Enrol
from emollama.bench.tested_people import known_in_test
from emollama.evaluation.baseline import FeatureMatrix, logistic_regression, pool_tracks
from emollama.fusion.configuration import ModalitySection
from emollama.inputs.enrolment import Known, enrolment, fit_people
from emollama.inputs.opening import Readers
from emollama.manifest.labels import LabelSet
from emollama.manifest.sample import Sample

EPOCHS = 6
"""Epochs of drawn enrolments that the regression is fitted on."""
STRENGTH_FOLDS = 5
"""Folds that choose C where there is no validation part."""


def regression(
    sections: Sequence[ModalitySection],
    readers: Readers,
    labels: LabelSet,
    parts: Mapping[str, Sequence[Sample]],
    enrol: Enrol,
    seed: int,
) -> np.ndarray:
    """Probabilities [n, K] of the test clips.

    Args:
        sections: the modalities.
        readers: by modality.
        labels: the label set, K labels.
        parts: samples by split: "train", "val", "test" and "enrolled".
        enrol: what tested people are known by.
        seed: of draws and folds.

    Raises:
        EmollamaError: too few people to standardise by.
    """
    train, validation, test = (list(parts[name]) for name in ("train", "val", "test"))
    people = fit_people(sections, readers, train, labels.labels)
    if people is None:
        ids = [s.id for s in (*train, *validation, *test)]
        matrices = _pooled(sections, readers, ids, ids)
    else:
        blocks = []
        repeated: list[Sample] = []
        for epoch in range(EPOCHS):
            again = [s.model_copy(update={"id": f"{s.id} {epoch}"}) for s in train]
            known = people.in_epoch(seed, epoch)
            blocks.append(_measured(sections, readers, known, train, again))
            repeated += again
        held_out = enrolment(people.prior, readers, validation).transductive
        known_held = None if enrol == "none" else held_out
        blocks.append(_measured(sections, readers, known_held, validation, validation))
        known_test = known_in_test(people.prior, readers, enrol, test, parts["enrolled"])
        blocks.append(_measured(sections, readers, known_test, test, test))
        matrices = [_stacked(each) for each in zip(*blocks, strict=True)]
        train = repeated
    return logistic_regression(matrices, labels, train, validation, test, seed, STRENGTH_FOLDS)[0]


def _measured(
    sections: Sequence[ModalitySection],
    readers: Readers,
    known: Known | None,
    samples: Sequence[Sample],
    named: Sequence[Sample],
) -> list[FeatureMatrix]:
    """Features of samples as their people are known; rows have the ids of `named`."""
    taken = readers if known is None else known.readers(readers)
    return _pooled(sections, taken, [s.id for s in samples], [s.id for s in named])


def _pooled(
    sections: Sequence[ModalitySection],
    readers: Readers,
    ids: Sequence[str],
    names: Sequence[str],
) -> list[FeatureMatrix]:
    """One vector per clip and modality; row i is called `names[i]`."""
    found = []
    for section in sections:
        matrix = pool_tracks(section.name, readers[section.name], ids, section.pool == "mean+std")
        found.append(replace(matrix, ids=tuple(names)))
    return found


def _stacked(parts: Sequence[FeatureMatrix]) -> FeatureMatrix:
    return FeatureMatrix(
        parts[0].name,
        tuple(name for part in parts for name in part.ids),
        np.concatenate([part.values for part in parts]),
        np.concatenate([part.present for part in parts]),
    )
