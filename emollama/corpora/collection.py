"""What the readers of corpora share: ids seen, files found, counts checked, a report at the end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from emollama.base.errors import EmollamaError
from emollama.corpora.overlaps import overlaps
from emollama.corpora.report import PrepareReport
from emollama.manifest.labels import LabelSet
from emollama.manifest.paths import path_in_manifest
from emollama.manifest.sample import Sample, require_name, write_manifest

Expected = Mapping[str, int | Mapping[str, int]]
"""Official counts: {split: samples} or {split: {native label: samples}}."""

_LFS = b"version https://git-lfs"


@dataclass
class Collection:
    """Samples on their way into a manifest, and what keeps the others out.

    Attributes:
        corpus: its name in the manifest's header.
        out: the manifest to write.
        labels: label set of the manifest.
        bad: {id: reason} of clips that are known to be broken in the official release.
        keep_bad: take them all the same, where their file is there.
        samples: what goes into the manifest.
        rejected: {id or file: reason} of what does not.
        notes: what else the report is to say.
        faults: what is not as it should be besides counts and files; errors where strict.
    """

    corpus: str
    out: Path
    labels: LabelSet
    bad: Mapping[str, str] = field(default_factory=dict)
    keep_bad: bool = False
    samples: list[Sample] = field(default_factory=list)
    rejected: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    _first: dict[str, str] = field(default_factory=dict)
    _found: Counter[tuple[str, str]] = field(default_factory=Counter)
    _missing: Counter[str] = field(default_factory=Counter)

    def count(self, name: str, split: str, native: str, where: str) -> None:
        """Take note of an annotated sample, whether or not its file is there.

        Raises:
            EmollamaError: the id was there before, at `where` of then, or cannot name a clip.
        """
        self.see(name, where)
        self.tally(split, native)

    def see(self, name: str, where: str) -> None:
        """Take note of the id of a sample that is none of those counted, as `count` does."""
        require_name(name, where)
        if name in self._first:
            raise EmollamaError(f"{where}: id '{name}' is already at {self._first[name]}")
        self._first[name] = where

    def tally(self, split: str, native: str) -> None:
        """Take note of a counted sample under another heading too, e.g. the whole corpus."""
        self._found[split, native] += 1

    def usable(self, name: str, split: str, *files: Path | None) -> bool:
        """Whether a counted sample may go in: not known to be bad, each file there and whole."""
        if name in self.bad and not self.keep_bad:
            self.rejected[name] = f"known to be bad: {self.bad[name]}"
            return False
        for file in files:
            reason = missing(file)
            if reason:
                self.rejected[name] = reason
                # Of those that are missing everywhere no copy has the file.
                self._missing[split] += name not in self.bad
                return False
        return True

    def path(self, file: Path | None) -> str | None:
        """How the manifest spells a media file."""
        return path_in_manifest(file, self.out) if file else None

    def note_unless_any(self, files: Mapping[str, object], split: str, what: str) -> bool:
        """Whether there are any files; said loudly where there are none."""
        if not files:
            self.notes.append(f"NO {what} of split '{split}': its samples name no media")
        return bool(files)

    def finish(self, expected: Expected, strict: bool) -> PrepareReport:
        """Check the counts, write the manifest and tell what came of it.

        Args:
            expected: official counts of what `count` was called for.
            strict: a count that differs is an error and nothing is written.

        Raises:
            EmollamaError: nothing can be used, or (strict) a split is not as published.
        """
        shared = overlaps(self.samples)
        if leaks := [found for found in shared if found.leaks()]:
            self.faults.append(f"{len(leaks)} spans overlap one of another split, e.g. {leaks[0]}")
        if inside := [found for found in shared if not found.leaks()]:
            self.notes.append(f"{len(inside)} spans overlap one of their split, e.g. {inside[0]}")
        faults = [*_mismatches(self._found, expected), *self._shortages(), *self.faults]
        if not self.samples:
            raise EmollamaError(f"{self.corpus}: no sample can be used{self._most_common()}")
        if strict and faults:
            raise EmollamaError(f"{self.corpus}: {'; '.join(faults)}")
        write_manifest(self.out, self.corpus, self.labels, self.samples)
        return PrepareReport.of(
            self.out, self.samples, dict(sorted(self.rejected.items())), self.notes, faults
        )

    def _shortages(self) -> list[str]:
        counts = Counter(split for split, _ in self._found.elements())
        return [
            f"split '{split}': files of {n} of {counts[split]} samples are missing"
            for split, n in self._missing.items()
            if n
        ]

    def _most_common(self) -> str:
        if not self.rejected:
            return ": no annotation names one"
        reason, count = Counter(self.rejected.values()).most_common(1)[0]
        name = next(n for n, r in self.rejected.items() if r == reason)
        return f"; {len(self.rejected)} left out, most often ({count}, e.g. {name}): {reason}"


def missing(file: Path | None) -> str | None:
    """Why a media file cannot be used, or None where it can."""
    try:
        if file is None or not file.is_file():
            return "file is missing"
    except OSError:  # a name longer than this file system allows
        return "file is missing"
    # A pointer is some 130 bytes; no media file is that small.
    if file.stat().st_size < 1024 and file.read_bytes().startswith(_LFS):
        return "a git-LFS pointer, not the file: run 'git lfs pull'"
    return None


def files_by_stem(folder: Path, suffixes: tuple[str, ...]) -> dict[str, Path]:
    """{name without suffix: file} of a folder; of several, the first suffix. Empty without it."""
    found: dict[str, Path] = {}
    if not folder.is_dir():
        return found
    for file in folder.iterdir():
        if file.name.startswith(".") or file.suffix.lower() not in suffixes:
            continue
        other = found.get(file.stem)
        if other is None or _rank(file, suffixes) < _rank(other, suffixes):
            found[file.stem] = file
    return found


def first_that_exists(root: Path, *places: str) -> Path | None:
    """The first of the paths below `root` that is there: releases of one corpus differ."""
    return next((root / p for p in places if (root / p).exists()), None)


def require_root(root: Path, corpus: str, layout: str) -> None:
    """`root` must be a folder; `layout` tells what is expected in it."""
    if not root.is_dir():
        raise EmollamaError(f"{root}: is not a folder; {corpus} is expected in it: {layout}")


def _rank(file: Path, suffixes: tuple[str, ...]) -> tuple[int, str]:
    return suffixes.index(file.suffix.lower()), file.name


def _mismatches(found: Counter[tuple[str, str]], expected: Expected) -> list[str]:
    """A line for each split, or label of one, that has not as many samples as published.

    Where labels are expected, only those are compared: a reader may take others besides.
    """
    lines: list[str] = []
    for split, wanted in expected.items():
        if isinstance(wanted, int):
            labels, number = sorted({label for s, label in found if s == split}), wanted
        else:
            labels, number = list(wanted), sum(wanted.values())
        total = sum(found[split, label] for label in labels)
        if total != number:
            lines.append(f"split '{split}': {total} samples found, {number} expected")
        elif not isinstance(wanted, int):
            lines += [
                f"split '{split}': label '{label}': {found[split, label]} found, {n} expected"
                for label, n in wanted.items()
                if found[split, label] != n
            ]
    return lines
