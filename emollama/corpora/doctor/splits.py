"""Findings about splits that share groups, speakers or recordings."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence

from emollama.corpora.doctor.clips import Looked
from emollama.corpora.doctor.findings import Finding
from emollama.corpora.report import split_order
from emollama.corpora.split_names import usual_split
from emollama.manifest.sample import Sample

_KEYS = {"train": "train_split", "val": "validation_split", "test": "split"}
"""The configuration key that names a split, by its usual name."""


def split_findings(clips: Sequence[Looked]) -> list[Finding]:
    """Groups, speakers and recordings that are in several splits.

    Samples without a split are ignored: they are neither trained on nor tested.
    """
    samples = [clip.sample for clip in clips if clip.sample.split is not None]
    # A speaker who is a group, sample by sample, has been told of as that group.
    others = {s.speaker for s in samples if s.speaker != s.group}
    faces = {s.face for s in samples if s.face not in (s.group, s.speaker)}
    return [
        *_shared(samples, lambda s: s.group, "group in several splits", "group"),
        *_shared(
            samples, lambda s: s.speaker if s.speaker in others else None,
            "speaker in several splits", "speaker",
        ),
        *_shared(
            samples, lambda s: seen if (seen := s.face or s.speaker) in faces else None,
            "face in several splits", "face",
        ),
        *_recordings(clips),
    ]  # fmt: skip


def split_names(samples: Iterable[Sample]) -> list[Finding]:
    """Splits that the presets do not find, because they look for another name."""
    written = Counter(s.split for s in samples if s.split is not None)
    return [
        Finding(
            "split name",
            (),
            f"'{name}' ({count} samples): presets look for '{usual_split(name)}'; prepare again "
            f"with that name, or set data.{_KEYS[usual_split(name)]}={name}",
        )
        for name, count in written.items()
        if usual_split(name) != name
    ]


def _shared(
    samples: Iterable[Sample], name_of: Callable[[Sample], str | None], kind: str, what: str
) -> Iterator[Finding]:
    members: dict[str, list[Sample]] = {}
    for sample in samples:
        name = name_of(sample)
        if name is not None:
            members.setdefault(name, []).append(sample)
    for name, own in members.items():
        if len({s.split for s in own}) > 1:
            yield Finding(kind, ids(own), f"{what} '{name}': {counts(own)}")


def _recordings(clips: Sequence[Looked]) -> Iterator[Finding]:
    """Spans of one file that are in several splits, and those that overlap there.

    Within a split spans may overlap: people of a conversation interrupt each other.
    """
    files: dict[str, list[Looked]] = {}
    for clip in clips:
        if clip.sample.split is None:
            continue
        for digest in dict.fromkeys(facts.digest for facts in clip.files):
            files.setdefault(digest, []).append(clip)
    told: set[tuple[str, ...]] = set()
    for own in files.values():
        # Whole files that are the same are duplicates, and are told as such.
        spans = {clip.span for clip in own}
        if len({clip.sample.split for clip in own}) < 2 or len(spans) < 2:
            continue
        samples = [clip.sample for clip in own]
        if ids(samples) in told:
            continue
        told.add(ids(samples))
        name = samples[0].video or samples[0].audio
        yield Finding("recording in several splits", ids(samples), f"{name}: {counts(samples)}")
        yield from _overlaps(own)


def _overlaps(clips: Sequence[Looked]) -> Iterator[Finding]:
    running: list[Looked] = []
    for clip in sorted(clips, key=lambda c: c.span):
        low, end = clip.span
        running = [other for other in running if other.span[1] > low]
        for other in running:
            if other.sample.split == clip.sample.split or other.span == clip.span:
                continue
            high = min(other.span[1], end)
            shown = "the end" if math.isinf(high) else f"{high:g} s"
            yield Finding(
                "overlapping spans",
                (other.sample.id, clip.sample.id),
                f"{clip.sample.video or clip.sample.audio}: {low:g} s to {shown} in splits "
                f"'{other.sample.split}' and '{clip.sample.split}'",
            )
        running.append(clip)


def ids(samples: Iterable[Sample]) -> tuple[str, ...]:
    """The ids of samples."""
    return tuple(sample.id for sample in samples)


def counts(samples: Iterable[Sample]) -> str:
    """'3 in train, 1 in test'."""
    found = Counter(sample.split or "(none)" for sample in samples)
    return ", ".join(f"{found[name]} in {name}" for name in sorted(found, key=split_order))
