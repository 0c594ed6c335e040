"""Extraction: a manifest's clips through frozen encoders into a feature store.

Ids are taken in the manifest's order in chunks (a shard each) of blocks (a part file each). A
block's part is written as soon as the block is done, a chunk's shard when all of its parts are;
both atomically. So a kill at any moment loses at most one block a process, and what is already
there is taken over by the next run, whatever its sharding was.
"""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from pathlib import Path

from emollama.encoders.base import Encoder
from emollama.errors import EmollamaError
from emollama.features.shard import EncoderFacts, Record, Shard, shard_paths, write_shard
from emollama.features.store import write_index
from emollama.features.worker import Job, encode_jobs, start_worker
from emollama.sample import Manifest, Sample

BLOCK = 64


@dataclass
class ExtractReport:
    """What an extraction did: counts by encoder and status, failures, and how long it took."""

    counts: dict[str, Counter[str]] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)
    computed: int = 0
    kept: int = 0
    seconds: float = 0.0

    @property
    def rate(self) -> float:
        """Clips computed a second."""
        return self.computed / self.seconds if self.seconds > 0 else 0.0

    def by_reason(self) -> dict[str, list[str]]:
        """Failed ids by short reason ("unreadable", "missing", ...)."""
        groups: dict[str, list[str]] = defaultdict(list)
        for sample_id, status in self.failures.items():
            groups[status.removeprefix("failed: ").split(":")[0]].append(sample_id)
        return dict(groups)


@dataclass(frozen=True)
class _Chunk:
    """Consecutive samples of the manifest that share a shard."""

    name: str
    samples: tuple[Sample, ...]

    def blocks(self) -> list[tuple[str, tuple[Sample, ...]]]:
        """(part name, samples) of each block."""
        starts = range(0, len(self.samples), BLOCK)
        return [(f"{self.name}.part-{a // BLOCK:04d}", self.samples[a : a + BLOCK]) for a in starts]


