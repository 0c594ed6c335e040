"""What an extraction came to: clips by status, reasons of absence, failures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from emollama.features.shards import SUFFIX, Entry, Shard
from emollama.workers.worker import Failure


@dataclass(frozen=True)
class ExtractReport:
    """The result of an extraction, over all ranks.

    Attributes:
        counts: clips of the manifest by encoder key and status ("ok", "absent", "failed").
        absent: absent clips by encoder key and reason, where it is known.
        failures: clips that failed, now or earlier: id to encoder key to reason.
        computed: clips decoded and encoded in this run.
        kept: clips already in the store.
        seconds: wall clock of this run.
    """

    counts: dict[str, Counter[str]]
    absent: dict[str, Counter[str]]
    failures: dict[str, dict[str, Failure]]
    computed: int
    kept: int
    seconds: float

    @property
    def rate(self) -> float:
        """Clips computed per second."""
        return self.computed / self.seconds if self.seconds > 0 else 0.0


def read_report(
    store: Path, keys: Sequence[str], names: Sequence[str], computed: int, kept: int, seconds: float
) -> ExtractReport:
    """The report of the shards `names` of each encoder."""
    entries = {key: _entries(store / key, names) for key in keys}
    return report_of(entries, computed, kept, seconds)


def _entries(folder: Path, names: Sequence[str]) -> Iterator[Entry]:
    for name in names:
        yield from Shard(folder / (name + SUFFIX)).entries


def report_of(
    entries: Mapping[str, Iterable[Entry]], computed: int, kept: int, seconds: float
) -> ExtractReport:
    """The report of entries by encoder."""
    report = ExtractReport({}, {}, {}, computed, kept, seconds)
    for key, some in entries.items():
        counts = report.counts.setdefault(key, Counter())
        absent = report.absent.setdefault(key, Counter())
        for entry in some:
            counts[entry.status] += 1
            if entry.status == "absent" and entry.reason:
                absent[entry.reason] += 1
            if entry.status == "failed":
                why = Failure(entry.reason, entry.detail)
                report.failures.setdefault(entry.id, {})[key] = why
    return report
