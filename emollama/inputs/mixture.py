"""Many corpora in one training: their manifests as one, each with its own share and labels.

Ids become "corpus/id", groups and speakers "corpus/name", where corpus is the name in the
manifest's header; a second manifest of the same name has ids "corpus-2/id", but the same people.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from emollama.base.errors import EmollamaError
from emollama.base.files import file_sha256
from emollama.features.store import open_tracks, relocated_sources
from emollama.features.tracks import TrackReader
from emollama.inputs.common_labels import Translated, common_set, translated, without
from emollama.inputs.config import CorpusSection, DataSection
from emollama.inputs.draws import Balance
from emollama.inputs.mixed_tracks import SEPARATOR, MixedTracks
from emollama.inputs.opening import Store
from emollama.inputs.spec import InputSpec
from emollama.manifest.channels import CHANNELS, Channel
from emollama.manifest.sample import Manifest, Sample
from emollama.manifest.split_file import read_with_splits
from emollama.manifest.twins import pair_name


def key_of(sample_id: str) -> str:
    """The key of a sample's corpus: what its id begins with."""
    return sample_id.partition(SEPARATOR)[0]


@dataclass(frozen=True)
class Corpus:
    """A corpus of a mixture.

    Attributes:
        key: what its ids begin with.
        name: of the corpus, in the manifest's header.
        where: its place in the configuration, for messages.
        section: its configuration.
        store: its feature store.
        labels: the common labels that it uses.
        dropped: training samples whose label is not in the common set, by label.
        sha256: of the manifest.
        split_sha256: of its split file.
    """

    key: str
    name: str
    where: str
    section: CorpusSection
    store: Path | None
    labels: tuple[str, ...]
    dropped: Mapping[str, int]
    sha256: str
    split_sha256: str | None


@dataclass(frozen=True)
class Mixture(Manifest):
    """Several manifests as one; media paths are absolute, labels those of the common set."""

    corpora: tuple[Corpus, ...] = ()

    def only(self, keys: Collection[str]) -> Mixture:
        """These corpora alone, with the label set of all."""
        kept = tuple(corpus for corpus in self.corpora if corpus.key in keys)
        return replace(
            self,
            corpus=" + ".join(dict.fromkeys(corpus.name for corpus in kept)),
            samples=tuple(s for s in self.samples if key_of(s.id) in keys),
            corpora=kept,
        )

    def corpus_of(self, sample_id: str) -> Corpus:
        """The corpus of a sample."""
        key = key_of(sample_id)
        return next(corpus for corpus in self.corpora if corpus.key == key)

    def lacking(self, sample_id: str) -> frozenset[Channel]:
        """Channels that the sample's corpus lacks."""
        return frozenset(self.corpus_of(sample_id).section.lacks)

    def rows_of(self, samples: Sequence[Sample]) -> dict[str, list[int]]:
        """Rows of the samples of each corpus that has any."""
        rows: dict[str, list[int]] = {corpus.key: [] for corpus in self.corpora}
        for row, sample in enumerate(samples):
            rows[key_of(sample.id)].append(row)
        return {key: found for key, found in rows.items() if found}

    def columns_of(self, key: str) -> list[int]:
        """Places of a corpus's labels in the common set; all of them where it has no label."""
        (corpus,) = (corpus for corpus in self.corpora if corpus.key == key)
        names = self.labels.labels
        return [names.index(label) for label in corpus.labels] or list(range(len(names)))

    def balance(self, samples: Sequence[Sample]) -> Balance:
        """The part of each corpus in an epoch of these samples.

        Raises:
            EmollamaError: a corpus has none of them.
        """
        rows = self.rows_of(samples)
        for corpus in self.corpora:
            if corpus.key not in rows:
                raise EmollamaError(
                    f"{corpus.where}: no training sample has a target and features "
                    f"({corpus.section.manifest}, store {corpus.store})"
                )
        keys = [key_of(sample.id) for sample in samples]
        return Balance(keys, {corpus.key: corpus.section.share for corpus in self.corpora})

    def tracks(self, spec: InputSpec) -> MixedTracks:
        """The tracks of an input, each read from its corpus's own store.

        Raises:
            EmollamaError: a corpus that does not lack the channel has no such features.
        """
        parts: dict[str, TrackReader | None] = {}
        for corpus in self.corpora:
            if spec.channel in corpus.section.lacks:
                parts[corpus.key] = None
                continue
            (source,) = relocated_sources([spec.source], corpus.section.features)
            try:
                parts[corpus.key] = open_tracks(corpus.store, source)
            except EmollamaError as error:
                raise EmollamaError(
                    f"{corpus.where}: {error}; if this corpus has no {spec.channel}, say "
                    f"lacks: [{spec.channel}]"
                ) from error
        return MixedTracks(parts, str(spec))

    def record(
        self, train: Sequence[Sample], validation: Sequence[Sample] = ()
    ) -> list[dict[str, Any]]:
        """The mixture as trained, a corpus each, for the training record and the model card."""
        balance = self.balance(train)
        drawn, shares = balance.counts(), balance.shares
        samples, held_out = self.rows_of(train), self.rows_of(validation)
        return [
            {
                "corpus": corpus.name,
                "ids": f"{corpus.key}{SEPARATOR}",
                "manifest": str(corpus.section.manifest),
                "manifest_sha256": corpus.sha256,
                "split_file": corpus.section.split_file and str(corpus.section.split_file),
                "split_sha256": corpus.split_sha256,
                "samples": len(samples[corpus.key]),
                "validation_samples": len(held_out.get(corpus.key, ())),
                "share": shares[corpus.key] / sum(shares.values()),
                "drawn_per_epoch": drawn[corpus.key],
                "labels": list(corpus.labels),
                "map": dict(corpus.section.map),
                "labels_left_out": dict(corpus.dropped),
                "language": corpus.section.language,
                "lacks": list(corpus.section.lacks),
                "channels": [c for c in CHANNELS if c not in corpus.section.lacks],
            }
            for corpus in self.corpora
        ]


