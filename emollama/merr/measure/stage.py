"""The measured stages: clips, units, voice and transcript, by processes in parallel.

Missing rows of a clip are computed together, so that it is decoded once.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from emollama.base.errors import EmollamaError
from emollama.base.files import file_sha256
from emollama.manifest.paths import path_in_manifest
from emollama.merr.build import Build, Counts, Item
from emollama.merr.clips import Source, find_clips
from emollama.merr.fill import settle
from emollama.merr.measure.readers import require_package
from emollama.merr.measure.tools import (
    CLIPS,
    TRANSCRIPT,
    UNITS,
    VOICE,
    Tool,
    build_tool,
    builder,
    look_at,
)
from emollama.merr.settings import Settings
from emollama.merr.stagefile import Row, StageFile, row_key
from emollama.workers.clip_pool import ClipPool
from emollama.workers.worker import Failure, Job

MEASURED = (UNITS, VOICE, TRANSCRIPT)
_BATCH = 4


@dataclass(frozen=True)
class _Wanted:
    """A clip, its rows' keys by stage, and which of them are missing."""

    index: int
    job: Job
    keys: dict[str, str]


def list_clips(build: Build) -> Counts:
    """Stage `clips`: find the media, hash and measure the files, report the bad ones.

    Runs in this process, since nothing is decoded.

    Raises:
        EmollamaError: no source was given, or it holds no clip.
    """
    if build.source is None:
        raise EmollamaError("stage 'clips' needs CLIPS, the folder or manifest of the clips")
    settings = build.settings
    sources = find_clips(build.source, settings.transcript.file, settings.speakers)
    build.out.mkdir(parents=True, exist_ok=True)
    # Paths in rows are relative to the build's folder, as a manifest in it would have them.
    beside = build.out / "manifest.jsonl"
    tool = build_tool(CLIPS, settings)

    def wanted() -> Iterator[_Wanted]:
        for index, source in enumerate(sources):
            key = row_key(CLIPS, 1, tool.fingerprint, *_identity(source, beside))
            yield _Wanted(index, _job(source), {CLIPS: key})

    began = time.monotonic()
    file = build.file(CLIPS)
    todo = [
        w for w in wanted()
        if build.mine(w.index) and _lacking(file, w.keys[CLIPS], settings.retry_failed)
    ]  # fmt: skip
    with build.bar("clips") as advance:
        for done, (one, source) in enumerate(((w, sources[w.index]) for w in todo), start=1):
            file.add(one.keys[CLIPS], _listed(source, one.job, tool, settings, beside))
            advance(done, len(todo))
    counts = settle(build, CLIPS, file, lambda: _places(wanted(), CLIPS))
    if build.first:
        build.log(CLIPS, time.monotonic() - began, computed=len(todo))
        build.echo(counts.line(CLIPS))
    return counts


