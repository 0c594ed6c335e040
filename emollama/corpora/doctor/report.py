"""The doctor's report: as JSON, and as tables in the terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table
from rich.text import Text

from emollama.corpora.doctor.clips import Looked
from emollama.corpora.doctor.findings import KINDS, Finding
from emollama.corpora.doctor.labels import NO_SPLIT, LabelCounts
from emollama.corpora.doctor.limits import Limits
from emollama.corpora.report import split_order

REPORT_VERSION = 1
_SHOWN = 2  # findings of a kind that the table tells


@dataclass(frozen=True)
class SplitFacts:
    """The content of a split.

    Attributes:
        samples: number of samples.
        media: number with a video or a sound file.
        text: number with a text.
        speakers: number of different speakers.
        groups: number of different groups.
        hours: total length of readable media.
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
    """Facts about each split; "(none)" for samples without one."""
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
    """The complete report.

    Attributes:
        manifest: the file.
        corpus: its name.
        limits: thresholds of the findings.
        store: feature store that was checked, or None.
        faces: whether faces were searched for.
        splits: content of each split.
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
        """The number of findings that would spoil a result."""
        return sum(f.severity == "error" for f in self.findings)

    def to_dict(self) -> dict[str, Any]:
        """The JSON report, a deterministic function of manifest, media and options."""
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
    told = f"errors: {report.errors}, warnings: {len(report.findings) - report.errors}"
    console.print(Text(told, style="red" if report.errors else "green"))


def _splits_table(splits: Mapping[str, SplitFacts]) -> Table:
    # Narrow gaps: ten columns on a terminal of 80.
    gap = (0, 1, 0, 0)
    table = Table("split", title="splits", title_justify="left", box=SIMPLE, padding=gap)
    columns = "samples media text speakers groups hours min_s median_s max_s"
    for column in columns.split():
        table.add_column(column.replace("_", " "), justify="right", no_wrap=True)
    for name, facts in splits.items():
        counts = (facts.samples, facts.media, facts.text, facts.speakers, facts.groups)
        lengths = ["–"] * 4
        if facts.seconds:
            lengths = [f"{facts.hours:.2f}", *(f"{s:.1f}" for s in facts.seconds)]
        table.add_row(Text(name), *map(str, counts), *lengths)
    return table


def _labels_table(counts: LabelCounts) -> Table:
    """One row per label, so that a large label set stays within the width of the page."""
    table = Table("label", title="labels", title_justify="left", box=SIMPLE)
    for split in counts:
        table.add_column(Text(split), justify="right")
    whole = {split: max(sum(own.values()), 1) for split, own in counts.items()}
    for label in next(iter(counts.values())):
        cells = (f"{own[label]} ({own[label] / whole[s]:.0%})" for s, own in counts.items())
        table.add_row(Text(label), *cells)
    return table


def _findings_table(findings: Sequence[Finding]) -> Table:
    table = Table(title="findings", title_justify="left", box=SIMPLE)
    table.add_column("kind", max_width=18)
    table.add_column("found", justify="right")
    table.add_column("samples", justify="right")
    table.add_column("for example", overflow="fold")
    by_kind: dict[str, list[Finding]] = {}
    for finding in findings:
        by_kind.setdefault(finding.kind, []).append(finding)
    for kind, own in by_kind.items():
        error = KINDS[kind].severity == "error"
        # Text, not str: rich would read square brackets in an id as markup.
        table.add_row(
            Text(kind, style="bold red" if error else "yellow"),
            str(len(own)),
            str(len({i for finding in own for i in finding.ids}) or "–"),
            Text("\n").join(Text(_example(finding)) for finding in own[:_SHOWN]),
        )
    return table


def _example(finding: Finding) -> str:
    if not finding.ids:
        return finding.detail
    others = f" and {len(finding.ids) - 1} more" if len(finding.ids) > 1 else ""
    return f"{finding.ids[0]}{others}: {finding.detail}"
