"""Extraction: runs frozen encoders over every clip of a manifest, into a feature store.

The manifest is cut into shards of consecutive ids. Within a shard, batches of clips go to worker
processes that decode each clip once and run every encoder on it; results are written in small
parts, and when a shard is complete its parts become one file. A clip counts as done when the store
holds an entry made from the same media (path, span, size and modification time) by an encoder of
the same fingerprint, so a killed run resumes where it stopped, and changed media are extracted
again. Each clip's numbers depend on that clip alone: a resumed run, any number of workers and any
number of ranks give the same values.
"""

from __future__ import annotations

import hashlib
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from emollama.base.errors import EmollamaError
from emollama.base.files import sole_writer
from emollama.base.processors import processor_count
from emollama.encoders.base import Encoder
from emollama.encoders.compute import Compute
from emollama.encoders.presence import RULE, is_judged
from emollama.encoders.table import parse_encoder
from emollama.features.catalog import PARTS, Catalog
from emollama.features.report import ExtractReport, read_report, report_of
from emollama.features.shard_work import ShardWork
from emollama.features.shards import SUFFIX, Shard
from emollama.features.store import (
    RECORD,
    EncoderRecord,
    check_key,
    read_record,
    write_index,
    write_record,
)
from emollama.manifest.sample import Manifest, Sample
from emollama.workers.clip_pool import ClipPool
from emollama.workers.ranks import joined_ranks
from emollama.workers.shares import Share, lacking
from emollama.workers.worker import Job, Outcome, process

