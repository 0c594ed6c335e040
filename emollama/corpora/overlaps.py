"""Finds overlapping spans of one media file: the same seconds in two samples."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from emollama.manifest.sample import Sample


@dataclass(frozen=True)
class Overlap:
    """Two samples of one file that share some seconds; `later` does not start before `earlier`."""

    earlier: Sample
    later: Sample

    def leaks(self) -> bool:
        """Whether the two samples are in different splits."""
        splits = {self.earlier.split, self.later.split}
        return len(splits) == 2 and None not in splits

    def __str__(self) -> str:
        span = f"{self.later.start or 0:g} to {_end(self.later):g} s"
        span = "the whole file" if _whole(self.later) else span
        return f"'{self.later.id}' ({span}) overlaps '{self.earlier.id}'"


def overlaps(samples: Iterable[Sample]) -> list[Overlap]:
    """Pair each sample that starts before an earlier one of its file ends with that one.

    Video and sound files both count. Among several earlier samples, one of another split is
    reported, if any, else the one that ends last. Whole files that are two samples of one split
    (two persons in a picture) are not reported.
    """
    by_file: dict[str, list[Sample]] = {}
    for sample in samples:
        for file in {sample.video, sample.audio} - {None}:
            by_file.setdefault(str(file), []).append(sample)
    found: dict[str, Overlap] = {}
    for spans in by_file.values():
        reach: dict[str | None, Sample] = {}  # split to its sample that ends last so far
        for sample in sorted(spans, key=lambda s: (s.start or 0.0, s.id)):
            open_ = [Overlap(s, sample) for s in reach.values() if _end(s) > (sample.start or 0.0)]
            open_ = [o for o in open_ if o.leaks() or not (_whole(o.earlier) and _whole(sample))]
            if sample.id in found:
                open_.append(found[sample.id])
            if open_:
                found[sample.id] = max(open_, key=lambda o: (o.leaks(), _end(o.earlier)))
            mine = reach.get(sample.split)
            if mine is None or _end(sample) > _end(mine):
                reach[sample.split] = sample
    return list(found.values())


def _end(sample: Sample) -> float:
    return math.inf if sample.end is None else sample.end


def _whole(sample: Sample) -> bool:
    return not sample.start and sample.end is None