def read_corpora(data: DataSection, whole: bool = False) -> Manifest:
    """The manifest of a data section, or several as a `Mixture`.

    Args:
        data: the section.
        whole: of several corpora all samples are in the training split, whatever their manifests
            say: for folds that are made later.

    Raises:
        EmollamaError: for every mistake of the user; a person or a file on both sides is named.
    """
    if data.manifest is not None:
        return read_with_splits(data.manifest, data.split_file)
    manifests = [read_with_splits(one.manifest, one.split_file) for one in data.manifests]
    if whole:
        manifests = [_all_in(manifest, data.train_split) for manifest in manifests]
    common = common_set(data.labels, [manifest.labels for manifest in manifests])
    corpora: list[Corpus] = []
    samples: list[Sample] = []
    seen: Counter[str] = Counter()
    for place, (section, manifest) in enumerate(zip(data.manifests, manifests, strict=True)):
        name = (manifest.corpus or section.manifest.stem).replace(SEPARATOR, "-")
        seen[name] += 1
        key = name if seen[name] == 1 else f"{name}-{seen[name]}"
        where = f"data.manifests.{place} ({name})"
        found = translated(manifest, section.map, common, where)
        _require_classes(found, data.train_split, where, section.manifest)
        corpora.append(
            Corpus(
                key, name, where, section, section.store or data.store, found.labels,
                _left_out(found, data.train_split), file_sha256(section.manifest),
                manifest.split_sha256,
            )
        )  # fmt: skip
        lacks = frozenset(section.lacks)
        for sample in found.samples:
            samples.append(_renamed(without(sample, lacks), manifest, key, name))
    require_apart(samples, data.train_split)
    hashes = [corpus.split_sha256 for corpus in corpora]
    return Mixture(
        path=Path("data.manifests"),
        corpus=" + ".join(dict.fromkeys(corpus.name for corpus in corpora)),
        labels=common,
        samples=tuple(samples),
        split_sha256=_joined(str(h) for h in hashes) if any(hashes) else None,
        corpora=tuple(corpora),
    )


def store_of(manifest: Manifest, data: DataSection) -> Store:
    """What the inputs of a run are opened from."""
    return manifest.tracks if isinstance(manifest, Mixture) else data.store


def balance_of(manifest: Manifest, samples: Sequence[Sample]) -> Balance | None:
    """The part of each corpus in an epoch; None where there is one corpus."""
    return manifest.balance(samples) if isinstance(manifest, Mixture) else None


def corpora_sha256(manifest: Manifest) -> str:
    """The SHA-256 of the manifest's file; of a mixture, that of its manifests' one by one."""
    if not isinstance(manifest, Mixture):
        return file_sha256(manifest.path)
    return _joined(corpus.sha256 for corpus in manifest.corpora)


