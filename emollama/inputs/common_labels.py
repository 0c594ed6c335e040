"""Translates the labels of a corpus into the label set that several corpora have in common."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from emollama.base.errors import EmollamaError, did_you_mean
from emollama.manifest.channels import Channel
from emollama.manifest.labels import LabelSet, get_label_set, label_set
from emollama.manifest.sample import Manifest, Sample, Targets

LabelMap = Mapping[str, str | None]
"""Labels, or native labels, of a corpus to common ones; None leaves a label out."""


@dataclass(frozen=True)
class Translated:
    """The samples of a corpus with common labels.

    Attributes:
        samples: in order; one whose label was left out has none, its other targets stay.
        labels: the common labels that they use, in order of the common set.
        dropped: {id: label} of samples whose label was left out.
    """

    samples: tuple[Sample, ...]
    labels: tuple[str, ...]
    dropped: Mapping[str, str]


def common_set(labels: str | Sequence[str] | None, own: Sequence[LabelSet]) -> LabelSet:
    """The common label set: the named one, the listed labels, or the corpora's own if equal."""
    if isinstance(labels, str):
        return get_label_set(labels)
    if labels is not None:
        return label_set("common", *labels)
    if any(set(other.labels) != set(own[0].labels) for other in own):
        names = ", ".join(sorted({other.name for other in own}))
        raise EmollamaError(
            f"data.labels: the corpora have different label sets ({names}); name a common one, "
            "for example people"
        )
    return own[0]


def translated(manifest: Manifest, given: LabelMap, common: LabelSet, where: str) -> Translated:
    """The samples of a manifest with labels of the common set.

    A label (the native one first) is looked up in the map, then in the common set with its
    synonyms. Intensities in `targets.emotions` and votes are translated in the same way.

    Raises:
        EmollamaError: the map has a label that the corpus does not know, or leads out of the
            common set; the message begins with `where`.
    """
    natives = {s.targets.native for s in manifest.samples if s.targets.native is not None}
    known = {*manifest.labels.labels, *manifest.labels.synonyms, *natives}
    table: dict[str, str | None] = {}
    for word, label in given.items():
        if word not in known:
            raise EmollamaError(
                f"{where}: map: '{word}' is not a label of {manifest.path}"
                f"{did_you_mean(word, known)}"
            )
        table[word] = None if label is None else common.require(label, f"{where}: map: '{word}'")

    def found(word: str, native: str | None = None) -> str | None:
        for key in (native, word):
            if key is not None and key in table:
                return table[key]
        return common.canonical(word)

    dropped: dict[str, str] = {}
    samples = []
    for sample in manifest.samples:
        targets = sample.targets
        changed: dict[str, Any] = {}
        if targets.emotion is not None:
            changed["emotion"] = found(targets.emotion, targets.native)
            if changed["emotion"] is None:
                dropped[sample.id] = targets.emotion
        if targets.emotions is not None:
            pairs = [(found(word), value) for word, value in targets.emotions.items()]
            changed["emotions"] = _largest(pairs) or None
        if targets.votes is not None:
            changed["votes"] = _summed((found(w), n) for w, n in targets.votes.items())
        samples.append(sample.model_copy(update={"targets": targets.model_copy(update=changed)}))
    used = {label for sample in samples for label in _labels(sample.targets)}
    return Translated(tuple(samples), tuple(x for x in common.labels if x in used), dropped)


def as_trained(
    manifest: Manifest,
    labels: Sequence[str],
    record: Mapping[str, Any],
    given: LabelMap | None = None,
    lacks: Sequence[Channel] | None = None,
) -> tuple[Manifest, dict[str, str]]:
    """A manifest as a model trained on several corpora sees it, and {id: label} of samples whose
    label the model does not know.

    Without a map, that of the corpus in the model's training record is used, and so are the
    channels it lacks; a corpus that is not in the record stays as it is. The label set becomes
    that part of the model's which the corpus uses: answers are limited to it.

    Args:
        manifest: to evaluate.
        labels: the model's.
        record: the model's training record.
        given: a map, in place of the record's.
        lacks: channels, in place of the record's.
    """
    parts = [p for p in record.get("mixture", ()) if p["corpus"] == manifest.corpus]
    part = parts[0] if parts else None
    if lacks is None:
        lacks = part["lacks"] if part else ()
    manifest = replace(manifest, lacks=frozenset(lacks))
    manifest = replace(
        manifest, samples=tuple(without(s, manifest.lacks) for s in manifest.samples)
    )
    if (given is None and part is None) or not labels:
        return manifest, {}
    common = label_set("common", *labels)
    found = translated(
        manifest, part["map"] if given is None and part else given or {}, common, "data.map"
    )
    used = {*found.labels, *(part["labels"] if part and given is None else ())}
    if not used:
        raise EmollamaError(
            f"{manifest.path}: no label is one of the model's ({', '.join(labels)}); translate "
            "them with data.map"
        )
    own = label_set(manifest.labels.name, *(x for x in common.labels if x in used))
    return replace(manifest, labels=own, samples=found.samples), dict(found.dropped)


def counted(dropped: Mapping[str, str]) -> str:
    """'calm 16, contempt 2' of {id: label}."""
    return ", ".join(f"{x} {n}" for x, n in sorted(Counter(dropped.values()).items()))


def without(sample: Sample, lacks: frozenset[Channel]) -> Sample:
    """A sample without what belongs to some channels; sound in a video stays if only faces go."""
    changed: dict[str, Any] = {}
    if "words" in lacks:
        changed |= {"text": None, "context": ()}
    if "face" in lacks:
        changed |= {"video": None, "audio": sample.audio or sample.video}
    if any(channel in lacks for channel in sample.clues):
        changed["clues"] = {c: words for c, words in sample.clues.items() if c not in lacks}
    return sample.model_copy(update=changed) if changed else sample


def _largest(pairs: Sequence[tuple[str | None, float]]) -> dict[str, float]:
    """{label: largest intensity}, without what has no label."""
    found: dict[str, float] = {}
    for label, value in pairs:
        if label is not None:
            found[label] = max(value, found.get(label, value))
    return found


def _summed(votes: Iterable[tuple[str | None, float]]) -> dict[str, float] | None:
    """{label: votes}, without those for what has no label; None where none is left."""
    found: dict[str, float] = {}
    for label, count in votes:
        if label is not None and count > 0:
            found[label] = found.get(label, 0.0) + count
    return found or None


def _labels(targets: Targets) -> list[str]:
    own = [targets.emotion] if targets.emotion else []
    return [*(targets.emotions or ()), *(targets.votes or ()), *own]
