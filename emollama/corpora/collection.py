"""Shared code of corpus readers: ids, media files, official counts and the report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from emollama.base.csv_rows import Row, read_rows
from emollama.base.errors import EmollamaError
from emollama.corpora.media_files import MediaFiles, folders_below
from emollama.corpora.overlaps import overlaps
from emollama.corpora.report import PrepareReport
from emollama.manifest.labels import LabelSet
from emollama.manifest.paths import path_in_manifest
from emollama.manifest.sample import Sample, require_name, write_manifest

Expected = Mapping[str, int | Mapping[str, int]]
"""Official counts: {split: samples} or {split: {native label: samples}}."""

LARGE_SHARE = 0.1
"""Share of odd rows above which a corpus is refused: the file is then of another form."""

_LFS = b"version https://git-lfs"


@dataclass
class Collection:
    """Collects the samples of a manifest, and why others were rejected.

    Two rules hold for every corpus. A row of annotations that is odd (see `row`) is rejected with
    its reason and counted, and the corpus is refused only where a large share of its rows is. A
    split with annotations of which no sample is usable is an error: nothing could be tested on it.

    Attributes:
        corpus: its name in the manifest's header.
        out: the manifest to write.
        labels: label set of the manifest.
        bad: {id: reason} of clips that are known to be broken in the official release.
        keep_bad: take them all the same, if their file exists.
        samples: samples for the manifest.
        rejected: {id or file: reason} of all others.
        notes: further lines of the report.
        faults: problems besides counts and files; errors where strict.
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
    _split: dict[str, str] = field(default_factory=dict)
    _rows: int = 0
    _odd: list[str] = field(default_factory=list)
    _found: Counter[tuple[str, str]] = field(default_factory=Counter)
    _missing: Counter[str] = field(default_factory=Counter)

    def count(self, name: str, split: str, native: str, where: str) -> None:
        """Count an annotated sample, whether or not its file exists.

        Raises:
            EmollamaError: the id is a duplicate, or is not a valid id.
        """
        self.see(name, where)
        self._split[name] = split
        self.tally(split, native)

    @contextmanager
    def row(self, where: str) -> Iterator[None]:
        """A row of annotations at `where` ("file:line"): an error in the block makes it odd."""
        self._rows += 1
        try:
            yield
        except EmollamaError as error:
            self._reject_odd(where, str(error))

    def table(
        self,
        path: Path,
        columns: Sequence[str],
        optional: Sequence[str] = (),
        unnamed: Sequence[str] = (),
    ) -> Iterator[Row]:
        """Rows of a CSV as `read_rows` gives them; one with other cells than the header is odd."""

        def odd(where: str, reason: str) -> None:
            self._rows += 1
            self._reject_odd(where, f"{where}: {reason}")

        return read_rows(path, columns, optional, odd, unnamed)

    def _reject_odd(self, where: str, message: str) -> None:
        self._odd.append(message if message.startswith(where) else f"{where}: {message}")
        # Tables of several splits are often called the same.
        shown = "/".join(where.replace("\\", "/").split("/")[-2:])
        self.rejected[shown] = message.removeprefix(where).lstrip(": ")

    def see(self, name: str, where: str) -> None:
        """Register the id of a sample as `count` does, without counting it."""
        require_name(name, where)
        if name in self._first:
            raise EmollamaError(f"{where}: id '{name}' is already at {self._first[name]}")
        self._first[name] = where

    def tally(self, split: str, native: str) -> None:
        """Count a sample under another heading too, e.g. the whole corpus."""
        self._found[split, native] += 1

    def usable(self, name: str, split: str, *files: Path | None) -> bool:
        """Whether a counted sample is usable: not known to be broken, all files complete."""
        if name in self.bad and not self.keep_bad:
            self.rejected[name] = f"known to be broken: {self.bad[name]}"
            return False
        for file in files:
            reason = missing(file)
            if reason:
                self.rejected[name] = reason
                # Of those that are missing everywhere no copy has the file.
                self._missing[split] += name not in self.bad
                return False
        return True

    def add_film(
        self, name: str, split: str, film: Path | None, with_media: bool, **more: Any
    ) -> None:
        """Add a counted sample that is one film; left out if media are here and its own is not.

        `more`: what else a `Sample` holds.
        """
        if not with_media or self.usable(name, split, film):
            self.samples.append(Sample(id=name, video=self.path(film), split=split, **more))

    def path(self, file: Path | None) -> str | None:
        """The path of a media file as written in the manifest."""
        return path_in_manifest(file, self.out) if file else None

    def note_unless_any(
        self, files: Mapping[str, object] | MediaFiles, split: str, what: str
    ) -> bool:
        """Whether there are any files; a prominent note where there are none."""
        if not files:
            self.notes.append(f"NO {what} for split '{split}': its samples have no media")
        return bool(files)

    def finish(self, expected: Expected, strict: bool) -> PrepareReport:
        """Check the counts, write the manifest and return the report.

        Args:
            expected: official counts, compared with those of `count`.
            strict: a different count is an error and nothing is written.

        Raises:
            EmollamaError: a large share of the rows is odd, no sample of a split is usable, or
                (strict) a split is not as published.
        """
        self._refuse_odd()
        shared = overlaps(self.samples)
        if leaks := [found for found in shared if found.leaks()]:
            self.faults.append(
                f"{len(leaks)} spans overlap a span of another split, e.g. {leaks[0]}"
            )
        if inside := [found for found in shared if not found.leaks()]:
            self.notes.append(
                f"{len(inside)} spans overlap a span of their own split, e.g. {inside[0]}"
            )
        faults = [*_mismatches(self._found, expected), *self._shortages(), *self.faults]
        if not self.samples:
            raise EmollamaError(f"{self.corpus}: no sample is usable{self._most_common()}")
        present = {self._split.get(s.id) for s in self.samples}
        if gone := [split for split in dict.fromkeys(self._split.values()) if split not in present]:
            raise EmollamaError(
                f"{self.corpus}: no sample of split '{gone[0]}' is usable{self._most_common()}"
            )
        if strict and faults:
            raise EmollamaError(f"{self.corpus}: {'; '.join(faults)}")
        write_manifest(self.out, self.corpus, self.labels, self.samples)
        return PrepareReport.of(
            self.out, self.samples, dict(sorted(self.rejected.items())), self.notes, faults
        )

    def _refuse_odd(self) -> None:
        if len(self._odd) > LARGE_SHARE * self._rows:
            more = f"; {len(self._odd)} of {self._rows} rows are odd" if self._odd[1:] else ""
            raise EmollamaError(f"{self._odd[0]}{more}")
        if self._odd:
            self.notes.append(
                f"{len(self._odd)} of {self._rows} rows of annotations are odd and left out"
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
    """Why a media file, or a folder of frames, is unusable; None where it is not."""
    try:
        if file is not None and file.is_dir():
            return None
        if file is None or not file.is_file():
            return "file is missing"
    except OSError:  # a name longer than this file system allows
        return "file is missing"
    # A pointer is some 130 bytes; no media file is that small.
    if file.stat().st_size < 1024 and file.read_bytes().startswith(_LFS):
        return "a git-LFS pointer, not the file: run 'git lfs pull'"
    return None


def files_by_stem(folder: Path, suffixes: tuple[str, ...]) -> dict[str, Path]:
    """{name without suffix: file}; the first suffix wins. Empty if the folder is missing."""
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


def files_below(root: Path, suffixes: tuple[str, ...]) -> list[Path]:
    """Files with these suffixes anywhere below `root`, sorted; links are followed, none twice."""
    files = (Path(folder, name) for folder, _, names in folders_below(root) for name in names)
    return sorted(path for path in files if path.suffix.lower() in suffixes)


def first_that_exists(root: Path, *places: str) -> Path | None:
    """The first of the paths below `root` that exists: releases of one corpus differ."""
    return next((root / p for p in places if (root / p).exists()), None)


def require_root(root: Path, corpus: str, layout: str) -> None:
    """Raise an error unless `root` is a folder; `layout` describes its expected content."""
    if not root.is_dir():
        raise EmollamaError(f"{root}: is not a folder; give the folder of {corpus}, with {layout}")


def _rank(file: Path, suffixes: tuple[str, ...]) -> tuple[int, str]:
    return suffixes.index(file.suffix.lower()), file.name


def _mismatches(found: Counter[tuple[str, str]], expected: Expected) -> list[str]:
    """A line for each split, or label of a split, whose number of samples is not as published.

    Where labels are expected, only those are compared: a reader may accept others.
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
