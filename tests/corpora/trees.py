"""Miniatures of corpora on disk: files by path, and reading back what was prepared."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from emollama.manifest.sample import Sample, read_manifest


def plant(root: Path, files: Mapping[str, str | bytes] | list[str]) -> Path:
    """Write {path: content} below `root`; of a list, files with one byte each."""
    contents = files if isinstance(files, Mapping) else dict.fromkeys(files, b"x")
    for name, content in contents.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return root


def samples_of(manifest: Path) -> dict[str, Sample]:
    """{id: sample} of a manifest, in its order."""
    return {s.id: s for s in read_manifest(manifest).samples}
