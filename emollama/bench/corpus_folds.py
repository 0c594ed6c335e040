"""Folds of whole corpora: each is tested once, on a model of all others.

A corpus is scored on those of its labels that the training corpora know; clips of other labels, or
of none, are in no split. Validation people are taken out of every training corpus; clips, out of
one that names nobody.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from emollama.base.errors import EmollamaError
from emollama.bench.configuration import FoldsSection
from emollama.corpora.splits import k_fold
from emollama.inputs.mixture import Corpus, Mixture, key_of, require_apart
from emollama.manifest.labels import LabelSet, label_set
from emollama.manifest.sample import Manifest, Sample

TRAIN, VALIDATION, TEST = "train", "val", "test"


@dataclass(frozen=True)
class CorpusFold:
    """One corpus as the test.

    Attributes:
        name: of the corpus.
        splits: {id: split, or None for a clip that takes no part}.
        labels: that the test is answered with.
        notes: what the user should know.
    """

    name: str
    splits: dict[str, str | None]
    labels: LabelSet
    notes: tuple[str, ...]


def corpus_folds(manifest: Manifest, section: FoldsSection) -> list[CorpusFold]:
    """A fold for each corpus, in order.

    Raises:
        EmollamaError: one corpus alone, a person or a file in two corpora, fewer than two labels
            that a corpus shares with the others, too few people to validate on.
    """
    assert isinstance(manifest, Mixture)
    if len(manifest.corpora) < 2:
        raise EmollamaError(
            f"folds: scheme corpus needs two corpora or more in data.manifests, but "
            f"'{manifest.corpora[0].name}' is alone: nothing is left to train on"
        )
    return [_fold(manifest, corpus, section, k) for k, corpus in enumerate(manifest.corpora)]


def _fold(mixture: Mixture, tested: Corpus, section: FoldsSection, number: int) -> CorpusFold:
    labels = _answers(mixture, tested)
    splits: dict[str, str | None] = {}
    unknown: Counter[str] = Counter()
    training: dict[str, list[Sample]] = {}
    for sample in mixture.samples:
        emotion, key = sample.targets.emotion, key_of(sample.id)
        splits[sample.id] = None
        if emotion is None:
            continue
        if key != tested.key:
            splits[sample.id] = TRAIN
            training.setdefault(key, []).append(sample)
        elif emotion in labels.labels:
            splits[sample.id] = TEST
        else:
            unknown[emotion] += 1
    placed = [s.model_copy(update={"split": splits[s.id]}) for s in mixture.samples]
    try:
        require_apart(placed, TRAIN)
    except EmollamaError as error:
        raise EmollamaError(f"fold {tested.key}: {error}") from error
    for key, samples in training.items():
        splits |= _held_out(samples, section, section.seed + number, f"fold {tested.key}: {key}")
    notes: list[str] = []
    if unknown:
        told = ", ".join(f"{label} {count}" for label, count in sorted(unknown.items()))
        notes.append(f"clips of labels that the other corpora do not know are not scored: {told}")
    return CorpusFold(tested.key, splits, labels, tuple(notes))


def _answers(mixture: Mixture, tested: Corpus) -> LabelSet:
    """The labels of a corpus that the others know."""
    others = {x for c in mixture.corpora if c.key != tested.key for x in c.labels}
    shared = [x for x in mixture.labels.labels if x in tested.labels and x in others]
    if len(shared) < 2:
        known = f"only '{shared[0]}'" if shared else "none"
        raise EmollamaError(
            f"fold {tested.key}: the other corpora know {known} of its labels "
            f"({', '.join(tested.labels)}), so there is nothing to tell apart; map more labels"
        )
    return label_set(mixture.labels.name, *shared)


def _held_out(
    samples: Sequence[Sample], section: FoldsSection, seed: int, where: str
) -> dict[str, str]:
    """{id: "val" or "train"}: one part of the people of a training corpus, or of its clips where it
    names nobody.
    """
    if section.by == "speaker":
        samples = [s.model_copy(update={"group": s.speaker}) for s in samples]
    people = len({s.group for s in samples if s.group is not None}) or len(samples)
    known = any(s.group is not None for s in samples)
    try:
        folds = max(2, min(section.validation, people))
        parts = k_fold(samples, 0, folds, seed, whole_groups=known)
    except EmollamaError as error:
        raise EmollamaError(f"{where}: no people to validate on: {error}") from error
    return {name: VALIDATION if part == TEST else TRAIN for name, part in parts.items()}