_GPU_WORKERS = 4
_SHARES = ".shards"
"""Folder in the store for the locks of shares."""


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
    clip_seconds: float = 300.0,
    build: Callable[[str], Encoder] = parse_encoder,
    share: Share | None = None,
    merge: bool = False,
    pool: Callable[..., Any] = ClipPool,
) -> ExtractReport:
    """Fill `store` with the tracks of every clip of `manifest` by every encoder.

    Under torchrun each rank processes its share of the shards, rank 0 writes the index when all are
    done, and all ranks return the same report. With `share` this process does its clips alone and
    leaves them in parts; `merge` makes of the parts what one call without shares writes.

    Args:
        manifest: the clips.
        encoders: frozen models with distinct keys.
        store: folder, created if missing.
        workers: processes; None for one per CPU core of this machine's ranks, at most four where
            encoders share a GPU; 0 works in this process.
        batch_size: clips that a worker takes and an encoder processes at a time.
        shard_size: approximate number of clips per shard file.
        retry_failed: extract clips again that failed earlier, though their media are unchanged.
        progress: called with (clips done, clips to do) of this rank, on rank 0 only.
        clip_seconds: a clip that takes longer fails as "timed out".
        build: builds an encoder from its key in a worker; a module-level function.
        share: of the clips; None for all.
        merge: compute nothing.
        pool: what runs the workers, called as `ClipPool` is.

    Raises:
        EmollamaError: clips are missing in a merge, or the store holds features of another version
            of an encoder, is being written by another process, or cannot be written. Clips that
            cannot be decoded or encoded raise nothing: they are in the report.
    """
    _check(encoders, batch_size, shard_size)
    began = time.monotonic()
    with ExitStack() as stack:
        ranks = stack.enter_context(joined_ranks())
        if ranks.rank == 0:
            _prepare(store, encoders, stack, share)
        ranks.barrier()
        plan, own = _plan(manifest.samples, shard_size, ranks.world), ""
        if share is not None:
            plan = [(share.name, manifest.samples[share.part :: share.of])]
            own = f"{share.name}."
        catalogs = {e.key: Catalog(store / e.key, e.fingerprint, _warn, own) for e in encoders}
        retry = retry_failed and not merge
        mine = [
            ShardWork(manifest, encoders, store, *item, catalogs, retry, whole=share is None)
            for item in plan[ranks.rank :: ranks.world]
        ]
        if merge:
            _require_all(manifest, store, encoders, [job.id for w in mine for job in w.jobs])
        if replaced := [i for work in mine for i in work.replaced]:
            _warn(
                f"{store}: has {len(replaced)} of these ids with other media or subtitles, e.g. "
                f"'{replaced[0]}'; they are extracted again and replaced (give each corpus a "
                "store of its own)"
            )
        todo = sum(len(work.jobs) for work in mine)
        if workers is None:
            workers = processor_count(ranks.local)
            if any(_on_gpu(encoder) for encoder in encoders):
                # Each holds its own copy of the weights there.
                workers = min(workers, _GPU_WORKERS)
        batch_size = max(1, min(batch_size, todo // (4 * max(1, workers))))
        batches = _batches(mine, batch_size)
        workers = min(workers, -(-todo // batch_size))
        fingerprints = {e.key: e.fingerprint for e in encoders}
        made = build if workers else {e.key: e for e in encoders}.__getitem__
        started = pool(workers, fingerprints, made, process, clip_seconds=clip_seconds)
        results = stack.enter_context(started).run(batches)
        _collect(mine, results, todo, progress if ranks.rank == 0 else None)
        if share is not None:
            kept, seconds = len(plan[0][1]) - todo, time.monotonic() - began
            (work,) = mine
            return report_of({e.key: work.entries(e.key) for e in encoders}, todo, kept, seconds)
        computed = ranks.total(todo)
        names = [name for name, _ in plan]
        if ranks.rank == 0:
            left = [_complete(store / e.key, names, e.fingerprint) for e in encoders]
            if not any(left):
                shutil.rmtree(store / _SHARES, ignore_errors=True)
        ranks.barrier()
        kept, seconds = len(manifest.samples) - computed, time.monotonic() - began
        return read_report(store, [e.key for e in encoders], names, computed, kept, seconds)


def _require_all(
    manifest: Manifest, store: Path, encoders: Sequence[Encoder], missing: Sequence[str]
) -> None:
    """Raise an error if clips are in no share."""
    if missing:
        places = {s.id: k for k, s in enumerate(manifest.samples)}
        seen = [p.name for e in encoders for p in (store / e.key / PARTS).glob(f"[!.]*{SUFFIX}")]
        raise EmollamaError(lacking(store, "clips", {places[i]: i for i in missing}, seen))


def _on_gpu(encoder: Encoder) -> bool:
    compute = getattr(encoder, "compute", None)
    return isinstance(compute, Compute) and compute.torch_device().type == "cuda"


def _warn(text: str) -> None:
    print(f"note: {text}", file=sys.stderr, flush=True)


def _check(encoders: Sequence[Encoder], batch_size: int, shard_size: int) -> None:
    keys = [encoder.key for encoder in encoders]
    if not keys:
        raise EmollamaError("nothing to extract; name at least one encoder")
    for key in keys:
        if keys.count(key) > 1:
            raise EmollamaError(f"encoder '{key}' is named twice")
        check_key(key)
    for name, value in (("batch_size", batch_size), ("shard_size", shard_size)):
        if value < 1:
            raise EmollamaError(f"{name} must be 1 or more, not {value}")


def _prepare(
    store: Path, encoders: Sequence[Encoder], stack: ExitStack, share: Share | None
) -> None:
    """Lock the store, or a share, and check that each encoder is the one recorded in it."""
    folder, busy = store, f"{store}: another extraction is writing to this store"
    if share is not None:
        folder, busy = store / _SHARES / share.name, f"{store}: shard {share} is running"
    stack.enter_context(sole_writer(folder, busy))
    for encoder in encoders:
        folder = store / encoder.key
        if not (folder / RECORD).is_file():
            record = EncoderRecord(
                encoder.key, encoder.channel, encoder.width, encoder.fingerprint, encoder.columns,
                RULE,
            )  # fmt: skip
            write_record(folder, record)
            continue
        record = read_record(folder)
        known = record.fingerprint
        if known != encoder.fingerprint:
            raise EmollamaError(
                f"{folder}: holds features of another version of this encoder (fingerprint "
                f"{known[:12]}, now {encoder.fingerprint[:12]}); remove the folder or use another "
                "store"
            )
        if is_judged(encoder) and record.presence != RULE:
            _warn(
                f"{folder}: was begun under another rule of what is a {encoder.channel}, and "
                "keeps the tracks of then; remove the folder to make them anew"
            )


def _plan(
    samples: Sequence[Sample], shard_size: int, world: int
) -> list[tuple[str, Sequence[Sample]]]:
    """Name and samples of each shard. The name identifies the ids and their order."""
    # A corpus smaller than a shard a rank would leave ranks without work.
    size = min(shard_size, -(-len(samples) // world))
    plan = []
    for number, first in enumerate(range(0, len(samples), size)):
        part = samples[first : first + size]
        digest = hashlib.sha256("\n".join(s.id for s in part).encode()).hexdigest()
        plan.append((f"{number:05d}-{digest[:10]}", part))
    return plan


def _batches(shards: Sequence[ShardWork], size: int) -> Iterator[list[Job]]:
    for shard in shards:
        for first in range(0, len(shard.jobs), size):
            yield shard.jobs[first : first + size]


def _collect(
    shards: Sequence[ShardWork],
    results: Iterator[tuple[Sequence[Job], Sequence[dict[str, Outcome]]]],
    todo: int,
    progress: Callable[[int, int], None] | None,
) -> None:
    """Put results into their shards and finish each complete shard."""
    owner = {job.id: shard for shard in shards for job in shard.jobs}
    for shard in shards:
        if not shard.waiting:
            shard.finish()
    done = 0
    if progress is not None:
        progress(done, todo)
    try:
        for jobs, outcomes in results:
            for job, outcome in zip(jobs, outcomes, strict=True):
                owner[job.id].add(job, outcome)
                if not owner[job.id].waiting:
                    owner[job.id].finish()
            done += len(jobs)
            if progress is not None:
                progress(done, todo)
    finally:
        # Also on Ctrl-C, a full disk or a defect: what has been computed is kept.
        for shard in shards:
            shard.save_parts()


def _complete(folder: Path, names: Sequence[str], fingerprint: str) -> bool:
    """Write the index over this manifest's shards and older ones; remove superseded files.

    Parts with clips that no shard holds stay, as those of another corpus whose shards are still
    being made; the result says whether there are any.
    """
    index: list[tuple[str, list[str]]] = []
    seen: set[str] = set()
    new = [f"{name}{SUFFIX}" for name in names]
    others = sorted(p.name for p in folder.glob(f"[!.]*{SUFFIX}") if p.name not in set(new))
    superseded: list[Path] = []
    for name in (*new, *others):
        try:
            entries = Shard(folder / name).entries
        except EmollamaError:
            if name in new:
                raise
            entries = []
        ids = [entry.id for entry in entries if entry.id not in seen]
        seen.update(ids)
        if ids:
            index.append((name, ids))
        else:
            superseded.append(folder / name)
    write_index(folder, index)
    for path in superseded:
        path.unlink(missing_ok=True)
    parts = list((folder / PARTS).glob(f"[!.]*{SUFFIX}"))
    kept = {path for path in parts if _holds_more(path, fingerprint, seen)}
    if not kept:
        shutil.rmtree(folder / PARTS, ignore_errors=True)
    for path in set(parts) - kept:
        path.unlink(missing_ok=True)
    return bool(kept)


def _holds_more(part: Path, fingerprint: str, ids: set[str]) -> bool:
    """Whether a part can be used and has other clips than these."""
    try:
        shard = Shard(part)
    except EmollamaError:
        return False
    return shard.fingerprint == fingerprint and any(e.id not in ids for e in shard.entries)