def extract(
    manifest: Manifest,
    encoders: Sequence[Encoder],
    store: Path,
    *,
    workers: int | None = None,
    batch_size: int = 8,
    shard_size: int = 1000,
    retry_failed: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> ExtractReport:
    """Extract what the store does not hold yet, and say how every clip fared.

    Args:
        workers: processes that decode and encode; the number of usable cores when None.
        batch_size: clips a process takes at a time.
        shard_size: ids a shard.
        retry_failed: try failed clips again (changed media are always extracted again).
        progress: called with (clips done, clips to do) by this process.

    Under torchrun each process takes every WORLD_SIZE-th chunk, so that nothing is done twice.
    """
    rank, world = int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
    started = time.monotonic()
    size = max(1, min(shard_size, -(-len(manifest.samples) // world)))
    chunks = [
        _chunk(i, manifest.samples[a : a + size])
        for i, a in enumerate(range(0, len(manifest.samples), size))
    ][rank::world]
    sources = {s.id: _source(manifest, s) for c in chunks for s in c.samples}
    facts = {e.key: EncoderFacts.of(e) for e in encoders}
    known = {
        key: _known(store / key, fact, sources, retry_failed) for key, fact in facts.items()
    }
    report = ExtractReport(counts={key: Counter() for key in facts})
    todo = [
        (chunk, part, samples)
        for chunk in chunks
        for part, samples in chunk.blocks()
        if any(s.id not in known[key] for key in facts for s in samples)
    ]
    wanted = {s.id for _, _, samples in todo for s in samples
              if any(s.id not in known[key] for key in facts)}  # fmt: skip
    report.computed = len(wanted)
    report.kept = len(sources) - len(wanted)
    done = 0

    def jobs() -> Iterator[Job]:
        for _, _, samples in todo:
            for sample in samples:
                missing = tuple(key for key in facts if sample.id not in known[key])
                if missing:
                    yield _job(manifest, sample, sources[sample.id], missing)

    blocks = iter(todo)
    pending: dict[str, dict[str, Record]] = {}
    block = next(blocks, None)
    for results in _run(jobs(), tuple(facts), workers or _cores(), batch_size):
        pending.update(results)
        done += len(results)
        if progress:
            progress(done, len(wanted))
        while block is not None and all(
            s.id in pending or s.id not in wanted for s in block[2]
        ):
            _write_part(store, facts, known, block[1], block[2], pending)
            block = next(blocks, None)
    for chunk in chunks:
        for key, fact in facts.items():
            _write_chunk(store / key, fact, chunk, known[key])
    for key in facts:
        _tidy(store / key, [c.name for c in chunks], {s.id for s in manifest.samples}, world)
        write_index(store / key)
    _count(report, known)
    report.seconds = time.monotonic() - started
    return report


def _chunk(number: int, samples: Sequence[Sample]) -> _Chunk:
    digest = hashlib.sha256("\n".join(s.id for s in samples).encode()).hexdigest()[:8]
    return _Chunk(f"{number:05d}-{digest}", tuple(samples))


def _source(manifest: Manifest, sample: Sample) -> str:
    """A signature of the media: names, spans, sizes and times of change."""
    parts: list[str] = [str(sample.start), str(sample.end)]
    for name in (sample.video, sample.audio):
        if name is None:
            continue
        try:
            facts = manifest.media(name).stat()
            parts += [name, str(facts.st_size), str(facts.st_mtime_ns)]
        except OSError:
            parts += [name, "missing"]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def _job(manifest: Manifest, sample: Sample, source: str, encoders: tuple[str, ...]) -> Job:
    return Job(
        sample.id,
        manifest.media(sample.video) if sample.video else None,
        manifest.media(sample.audio) if sample.audio else None,
        sample.start,
        sample.end,
        source,
        encoders,
    )


def _known(
    folder: Path, facts: EncoderFacts, sources: dict[str, str], retry_failed: bool
) -> dict[str, tuple[Path | None, Record]]:
    """What the folder holds of these clips, made by this encoder from these very media.

    A corrupt file is taken away and its clips are extracted again. The tracks themselves are not
    held in memory: `Record.track` is read from the file when it is needed.
    """
    found: dict[str, tuple[Path | None, Record]] = {}
    if not folder.is_dir():
        return found
    for path in shard_paths(folder):
        try:
            shard = Shard(path)
        except EmollamaError:
            path.unlink(missing_ok=True)
            continue
        if shard.facts.fingerprint != facts.fingerprint:
            raise EmollamaError(
                f"{path}: was made by another version of {facts.key} than the one installed; "
                f"delete {folder} or choose another --store"
            )
        for sample_id, status, source in zip(shard.ids, shard.status, shard.source, strict=True):
            if sources.get(sample_id) != source:
                continue
            if retry_failed and status.startswith("failed"):
                continue
            found[sample_id] = (path, Record(status, source))
    return found


def _run(
    jobs: Iterable[Job], specs: tuple[str, ...], workers: int, batch_size: int
) -> Iterator[dict[str, dict[str, Record]]]:
    """Results in the order of the jobs, with a bounded number in flight.

    When a worker dies (a decoder can crash on a crafted file) the batches in flight are run again
    one clip at a time, each in a process of its own; the clip that kills it fails.
    """
    source = iter(jobs)
    waiting: dict[int, list[Job]] = {}
    ready: dict[int, dict[str, dict[str, Record]]] = {}
    submitted = delivered = 0
    pool = _pool(workers, specs)
    futures: dict[Future[dict[str, dict[str, Record]]], int] = {}
    try:
        exhausted = False
        while True:
            while not exhausted and len(futures) < 2 * workers + 2:
                batch = [job for _, job in zip(range(batch_size), source, strict=False)]
                exhausted = len(batch) < batch_size
                if batch:
                    waiting[submitted] = batch
                    futures[pool.submit(encode_jobs, batch)] = submitted
                    submitted += 1
            if not futures:
                return
            finished, _ = wait(futures, return_when=FIRST_COMPLETED)
            broken = False
            for future in finished:
                number = futures[future]
                try:
                    ready[number] = future.result()
                    del futures[future]
                except BrokenProcessPool:
                    broken = True
            if broken:
                pool.shutdown(wait=False, cancel_futures=True)
                for number in sorted(futures.values()):
                    ready[number] = _one_by_one(waiting[number], specs)
                futures.clear()
                pool = _pool(workers, specs)
            while delivered in ready:
                waiting.pop(delivered)
                yield ready.pop(delivered)
                delivered += 1
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _one_by_one(jobs: list[Job], specs: tuple[str, ...]) -> dict[str, dict[str, Record]]:
    results: dict[str, dict[str, Record]] = {}
    pool = _pool(1, specs)
    for job in jobs:
        try:
            results.update(pool.submit(encode_jobs, [job]).result())
        except BrokenProcessPool:
            record = Record("failed: crashed: the decoder's process died on this clip", job.source)
            results[job.id] = dict.fromkeys(job.encoders, record)
            pool.shutdown(wait=False)
            pool = _pool(1, specs)
    pool.shutdown()
    return results


def _pool(workers: int, specs: tuple[str, ...]) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(
        workers,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=start_worker,
        initargs=(specs,),
    )


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _write_part(
    store: Path,
    facts: dict[str, EncoderFacts],
    known: dict[str, dict[str, tuple[Path | None, Record]]],
    part: str,
    samples: Sequence[Sample],
    pending: dict[str, dict[str, Record]],
) -> None:
    """Write a block's new records, and note where they are."""
    for key, fact in facts.items():
        new = {s.id: pending[s.id][key] for s in samples if key in pending.get(s.id, {})}
        if not new:
            continue
        path = _free(store / key, part)
        write_shard(path, fact, new)
        for sample_id, record in new.items():
            known[key][sample_id] = (path, Record(record.status, record.source))
    for sample in samples:
        pending.pop(sample.id, None)


def _free(folder: Path, part: str) -> Path:
    """A part's path that does not overwrite what an earlier, interrupted run left there."""
    path, again = folder / f"{part}.safetensors", 0
    while path.exists():
        again += 1
        path = folder / f"{part}-{again}.safetensors"
    return path


def _write_chunk(
    folder: Path,
    facts: EncoderFacts,
    chunk: _Chunk,
    known: dict[str, tuple[Path | None, Record]],
) -> None:
    """Gather a chunk's records into its shard, unless they already are there."""
    target = folder / f"{chunk.name}.safetensors"
    if all(known[s.id][0] == target for s in chunk.samples):
        return
    shards: dict[Path, Shard] = {}
    records: dict[str, Record] = {}
    for sample in chunk.samples:
        path, _ = known[sample.id]
        assert path is not None
        shard = shards.setdefault(path, Shard(path)) if path not in shards else shards[path]
        records[sample.id] = shard.record(shard.ids.index(sample.id))
    write_shard(target, facts, records)
    for sample in chunk.samples:
        known[sample.id] = (target, known[sample.id][1])


def _tidy(folder: Path, chunks: list[str], ids: set[str], world: int) -> None:
    """Take away parts of finished chunks, and shards that this manifest's shards supersede."""
    for path in shard_paths(folder):
        stem = path.name.removesuffix(".safetensors")
        if stem in chunks:
            continue
        of_ours = stem.split(".part-")[0] in chunks
        if of_ours or (world == 1 and ids.issuperset(Shard(path).ids)):
            path.unlink(missing_ok=True)


def _count(
    report: ExtractReport, known: dict[str, dict[str, tuple[Path | None, Record]]]
) -> None:
    for key, records in known.items():
        for sample_id, (_, record) in records.items():
            report.counts[key][record.status.split(":")[0]] += 1
            if record.status.startswith("failed"):
                report.failures.setdefault(sample_id, record.status)
