"""The examination: reads every clip once, then judges them all together."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from emollama.base.files import write_json
from emollama.base.processors import processor_count
from emollama.base.progress import Bar, silent
from emollama.corpora.doctor.clips import Looked, clip_findings
from emollama.corpora.doctor.duplicates import media_duplicates, text_duplicates
from emollama.corpora.doctor.figure import draw_distributions
from emollama.corpora.doctor.findings import Finding, in_order
from emollama.corpora.doctor.labels import NO_SPLIT, label_counts, label_findings
from emollama.corpora.doctor.limits import Limits
from emollama.corpora.doctor.look import (
    FACE,
    MEDIA,
    Check,
    FaceFacts,
    Facts,
    MediaFacts,
    build_check,
    look_at,
)
from emollama.corpora.doctor.record import Record
from emollama.corpora.doctor.report import Report, split_facts
from emollama.corpora.doctor.splits import split_findings, split_names
from emollama.corpora.doctor.tracks import open_store, track_findings
from emollama.corpora.report import split_order
from emollama.manifest.sample import LineFault, Manifest, Sample, scan_manifest
from emollama.manifest.signature import signature
from emollama.workers.clip_pool import ClipPool
from emollama.workers.worker import Failure, Job, job_of

REPORT, PICTURE = "report.json", "distributions.png"
_BATCH = 8  # clips that a worker takes at a time


@dataclass(frozen=True)
class Examination:
    """A report, and the cost of making it.

    Attributes:
        report: the findings; also in `report.json`.
        looked: clips read in this run.
        kept: clips read in an earlier run.
        seconds: wall clock of reading clips.
    """

    report: Report
    looked: int
    kept: int
    seconds: float

    @property
    def rate(self) -> float:
        """Clips read per second."""
        return self.looked / self.seconds if self.seconds > 0 else 0.0


def examine(
    manifest: Path,
    out: Path,
    *,
    store: Path | None = None,
    faces: bool = True,
    limits: Limits | None = None,
    workers: int | None = None,
    retry_failed: bool = False,
    bar: Bar = silent,
    clip_seconds: float = 300.0,
    build: Callable[[str], Check] = build_check,
) -> Examination:
    """Check every clip of a manifest and write the findings.

    `out` gets `looks.jsonl` (facts, as they come in; a killed run resumes from there),
    `report.json` and `distributions.png`.

    Args:
        manifest: the file; its invalid lines are findings.
        out: folder of the report.
        store: feature store to check as well.
        faces: search for faces in clips that have a video.
        limits: thresholds of the findings; the defaults when None.
        workers: processes; None for one per CPU core.
        retry_failed: check clips again whose process died or hung.
        bar: shows progress through the clips, and then through the tracks.
        clip_seconds: a clip that takes longer fails.
        build: builds a check from its key in a worker; a module-level function.

    Raises:
        EmollamaError: the manifest's header or the store cannot be read, or `out` cannot be
            written.
    """
    limits = limits or Limits()
    faults: list[LineFault] = []
    corpus = scan_manifest(manifest, faults.append)
    features = None if store is None else open_store(store)
    began = time.monotonic()
    clips, looked = _look(
        corpus, out, faces, workers, retry_failed, bar, clip_seconds, build
    )  # fmt: skip
    seconds = time.monotonic() - began
    samples = corpus.samples
    counts = label_counts(samples, corpus.labels)
    findings = [
        *_line_findings(faults),
        *_named(corpus),
        *(() if features is not None else _nothing_usable(clips)),
        *(finding for clip in clips for finding in clip_findings(clip, limits)),
        *split_names(samples),
        *split_findings(clips),
        *media_duplicates(clips, limits),
        *text_duplicates(samples, limits),
        *label_findings(counts, limits),
    ]
    if features is not None:
        with bar("tracks") as advance:
            findings += track_findings(corpus, clips, features, limits, advance)
    report = Report(
        manifest=manifest,
        corpus=corpus.corpus,
        limits=limits,
        store=store,
        faces=faces,
        splits=split_facts(clips),
        labels=counts,
        findings=tuple(in_order(findings)),
    )
    write_json(out / REPORT, report.to_dict())
    lengths, unit = _lengths(clips)
    title = f"{corpus.corpus or manifest.stem}: {len(samples):,} samples"
    draw_distributions(out / PICTURE, title, counts, lengths, unit)
    return Examination(report, looked, sum(map(_has_media, samples)) - looked, seconds)


def _look(
    corpus: Manifest,
    out: Path,
    faces: bool,
    workers: int | None,
    retry_failed: bool,
    bar: Bar,
    clip_seconds: float,
    build: Callable[[str], Check],
) -> tuple[list[Looked], int]:
    """The clips in the manifest's order, and how many were read in this run."""
    faces = faces and any(sample.video is not None for sample in corpus.samples)
    keys = (MEDIA, FACE) if faces else (MEDIA,)
    fingerprints = {key: build(key).fingerprint for key in keys}
    signatures = {s.id: signature(corpus, s) for s in corpus.samples if _has_media(s)}
    with Record(out, fingerprints) as record:

        def is_known(sample: Sample, key: str) -> bool:
            facts = record.get(sample.id, signatures[sample.id], key)
            return facts is not None and not (retry_failed and isinstance(facts, Failure))

        jobs = []
        for sample in corpus.samples:
            wanted = keys if sample.video is not None else (MEDIA,)
            if _has_media(sample) and not all(is_known(sample, key) for key in wanted):
                open_keys = tuple(key for key in wanted if not is_known(sample, key))
                jobs.append(job_of(corpus, sample, open_keys))
        # Spans of one file go to one worker, which reads the file as a whole only once.
        jobs.sort(key=lambda job: (str(job.video or job.audio), job.start or 0.0))
        if jobs:
            with bar("clips") as advance:
                advance(0, len(jobs))
                done = 0
                for batch, outcomes in _results(jobs, fingerprints, workers, clip_seconds, build):
                    for job, outcome in zip(batch, outcomes, strict=True):
                        record.add(job.id, signatures[job.id], outcome)
                    done += len(batch)
                    advance(done, len(jobs))
        clips = [
            _looked(record, sample, signatures.get(sample.id), faces) for sample in corpus.samples
        ]
    return clips, len(jobs)


