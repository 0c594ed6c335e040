"""The tracks already in an encoder's folder: finished shards, and parts of unfinished ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from emollama.base.errors import EmollamaError
from emollama.features.shards import SUFFIX, Entry, Extracted, Shard

PARTS = "parts"
_OPEN = 128
"""Files held open while tracks are read."""


@dataclass(frozen=True)
class _Found:
    path: Path
    entry: Entry


class Catalog:
    """Entries of every readable file of a folder, by id and by signature of the media.

    Files that cannot be read, or come from another version of the encoder, are reported to
    `complain` and ignored; their clips are extracted again. Of the parts only those are read whose
    names begin with `parts`.
    """

    def __init__(
        self, folder: Path, fingerprint: str, complain: Callable[[str], None], parts: str = ""
    ) -> None:
        self._found: dict[str, list[_Found]] = {}
        self._open: dict[Path, Shard] = {}
        # Older files first, parts after shards: the last entry of an id is the newest.
        files = [*_by_age(folder), *_by_age(folder / PARTS, parts)]
        for path in files:
            try:
                shard = Shard(path)
            except EmollamaError as error:
                # Another rank may have put a part into its shard since the folder was listed.
                if path.is_file():
                    complain(f"{error}; its clips will be extracted again")
                continue
            if shard.fingerprint != fingerprint:
                complain(f"{path}: comes from another version of the encoder and is not used")
                continue
            for entry in shard.entries:
                self._found.setdefault(entry.id, []).append(_Found(path, entry))

    def __contains__(self, sample_id: object) -> bool:
        return sample_id in self._found

    def entry(self, sample_id: str, signature: str) -> Entry | None:
        """The newest entry of an id that was made from these media, or None."""
        found = self._newest(sample_id, signature)
        return None if found is None else found.entry

    def read(self, sample_id: str, signature: str) -> Extracted:
        """The newest entry with its track; KeyError where there is none."""
        found = self._newest(sample_id, signature)
        if found is None:
            raise KeyError(sample_id)
        # Each file was written in the order that clips are read in, so it is opened once, also
        # where the clips lie in turns in the files of several shares.
        if found.path not in self._open:
            if len(self._open) == _OPEN:
                self._open.pop(next(iter(self._open)))
            self._open[found.path] = Shard(found.path)
        return self._open[found.path].read(sample_id)

    def is_file_of(self, path: Path, signatures: dict[str, str]) -> bool:
        """Whether `path` is the current file for exactly these ids and signatures."""
        found = [self._newest(i, signature) for i, signature in signatures.items()]
        return all(f is not None and f.path == path for f in found)

    def _newest(self, sample_id: str, signature: str) -> _Found | None:
        for found in reversed(self._found.get(sample_id, [])):
            if found.entry.signature == signature:
                return found
        return None


def _by_age(folder: Path, begins: str = "") -> list[Path]:
    dated = []
    for path in folder.glob(f"{begins or '[!.]'}*{SUFFIX}"):
        try:
            dated.append((path.stat().st_mtime_ns, path))
        except FileNotFoundError:
            continue
    return [path for _, path in sorted(dated)]
