"""The doctor's report: as JSON, and as tables for a person."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table
from rich.text import Text

from emollama.corpora.doctor.clips import Looked
from emollama.corpora.doctor.findings import KINDS, Finding
from emollama.corpora.doctor.labels import NO_SPLIT, LabelCounts
from emollama.corpora.doctor.limits import Limits
from emollama.corpora.report import split_order

REPORT_VERSION = 1
_SHOWN = 4  # ids of a kind that are named in the table


@dataclass(frozen=True)
class SplitFacts:
    """What a split holds.

    Attributes:
        samples: how many.
        media: of these, how many name a video or a sound file.
        text: how many have a text.
        speakers: how many different ones.
        groups: likewise.
        hours: of readable media together.
        seconds: minimum, median and maximum of the clips' lengths; None without media.
    """

    samples: int
    media: int
    text: int
    speakers: int
    groups: int
    hours: float
    seconds: tuple[float, float, float] | None


def split_facts(clips: Sequence[Looked]) -> dict[str, SplitFacts]:
    """Facts of each split; "(none)" for samples without one."""
    members: dict[str, list[Looked]] = {}
    for clip in clips:
        members.setdefault(clip.sample.split or NO_SPLIT, []).append(clip)
    facts = {}
    for name in sorted(members, key=split_order):
        own = members[name]
        samples = [clip.sample for clip in own]
        seconds = [clip.seconds for clip in own if clip.seconds is not None]
        facts[name] = SplitFacts(
            samples=len(own),
            media=sum(s.video is not None or s.audio is not None for s in samples),
            text=sum(bool(s.text) for s in samples),
            speakers=len({s.speaker for s in samples if s.speaker is not None}),
            groups=len({s.group for s in samples if s.group is not None}),
            hours=round(sum(seconds) / 3600, 4),
            seconds=(
                round(min(seconds), 3), round(float(np.median(seconds)), 3), round(max(seconds), 3)
            ) if seconds else None,
        )  # fmt: skip
    return facts


@dataclass(frozen=True)
class Report:
    """Everything that was found.

    Attributes:
        manifest: the file.
        corpus: its name.
        limits: what was judged by.
        store: feature store that was read, or None.
        faces: whether faces were looked for.
        splits: what each split holds.
        labels: samples by split and label.
        findings: errors first.
    """

    manifest: Path
    corpus: str
    limits: Limits
    store: Path | None
    faces: bool
    splits: dict[str, SplitFacts]
    labels: LabelCounts
    findings: tuple[Finding, ...]

    @property
    def errors(self) -> int:
        """How many findings would spoil a result."""
        return sum(f.severity == "error" for f in self.findings)

    def to_dict(self) -> dict[str, Any]:
        """The JSON report; the same manifest, media and options give the same."""
        return {
            "version": REPORT_VERSION,
            "manifest": str(self.manifest),
            "corpus": self.corpus,
            "limits": asdict(self.limits),
            "store": None if self.store is None else str(self.store),
            "faces": self.faces,
            "splits": {name: asdict(facts) for name, facts in self.splits.items()},
            "labels": self.labels,
            "errors": self.errors,
            "warnings": len(self.findings) - self.errors,
            "kinds": dict(Counter(f.kind for f in self.findings)),
            "findings": [f.to_dict() for f in self.findings],
        }


def print_report(report: Report, console: Console) -> None:
    """Splits, labels and findings by kind."""
    console.print(_splits_table(report.splits))
    if report.labels:
        console.print(_labels_table(report.labels))
    if report.findings:
        console.print(_findings_table(report.findings))
    errors, warnings = report.errors, len(report.findings) - report.errors
    told = f"{errors} errors, {warnings} warnings" if report.findings else "nothing found"
    console.print(Text(told, style="red" if errors else "green"))


def _splits_table(splits: Mapping[str, SplitFacts]) -> Table:
    table = Table(title="splits", title_justify="left")
    for column in (
        "split", "samples", "with media", "with text", "speakers", "groups", "hours",
        "shortest s", "median s", "longest s",
    ):  # fmt: skip
        table.add_column(column, justify="left" if column == "split" else "right")
    for name, facts in splits.items():
        lengths = [f"{s:.2f}" for s in facts.seconds] if facts.seconds else ["–"] * 3
        whole = (facts.samples, facts.media, facts.text, facts.speakers, facts.groups)
        table.add_row(Text(name), *map(str, whole), f"{facts.hours:.2f}", *lengths)
    return table


def _labels_table(counts: LabelCounts) -> Table:
    """A row a label, so that a set of many labels goes down the page and not off its edge."""
    table = Table("label", title="labels", title_justify="left")
    for split in counts:
        table.add_column(Text(split), justify="right")
    whole = {split: max(sum(own.values()), 1) for split, own in counts.items()}
    for label in next(iter(counts.values())):
        cells = (f"{own[label]} ({own[label] / whole[s]:.0%})" for s, own in counts.items())
        table.add_row(Text(label), *cells)
    return table


def _findings_table(findings: Sequence[Finding]) -> Table:
    table = Table(title="findings", title_justify="left")
    for column in ("", "kind", "found", "samples", "ids", "for example"):
        right = column in ("found", "samples")
        table.add_column(column, justify="right" if right else "left", overflow="fold")
    by_kind: dict[str, list[Finding]] = {}
    for finding in findings:
        by_kind.setdefault(finding.kind, []).append(finding)
    for kind, own in by_kind.items():
        ids = list(dict.fromkeys(i for finding in own for i in finding.ids))
        more = f" and {len(ids) - _SHOWN} more" if len(ids) > _SHOWN else ""
        error = KINDS[kind].severity == "error"
        # Text, not str: rich would read square brackets in an id as markup.
        table.add_row(
            Text("error" if error else "warning", style="bold red" if error else "yellow"),
            Text(kind),
            str(len(own)),
            str(len(ids)) if ids else "–",
            Text(", ".join(ids[:_SHOWN]) + more),
            Text(own[0].detail),
        )
    return table