def _results(
    jobs: Sequence[Job],
    fingerprints: dict[str, str],
    workers: int | None,
    clip_seconds: float,
    build: Callable[[str], Check],
) -> Iterator[tuple[Sequence[Job], Sequence[dict[str, Facts | Failure]]]]:
    workers = processor_count() if workers is None else max(1, workers)
    size = max(1, min(_BATCH, len(jobs) // (4 * workers)))
    batches = (list(jobs[i : i + size]) for i in range(0, len(jobs), size))
    pool: ClipPool[Facts | Failure] = ClipPool(
        min(workers, -(-len(jobs) // size)), fingerprints, build, look_at, clip_seconds=clip_seconds
    )
    with pool:
        yield from pool.run(batches)


def _looked(record: Record, sample: Sample, mark: str | None, faces: bool) -> Looked:
    if mark is None:
        return Looked(sample, None, None)
    media = record.get(sample.id, mark, MEDIA)
    face = record.get(sample.id, mark, FACE) if faces and sample.video is not None else None
    assert isinstance(media, MediaFacts | Failure), "all clips were checked"
    assert isinstance(face, FaceFacts | Failure | None)
    return Looked(sample, media, face)


def _has_media(sample: Sample) -> bool:
    return sample.video is not None or sample.audio is not None


def _line_findings(faults: Iterable[LineFault]) -> Iterator[Finding]:
    for fault in faults:
        ids = () if fault.id is None else (fault.id,)
        yield Finding("id twice" if fault.twice else "invalid line", ids, fault.message)


def _named(corpus: Manifest) -> Iterator[Finding]:
    """Samples without media or text, and files that only training would open."""
    for sample in corpus.samples:
        frames = sample.targets.frames
        if not _has_media(sample) and not (sample.text or "").strip():
            yield Finding("empty sample", (sample.id,), "names no video, no audio and no text")
        if frames is not None and not corpus.media(frames).is_file():
            path = corpus.media(frames)
            yield Finding("missing", (sample.id,), f"{path}: does not exist (targets.frames)")


def _nothing_usable(clips: Sequence[Looked]) -> Iterator[Finding]:
    """A manifest that no model can read anything of; tracks of a store are judged on their own."""
    for clip in clips:
        sample = clip.sample
        if clip.files or (sample.text or "").strip() or sample.clues or sample.targets.frames:
            return
    told = f"none of {len(clips)} samples has a readable file, a text or clues"
    yield Finding("nothing usable", (), told)


def _lengths(clips: Sequence[Looked]) -> tuple[dict[str, list[float]], str]:
    """Lengths by split, in seconds; in words of the text if no clip names media."""
    unit = "s" if any(_has_media(clip.sample) for clip in clips) else "words"
    lengths: dict[str, list[float]] = {}
    for clip in clips:
        words = clip.sample.text.split() if clip.sample.text else None
        length = clip.seconds if unit == "s" else None if words is None else float(len(words))
        if length is not None:
            lengths.setdefault(clip.sample.split or NO_SPLIT, []).append(length)
    return {name: lengths[name] for name in sorted(lengths, key=split_order)}, unit