def measure(build: Build, names: Sequence[str] = MEASURED) -> dict[str, Counts]:
    """Stages `units`, `voice` and `transcript`, or some of them.

    Raises:
        EmollamaError: invalid settings of a tool, or the clips have not been listed.
    """
    if UNITS in names and build.settings.faces.backend == "mediapipe":
        require_package()
    began = time.monotonic()
    make = builder(build.settings)
    prints = {name: make(name).fingerprint for name in names}
    files = {name: build.file(name) for name in names}
    by_id: dict[str, dict[str, str]] = {}
    total = sum(1 for _ in _jobs(build, prints, files, {}))
    workers = max(1, min(build.workers, -(-total // _BATCH)))
    if total:
        pool: ClipPool[Row] = ClipPool(
            workers, prints, make, partial(look_at, settings=build.settings),
            clip_seconds=build.settings.clip_seconds,
        )  # fmt: skip
        size = max(1, min(_BATCH, total // (2 * workers)))
        with build.bar("clips") as advance, pool:
            advance(0, total)
            done = 0
            for jobs, outcomes in pool.run(_batches(_jobs(build, prints, files, by_id), size)):
                for job, rows in zip(jobs, outcomes, strict=True):
                    keys = by_id.pop(job.id)
                    for name, row in rows.items():
                        files[name].add(keys[name], _row(row))
                done += len(jobs)
                advance(done, total)
    if build.first:
        build.log("+".join(names), time.monotonic() - began, computed=total, workers=workers)
    return {name: _settled(build, name, prints, files[name]) for name in names}


def merge_shards(build: Build, names: Sequence[str] = MEASURED) -> dict[str, Counts]:
    """Write the measured stages from the rows of the shards.

    Raises:
        EmollamaError: a clip has not been through a stage.
    """
    prints = {name: builder(build.settings)(name).fingerprint for name in names}
    return {name: _settled(build, name, prints, build.file(name)) for name in names}


def _settled(build: Build, name: str, prints: dict[str, str], file: StageFile) -> Counts:
    counts = settle(build, name, file, lambda: _places(_wanted(build, prints), name))
    if build.first:
        build.echo(counts.line(name))
    return counts


def _places(wanted: Iterator[_Wanted], name: str) -> Iterator[tuple[int, str, str]]:
    return ((one.index, one.job.id, one.keys[name]) for one in wanted)


def _wanted(build: Build, prints: dict[str, str]) -> Iterator[_Wanted]:
    """Listed clips and the keys of their measured rows."""
    openface = build.settings.faces.backend == "openface"
    for item in build.items(CLIPS):
        clip = item.rows[CLIPS]
        content = [str(clip["content"]), str(clip.get("start")), str(clip.get("end"))]
        if "view" in clip:
            content.append(str(clip["view"]))
        if "mute" in clip:
            content.append("mute")
        keys = {}
        for name, fingerprint in prints.items():
            more = [_given(build, item) or ""] if name == TRANSCRIPT else []
            if name == UNITS and openface:
                more = [_csv_hash(build, item)]
            keys[name] = row_key(name, 1, fingerprint, *content, *more)
        yield _Wanted(item.index, _item_job(build, item), keys)


def _jobs(
    build: Build,
    prints: dict[str, str],
    files: dict[str, StageFile],
    by_id: dict[str, dict[str, str]],
) -> Iterator[Job]:
    """Jobs for missing rows; of clips with the same content only the first."""
    retry = build.settings.retry_failed
    seen: set[str] = set()
    for one in _wanted(build, prints):
        if not build.mine(one.index):
            continue
        missing = tuple(
            name for name, key in one.keys.items()
            if key not in seen and _lacking(files[name], key, retry)
        )  # fmt: skip
        seen.update(one.keys.values())
        if missing:
            by_id[one.job.id] = one.keys
            yield Job(**{**vars(one.job), "keys": missing})


def _lacking(file: StageFile, key: str, retry: bool) -> bool:
    return key not in file or (retry and file.get(key)["status"] == "failed")


def _batches(jobs: Iterator[Job], size: int) -> Iterator[list[Job]]:
    batch: list[Job] = []
    for job in jobs:
        batch.append(job)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


def _row(outcome: Row | Failure) -> Row:
    if isinstance(outcome, Failure):
        return {"status": "failed", "reason": outcome.reason, "detail": outcome.detail}
    return outcome


def _listed(source: Source, job: Job, tool: Tool, settings: Settings, beside: Path) -> Row:
    if source.fault is not None:
        return {"status": "rejected", "reason": "unusable name", "detail": source.fault}
    (rows,) = look_at([job], {CLIPS: tool}, settings)
    return {**_handed_in(source, beside), **_row(rows[CLIPS])}


def _handed_in(source: Source, beside: Path) -> Row:
    """Facts about a clip, besides its files' content, for later stages."""
    row: Row = {}
    for name in ("video", "audio"):
        path = getattr(source, name)
        if path is not None:
            row[name] = path_in_manifest(path, beside)
    for name in ("start", "end", "text", "speaker", "face", "split", "view"):
        if (value := getattr(source, name)) is not None:
            row[name] = list(value) if name == "view" else value
    if source.mute:
        row["mute"] = True
    return row


def _identity(source: Source, beside: Path) -> list[str]:
    """Identifies the state of a clip: names, sizes and times of its files, and supplied data."""
    if source.fault is not None:
        return [source.id, source.fault]
    facts = [str(_handed_in(source, beside))]
    for path in (source.video, source.audio):
        try:
            status = path.stat() if path is not None else None
            facts.append(f"{status.st_size}:{status.st_mtime_ns}" if status else "")
        except OSError:
            facts.append("missing")
    return facts


def _job(source: Source) -> Job:
    return Job(
        source.id, source.video, source.audio, source.start, source.end, source.text, (CLIPS,),
        view=source.view, mute=source.mute,
    )  # fmt: skip


def _item_job(build: Build, item: Item) -> Job:
    clip = item.rows[CLIPS]
    video, audio = (
        build.media(clip[name]) if clip.get(name) else None for name in ("video", "audio")
    )
    start, end = clip.get("start"), clip.get("end")
    view = tuple(clip["view"]) if "view" in clip else None
    return Job(
        item.id, video, audio, start, end, _given(build, item), (), view=view,
        mute="mute" in clip,
    )  # fmt: skip


def _given(build: Build, item: Item) -> str | None:
    """The supplied transcript of a clip, if it is to be used."""
    text: str | None = item.rows[CLIPS].get("text")
    return text if build.settings.transcript.source in ("auto", "given") else None


def _csv_hash(build: Build, item: Item) -> str:
    folder = build.settings.faces.openface
    path = folder / f"{item.id}.csv" if folder is not None else None
    return file_sha256(path)[:20] if path is not None and path.is_file() else "missing"
