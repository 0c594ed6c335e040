"""One shard of an extraction in progress: its open work, and its results so far."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from emollama.encoders.base import Encoder
from emollama.encoders.presence import Absent
from emollama.features.catalog import PARTS, Catalog
from emollama.features.shards import SUFFIX, Entry, Extracted, write_shard
from emollama.manifest.sample import Manifest, Sample
from emollama.manifest.signature import signature, text_signature
from emollama.workers.worker import Failure, Job, Outcome, job_of

_PART = 64
"""Clips per part file: about as many are lost when the process is killed."""


class ShardWork:
    """Some clips of the manifest, for all encoders: open work and results so far.

    Args:
        manifest, samples: the clips.
        encoders: of the tracks.
        store: the feature store.
        name: of the shard's file, or what its parts begin with.
        catalogs: what the store holds, by encoder.
        retry_failed: whether clips that failed are wanted again.
        whole: whether `finish` makes one file of all clips; else they stay in parts, for a merge.
    """

    def __init__(
        self,
        manifest: Manifest,
        encoders: Sequence[Encoder],
        store: Path,
        name: str,
        samples: Sequence[Sample],
        catalogs: Mapping[str, Catalog],
        retry_failed: bool,
        whole: bool = True,
    ) -> None:
        self._whole = whole
        self._encoders = {encoder.key: encoder for encoder in encoders}
        self._store, self._name = store, name
        self._catalogs = catalogs
        media = {sample.id: signature(manifest, sample) for sample in samples}
        texts = {sample.id: text_signature(sample) for sample in samples}
        # A corrected subtitle concerns the encoders of the words, and no other.
        self._signatures = {
            key: texts if encoder.channel == "words" else media
            for key, encoder in self._encoders.items()
        }
        self._fresh: dict[str, dict[str, Extracted]] = {key: {} for key in self._encoders}
        self._unwritten: dict[str, list[Extracted]] = {key: [] for key in self._encoders}
        self.jobs: list[Job] = []
        self.replaced: list[str] = []
        for sample in samples:
            keys = tuple(
                key for key in self._encoders if self._is_wanted(key, sample.id, retry_failed)
            )
            if keys:
                if any(self._is_other(key, sample.id) for key in keys):
                    self.replaced.append(sample.id)
                self.jobs.append(job_of(manifest, sample, keys))
        self.waiting = len(self.jobs)

    def _is_wanted(self, key: str, sample_id: str, retry_failed: bool) -> bool:
        entry = self._catalogs[key].entry(sample_id, self._signatures[key][sample_id])
        return entry is None or (retry_failed and entry.status == "failed")

    def _is_other(self, key: str, sample_id: str) -> bool:
        """Whether the store has features of this id from other media."""
        catalog = self._catalogs[key]
        return sample_id in catalog and not catalog.entry(
            sample_id, self._signatures[key][sample_id]
        )

    def add(self, job: Job, outcomes: Mapping[str, Outcome]) -> None:
        """Record the outcomes of a clip."""
        for key, outcome in outcomes.items():
            item = _extracted(job.id, self._signatures[key][job.id], outcome)
            # The tracks of a share are not held in memory: it may be a large part of the corpus.
            self._fresh[key][job.id] = item if self._whole else Extracted(item.entry, None)
            self._unwritten[key].append(item)
            if len(self._unwritten[key]) >= _PART:
                self._write_part(key)
        self.waiting -= 1

    def _write_part(self, key: str) -> None:
        encoder, items = self._encoders[key], self._unwritten[key]
        # Named after what is in it: a run that resumes another one never overwrites its parts.
        digest = hashlib.sha256("\n".join(i.entry.id for i in items).encode()).hexdigest()
        path = self._store / key / PARTS / f"{self._name}.{digest[:10]}{SUFFIX}"
        write_shard(path, encoder.width, encoder.fingerprint, items)
        self._unwritten[key] = []

    def entries(self, key: str) -> list[Entry]:
        """An encoder's entries of all clips, in order; before `finish` makes a file of them."""
        fresh, known = self._fresh[key], self._catalogs[key]
        found = [
            fresh[i].entry if i in fresh else known.entry(i, media)
            for i, media in self._signatures[key].items()
        ]
        return [entry for entry in found if entry is not None]

    def save_parts(self) -> None:
        """Write results that are in no file yet."""
        for key, items in self._unwritten.items():
            if items:
                self._write_part(key)

    def finish(self) -> None:
        """Write the shard of each encoder, from new entries and known ones; drop the parts."""
        if not self._whole:
            self.save_parts()
            return
        for key, encoder in self._encoders.items():
            catalog, fresh = self._catalogs[key], self._fresh[key]
            path = self._store / key / (self._name + SUFFIX)
            if fresh or not catalog.is_file_of(path, self._signatures[key]):
                items = [
                    fresh[i] if i in fresh else catalog.read(i, known)
                    for i, known in self._signatures[key].items()
                ]
                write_shard(path, encoder.width, encoder.fingerprint, items)
            for part in (path.parent / PARTS).glob(f"{self._name}.*{SUFFIX}"):
                part.unlink(missing_ok=True)
            self._fresh[key], self._unwritten[key] = {}, []


def _extracted(sample_id: str, media: str, outcome: Outcome) -> Extracted:
    if isinstance(outcome, Absent):
        return Extracted(Entry(sample_id, media, "absent", outcome.reason), None)
    if isinstance(outcome, Failure):
        entry = Entry(sample_id, media, "failed", outcome.reason, outcome.detail)
        return Extracted(entry, None)
    return Extracted(Entry(sample_id, media, "ok"), outcome)