def mixture_record(
    manifest: Manifest, train: Sequence[Sample], validation: Sequence[Sample] = ()
) -> dict[str, Any]:
    """What a training record says of a mixture; {} where there is one corpus."""
    if not isinstance(manifest, Mixture):
        return {}
    return {"mixture": manifest.record(train, validation)}


def tell_mixture(manifest: Manifest, train: Sequence[Sample]) -> list[str]:
    """A line for each corpus of a mixture: samples, share, labels left out."""
    lines = []
    for part in mixture_record(manifest, train).get("mixture", ()):
        left = ", ".join(f"{label} {count}" for label, count in part["labels_left_out"].items())
        lines.append(
            f"{part['corpus']}: {part['samples']} training samples, {part['drawn_per_epoch']} "
            f"of an epoch ({part['share']:.0%})"
            + (f"; labels left out: {left}" if left else "")
            + (f"; without {', '.join(part['lacks'])}" if part["lacks"] else "")
        )
    return lines


def _renamed(sample: Sample, manifest: Manifest, key: str, name: str) -> Sample:
    """A sample with its corpus in its names, and paths that lead to its media from anywhere."""
    targets, pair = sample.targets, pair_name(sample)

    def media(path: str | None) -> str | None:
        return None if path is None else str(manifest.media(path).absolute())

    def person(label: str | None) -> str | None:
        return None if label is None else f"{name}{SEPARATOR}{label}"

    return sample.model_copy(
        update={
            "id": f"{key}{SEPARATOR}{sample.id}",
            "video": media(sample.video),
            "audio": media(sample.audio),
            "speaker": person(sample.speaker),
            "face": person(sample.face),
            "group": person(sample.group),
            "truth": {**sample.truth, "pair": f"{key}{SEPARATOR}{pair}"} if pair else sample.truth,
            "targets": targets.model_copy(update={"frames": media(targets.frames)}),
        }
    )


def _all_in(manifest: Manifest, split: str) -> Manifest:
    samples = (s.model_copy(update={"split": split.split("+")[0]}) for s in manifest.samples)
    return replace(manifest, samples=tuple(samples))


def _require_classes(found: Translated, split: str, where: str, path: Path) -> None:
    """Raise an error for a corpus whose training samples have a single label."""
    names = split.split("+")
    train = [s for s in found.samples if s.split in names]
    if not train:
        known = ", ".join(sorted({s.split or "(none)" for s in found.samples}))
        raise EmollamaError(
            f"{where}: {path}: split '{split}' has no samples; splits in the manifest: {known}"
        )
    classes = {s.targets.emotion for s in train if s.targets.emotion is not None}
    if len(classes) == 1:
        raise EmollamaError(
            f"{where}: only the label '{classes.pop()}' is left of its training samples, so there "
            "is nothing to tell apart; map more of its labels"
        )


def _left_out(found: Translated, split: str) -> dict[str, int]:
    """Training samples whose label was left out, by label."""
    names = split.split("+")
    train = (s.id for s in found.samples if s.split in names)
    return dict(Counter(found.dropped[i] for i in train if i in found.dropped))


def require_apart(samples: Iterable[Sample], split: str) -> None:
    """Raise an error for a group or a media file both in training and in another split.

    Args:
        samples: of several corpora; those without a split are passed over.
        split: that of training, or several: "train+val".

    Raises:
        EmollamaError: naming group or file and a sample on each side.
    """
    names = split.split("+")
    placed = [sample for sample in samples if sample.split is not None]
    trained: dict[tuple[str, str], str] = {}
    for sample in placed:
        if sample.split in names:
            for source in _sources(sample):
                trained.setdefault(source, sample.id)
    for sample in placed:
        if sample.split in names:
            continue
        for what, name in _sources(sample):
            if (what, name) in trained:
                raise EmollamaError(
                    f"data.manifests: {what} '{name}' is on both sides: "
                    f"'{trained[what, name]}' is trained on and '{sample.id}' is in split "
                    f"'{sample.split}'"
                )


def _sources(sample: Sample) -> list[tuple[str, str]]:
    """The person (or group) and the files of a sample, as (kind, name)."""
    people = {name for name in (sample.group, sample.speaker, sample.face) if name}
    files = {str(Path(path).resolve()) for path in (sample.video, sample.audio) if path}
    return [
        *(("group", name) for name in sorted(people)), *(("file", path) for path in sorted(files))
    ]  # fmt: skip


def _joined(hashes: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(hashes).encode()).hexdigest()
