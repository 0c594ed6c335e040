"""The report on preparing a corpus: samples, and files left out with reasons."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from emollama.manifest.sample import Sample

_SHOWN = 10  # rejected files of one reason that are listed by name


@dataclass(frozen=True)
class PrepareReport:
    """Outcome of a `prepare` command.

    Attributes:
        out: the manifest that was written.
        samples: number of samples in it.
        rejected: path (or file:row) to the reason it is not in the manifest.
        splits: samples per split; "(none)" for samples without one.
        emotions: samples per split and emotion, {split: {emotion: n}}.
        notes: further remarks, one line each.
        faults: splits without the official number of samples, one line each.
    """

    out: Path
    samples: int
    rejected: dict[str, str] = field(default_factory=dict)
    splits: dict[str, int] = field(default_factory=dict)
    emotions: dict[str, dict[str, int]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        out: Path,
        samples: Sequence[Sample],
        rejected: dict[str, str],
        notes: Iterable[str] = (),
        faults: Iterable[str] = (),
    ) -> PrepareReport:
        """Count `samples` by split and emotion."""
        names = sorted({s.split or "(none)" for s in samples}, key=split_order)
        emotions = {
            name: dict(
                sorted(
                    Counter(
                        s.targets.emotion or "(none)"
                        for s in samples
                        if (s.split or "(none)") == name
                    ).items()
                )
            )
            for name in names
        }
        splits = {name: sum(counts.values()) for name, counts in emotions.items()}
        return cls(out, len(samples), rejected, splits, emotions, tuple(notes), tuple(faults))

    def lines(self) -> list[str]:
        """The readable report: every reason for a rejection, and how often it occurred."""
        lines = [f"{self.out}: {self.samples} sample{'s' * (self.samples != 1)}"]
        for split, counts in self.emotions.items():
            told = ", ".join(f"{emotion} {n}" for emotion, n in counts.items())
            lines.append(f"  {split}: {self.splits[split]} ({told})")
        lines += [f"  NOT AS PUBLISHED: {fault}" for fault in self.faults]
        lines += [f"  {note}" for note in self.notes]
        by_reason: dict[str, list[str]] = {}
        for path, reason in self.rejected.items():
            by_reason.setdefault(reason, []).append(path)
        if by_reason:
            lines.append(f"  left out: {len(self.rejected)}")
        for reason, paths in sorted(by_reason.items(), key=lambda item: (-len(item[1]), item[0])):
            lines.append(f"    {reason}: {len(paths)}")
            lines += [f"      {path}" for path in paths[:_SHOWN]]
            if len(paths) > _SHOWN:
                lines.append(f"      and {len(paths) - _SHOWN} more")
        return lines


def split_order(name: str) -> tuple[int, str]:
    """Sorts names of splits: train, val and test first, in this order."""
    order = ("train", "val", "test")
    return (order.index(name) if name in order else len(order), name)
