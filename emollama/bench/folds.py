"""The folds of a bench: split files by group, with a validation part apart from the test."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from emollama.base.errors import EmollamaError
from emollama.bench.configuration import Enrol, FoldsSection
from emollama.bench.corpus_folds import TEST, TRAIN, VALIDATION, corpus_folds
from emollama.bench.tested_people import drawn_clips
from emollama.corpora.splits import k_fold, leave_one_group_out
from emollama.inputs.mixture import Mixture, key_of
from emollama.manifest.labels import LabelSet
from emollama.manifest.sample import Manifest, Sample
from emollama.manifest.split_file import apply_split, leakage, read_split_file, write_split_file

ENROLLED = "enrolled"
"""The split of test people's clips that they are known by and that are not scored."""


@dataclass(frozen=True)
class Fold:
    """One fold: the manifest with its splits, train, val and test.

    `accepted` are the values of `split_sha256` that identify predictions of this fold. `labels` are
    those that the test is answered with, `notes` what the user should know.
    """

    name: str
    manifest: Manifest
    accepted: tuple[str | None, ...]
    labels: LabelSet
    notes: tuple[str, ...] = ()

    @property
    def sha256(self) -> str:
        """SHA-256 of the split file that was written."""
        return str(self.manifest.split_sha256)

    @property
    def trained(self) -> Manifest:
        """What a model of the fold is trained and validated on; without corpora that are tested."""
        if not isinstance(self.manifest, Mixture):
            return self.manifest
        keys = {key_of(s.id) for s in self.manifest.samples if s.split == TRAIN}
        return self.manifest.only(keys)


def make_folds(
    manifest: Manifest, section: FoldsSection, folder: Path, enrol: Enrol = "all"
) -> list[Fold]:
    """Write `folder`/fold-<n>.jsonl, deterministic for the same samples, and read them.

    A number of clips to `enrol` takes these out of the test, into the split "enrolled".

    Raises:
        EmollamaError: the samples cannot be split in this way, or a fold has no test or training
            part.
    """
    parts: list[tuple[str, Manifest, tuple[str | None, ...]]] = []
    if section.scheme == "corpus":
        found = []
        for number, one in enumerate(corpus_folds(manifest, section)):
            part = _placed(manifest, one.splits)
            fold = _complete(one.name, number, part, (), section, folder, enrol)
            found.append(replace(fold, labels=one.labels, notes=one.notes))
        return found
    if section.scheme == "files":
        for path in section.files:
            placed = apply_split(manifest, read_split_file(path))
            parts.append((path.stem, placed, (placed.split_sha256,)))
    elif section.scheme == "official":
        parts.append(("official", manifest, (None,)))
    else:
        taking = manifest.samples if section.of is None else manifest.split(section.of)
        samples = _by(taking, section)
        for number, tested in enumerate(_tested(samples, section)):
            splits = {s.id: TEST if s.id in tested else TRAIN for s in samples}
            parts.append((str(number), _placed(manifest, splits), ()))
    return [
        _complete(name, number, part, accepted, section, folder, enrol)
        for number, (name, part, accepted) in enumerate(parts)
    ]


def _by(samples: Sequence[Sample], section: FoldsSection) -> list[Sample]:
    """The samples with the unit to keep whole as their group."""
    found = list(samples)
    if section.by == "speaker":
        found = [s.model_copy(update={"group": s.speaker}) for s in found]
    alone = next((s.id for s in found if s.group is None), None)
    if alone is not None and section.by != "none":
        raise EmollamaError(
            f"folds: sample '{alone}' has no {section.by} to split by; with 'by: none' folds "
            "ignore groups"
        )
    return found


def _tested(samples: Sequence[Sample], section: FoldsSection) -> list[set[str]]:
    """Ids that each fold tests."""
    if section.scheme == "leave-one-group-out":
        every = [leave_one_group_out(samples, g) for g in sorted({str(s.group) for s in samples})]
    else:
        every = [
            k_fold(
                samples, n, section.folds, section.seed, validate=False,
                whole_groups=section.by != "none",
            )
            for n in range(section.folds)
        ]  # fmt: skip
    return [{name for name, split in splits.items() if split == TEST} for splits in every]


def _complete(
    name: str,
    number: int,
    manifest: Manifest,
    accepted: tuple[str | None, ...],
    section: FoldsSection,
    folder: Path,
    enrol: Enrol,
) -> Fold:
    """The fold with a validation split, as a split file."""
    splits = {s.id: s.split for s in manifest.samples}
    for wanted in (TRAIN, TEST):
        if wanted not in splits.values():
            raise EmollamaError(f"fold {name}: no sample of {manifest.path} is in split '{wanted}'")
    if VALIDATION not in splits.values():
        inner = _by([s for s in manifest.samples if s.split == TRAIN], section)
        held = k_fold(
            inner, 0, section.validation, section.seed + number, validate=False,
            whole_groups=section.by != "none",
        )  # fmt: skip
        splits |= {i: VALIDATION if part == TEST else TRAIN for i, part in held.items()}
    options = section.model_dump(mode="json", exclude={"scheme", "files"})
    if isinstance(enrol, int):
        tested = [s for s in manifest.samples if s.split == TEST]
        splits |= dict.fromkeys(drawn_clips(tested, enrol, section.seed), ENROLLED)
        options["enrol"] = enrol
    file = write_split_file(
        folder / f"fold-{number}.jsonl", manifest.corpus, f"bench-{section.scheme}",
        {**options, "fold": name}, splits,
    )  # fmt: skip
    placed = apply_split(manifest, file)
    return Fold(name, placed, (*accepted, file.sha256), manifest.labels)


def _placed(manifest: Manifest, splits: Mapping[str, str | None]) -> Manifest:
    samples = tuple(s.model_copy(update={"split": splits.get(s.id)}) for s in manifest.samples)
    return replace(manifest, samples=samples)


def fold_warnings(folds: Sequence[Fold]) -> list[str]:
    """Leaks, fold by fold; enrolled clips belong to the test."""
    found = []
    for fold in folds:
        samples = [
            s.model_copy(update={"split": TEST}) if s.split == ENROLLED else s
            for s in fold.manifest.samples
        ]
        found += [f"fold {fold.name}: {leak}" for leak in leakage(samples)]
    return found
