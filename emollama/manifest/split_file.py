"""Split files: which split each sample of a manifest belongs to, apart from the manifest.

JSON Lines. The first line is the header, `{"split": {"version": 1, "corpus": "crema-d", "scheme":
"k-fold", "options": {...}}}`; each further line is `{"id": "...", "split": "train"}`, with null for
a sample in no split. It names every sample of its manifest and no other. The file's SHA-256, kept
in the record of a run and in every report, identifies the split.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from emollama.base.errors import EmollamaError
from emollama.base.files import read_jsonl, write_jsonl
from emollama.manifest.sample import Manifest, Sample, read_manifest

SPLIT_VERSION = 1


@dataclass(frozen=True)
class SplitFile:
    """A split file as read.

    Attributes:
        path: where it is.
        sha256: of its bytes.
        corpus: the corpus that is split; "" where the header does not say.
        scheme: how it was made, e.g. "k-fold"; `options` are that scheme's.
        splits: {id: split, or None for no split}.
        lines: {id: line number}.
    """

    path: Path
    sha256: str
    corpus: str
    scheme: str
    options: dict[str, Any]
    splits: dict[str, str | None]
    lines: dict[str, int]


@dataclass(frozen=True)
class Leakage:
    """Speakers, or groups, with samples in more than one split.

    Attributes:
        kind: "speakers" or "groups".
        shared: how many of them are in several splits, out of `of`.
        example: one of them.
    """

    kind: str
    shared: int
    of: int
    example: str

    def __str__(self) -> str:
        return (
            f"{self.shared} of {self.of} {self.kind} are in more than one split, e.g. "
            f"'{self.example}': scores will be on {self.kind} seen in training"
        )


def leakage(samples: Iterable[Sample]) -> list[Leakage]:
    """Speakers and groups that are in more than one split.

    Where each group is one speaker, only the speakers are reported.
    """
    placed = [s for s in samples if s.split is not None]
    speakers = _shared("speakers", ((s.speaker, s.split) for s in placed))
    others = {s.group for s in placed if s.group != s.speaker}
    groups = _shared("groups", ((s.group, s.split) for s in placed if s.group in others))
    return [found for found in (speakers, groups) if found is not None]


def _shared(kind: str, pairs: Iterable[tuple[str | None, str | None]]) -> Leakage | None:
    found: dict[str, set[str | None]] = {}
    for name, split in pairs:
        if name is not None:
            found.setdefault(name, set()).add(split)
    shared = sorted(name for name, splits in found.items() if len(splits) > 1)
    return Leakage(kind, len(shared), len(found), shared[0]) if shared else None


def write_split_file(
    path: Path,
    corpus: str,
    scheme: str,
    options: Mapping[str, Any],
    splits: Mapping[str, str | None],
) -> SplitFile:
    """Write a split file, atomically and sorted by id; the same splits give the same bytes."""
    header = {"version": SPLIT_VERSION, "corpus": corpus, "scheme": scheme, "options": options}
    rows = ({"id": name, "split": splits[name]} for name in sorted(splits))
    write_jsonl(path, ({"split": header} if row is None else row for row in (None, *rows)))
    return read_split_file(path)


def read_split_file(path: Path) -> SplitFile:
    """Read and check a split file.

    Raises:
        EmollamaError: naming file and line: no header, another version, a line that is not an id
            and a split, a duplicate id.
    """
    rows = list(read_jsonl(path))
    first, header = rows[0] if rows else (1, {})
    about = header.get("split")
    if not isinstance(about, dict):
        raise EmollamaError(
            f'{path}:{first}: a split file begins with a header, {{"split": {{"version": 1, ...}}}}'
        )
    if about.get("version") != SPLIT_VERSION:
        raise EmollamaError(
            f"{path}:{first}: split file version {about.get('version')} is not "
            f"supported; this release reads version {SPLIT_VERSION}"
        )
    splits: dict[str, str | None] = {}
    lines: dict[str, int] = {}
    for number, row in rows[1:]:
        name, split = row.get("id"), row.get("split")
        placed = split is None or (isinstance(split, str) and split)
        if not (isinstance(name, str) and name and placed) or set(row) != {"id", "split"}:
            raise EmollamaError(
                f"{path}:{number}: must hold an id and its split (null for no split)"
            )
        if name in lines:
            raise EmollamaError(f"{path}:{number}: id '{name}' is already on line {lines[name]}")
        splits[name], lines[name] = split, number
    if not any(splits.values()):
        raise EmollamaError(f"{path}: assigns no sample to a split")
    options = about.get("options")
    return SplitFile(
        path,
        hashlib.sha256(path.read_bytes()).hexdigest(),
        str(about.get("corpus") or ""),
        str(about.get("scheme", "")),
        options if isinstance(options, dict) else {},
        splits,
        lines,
    )


def apply_split(manifest: Manifest, file: SplitFile) -> Manifest:
    """Replace the manifest's splits by those of the file.

    Raises:
        EmollamaError: the file is of another corpus, names an id that the manifest does not have,
            or lacks one that it has; with file and line.
    """
    if file.corpus and manifest.corpus and file.corpus != manifest.corpus:
        raise EmollamaError(
            f"{file.path}:1: splits corpus '{file.corpus}', but {manifest.path} is "
            f"corpus '{manifest.corpus}'"
        )
    known = {s.id for s in manifest.samples}
    for name, line in file.lines.items():
        if name not in known:
            raise EmollamaError(f"{file.path}:{line}: id '{name}' is not in {manifest.path}")
    absent = [s.id for s in manifest.samples if s.id not in file.splits]
    if absent:
        line = next(n for n, row in read_jsonl(manifest.path) if row.get("id") == absent[0])
        more = f", nor do {len(absent) - 1} others" if len(absent) > 1 else ""
        raise EmollamaError(
            f"{manifest.path}:{line}: id '{absent[0]}' has no line in {file.path}{more}"
        )
    samples = tuple(s.model_copy(update={"split": file.splits[s.id]}) for s in manifest.samples)
    return replace(manifest, samples=samples, split_sha256=file.sha256)


def read_with_splits(manifest: Path, split_file: Path | None) -> Manifest:
    """`read_manifest`, with the splits of `split_file` where there is one."""
    found = read_manifest(manifest)
    return apply_split(found, read_split_file(split_file)) if split_file else found


def need_split(manifest: Path, split: str, split_file: Path | None = None) -> None:
    """Refuse a manifest before anything large is loaded: a model, or what reads one.

    Raises:
        EmollamaError: it or the split file cannot be read, or it has no samples in the split.
    """
    read_with_splits(manifest, split_file).split(split)
