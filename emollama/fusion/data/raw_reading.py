"""Raw input of samples from the manifest's media and text: decoded once, then kept in memory.

Clips are decoded in worker processes, so that one that kills or hangs its decoder is reported and
left out like any other unreadable clip.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from emollama.base import torchrun
from emollama.base.errors import EmollamaError
from emollama.base.processors import processor_count
from emollama.base.progress import bar
from emollama.fusion.configuration import ModalitySection
from emollama.fusion.data.raw_media import RawTrack, clip_fbank, clip_pieces, clip_thumbnails
from emollama.fusion.data.raw_table import RawTable
from emollama.fusion.data.tokenizing import load_tokenizer, text_ids
from emollama.manifest.channels import Channel
from emollama.manifest.sample import Manifest, Sample
from emollama.media.clip import MediaError
from emollama.media.decode import decode_clip
from emollama.media.presence import speaks
from emollama.workers.clip_pool import ClipPool
from emollama.workers.worker import Failure, Job, job_of, unforeseen

FEW = 16
"""Up to this many clips are decoded in this process, since workers take seconds to start."""
BATCH = 4
CLIP_SECONDS = 300.0

Outcome = RawTrack | Failure | None


@dataclass(frozen=True)
class MediaTool:
    """Reads one kind of raw media of a clip, in a worker process.

    Attributes:
        kind: "waveform", "frames" or "fbank".
        count: pictures per clip, out of `per_second` frames a second, `side` pixels wide and high.
    """

    kind: str
    count: int
    per_second: float
    side: int

    fingerprint = "raw-1"

    @classmethod
    def of(cls, section: ModalitySection) -> MediaTool:
        """The reader of a modality."""
        return cls(section.kind, section.count, section.per_second, section.side)

    @property
    def channel(self) -> Channel:
        """What it reads of a person."""
        return "face" if self.kind == "frames" else "voice"

    @property
    def key(self) -> str:
        """Identifies the reader in jobs; `build` creates it from this key."""
        return json.dumps([self.kind, self.count, self.per_second, self.side])

    def read(self, job: Job) -> RawTrack | None:
        """The clip's raw input; None without such a track, or where nobody speaks in its sound.

        Raises:
            MediaError: the file cannot be decoded.
        """
        if self.kind == "frames":
            if job.video is None:
                return None
            return clip_thumbnails(
                job.video, job.start, job.end, self.count, self.per_second, self.side, job.fps,
                job.view,
            )  # fmt: skip
        if job.mute:
            return None
        clip = decode_clip(
            job.video, job.audio, start=job.start, end=job.end, want_video=False
        )  # fmt: skip
        if clip.audio is None or not speaks(clip.audio):
            return None
        return clip_fbank(clip.audio) if self.kind == "fbank" else clip_pieces(clip.audio)


def build(key: str) -> MediaTool:
    """Create a reader from its key."""
    return MediaTool(*json.loads(key))


def read_clips(jobs: Sequence[Job], tools: dict[str, MediaTool]) -> list[dict[str, Outcome]]:
    """Run the readers of each job on its clip."""
    return [{key: _outcome(job, tools[key]) for key in job.keys} for job in jobs]


def _outcome(job: Job, tool: MediaTool) -> Outcome:
    if job.video is None and job.audio is None:
        return None
    try:
        return tool.read(job)
    except MediaError as error:
        return Failure(error.reason, str(error))
    except EmollamaError:
        raise
    except Exception as error:
        return unforeseen(tool.kind, error)


@dataclass(frozen=True)
class RawInput:
    """The raw modalities of samples.

    Attributes:
        tracks: by modality and id; None if a sample has none.
        failed: why samples could not be read, by id.
        notes: further remarks.
    """

    tracks: dict[str, dict[str, RawTrack | None]] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def table(self, section: ModalitySection, ids: Sequence[str]) -> RawTable:
        """The rows of a modality in the order of `ids`."""
        return RawTable(section, [self.tracks[section.name][i] for i in ids])


def read_raw(
    manifest: Manifest,
    samples: Sequence[Sample],
    sections: Sequence[ModalitySection],
    workers: int | None = None,
) -> RawInput:
    """Read the raw modalities among `sections`; a clip that cannot be decoded is in `failed`.

    Args:
        manifest: the manifest of the samples.
        samples: each is decoded once per modality.
        sections: the modalities; cached tracks are skipped.
        workers: processes; None for one per core of this machine's ranks, or none for a few clips.

    Raises:
        EmollamaError: a text encoder's folder has no tokenizer.
    """
    found = RawInput()
    notes = []
    for section in sections:
        if section.kind == "tokens":
            tokenizer = load_tokenizer(Path(section.source), f"modality '{section.name}'")
            made = {s.id: text_ids(tokenizer, s.text) for s in samples}
            found.tracks[section.name] = {i: track for i, (track, _) in made.items()}
            long = [i for i, (_, cut) in made.items() if cut]
            if long:
                notes.append(
                    f"modality '{section.name}': {len(long)} of {len(samples)} texts are cut to "
                    f"{tokenizer.model_max_length} tokens, e.g. {long[0]}"
                )
    media = {s.name: MediaTool.of(s) for s in sections if s.takes_media}
    if media:
        tools = {tool.key: tool for tool in media.values()}
        for name in media:
            found.tracks[name] = {}
        channels = {s.name: s.channel for s in sections}
        jobs = []
        for sample in samples:
            lacks = manifest.lacking(sample.id)
            keys = dict.fromkeys(t.key for n, t in media.items() if channels[n] not in lacks)
            jobs.append(job_of(manifest, sample, tuple(keys)))
        with bar("clips decoded") as advance:
            advance(0, len(jobs))
            for done, (job, outcomes) in enumerate(_decoded(jobs, tools, workers), start=1):
                for name, tool in media.items():
                    lacking = channels[name] in manifest.lacking(job.id)
                    outcome = None if lacking else outcomes[tool.key]
                    if isinstance(outcome, Failure):
                        found.failed.setdefault(job.id, f"{name}: {outcome.detail}")
                        outcome = None
                    found.tracks[name][job.id] = outcome
                advance(done, len(jobs))
    return RawInput(found.tracks, found.failed, tuple(notes))


def _decoded(
    jobs: Sequence[Job], tools: dict[str, MediaTool], workers: int | None
) -> Iterator[tuple[Job, dict[str, Outcome]]]:
    if workers is None:
        workers = 0 if len(jobs) <= FEW else processor_count(torchrun.local_world_size())
    batches = (list(jobs[at : at + BATCH]) for at in range(0, len(jobs), BATCH))
    fingerprints = {key: tool.fingerprint for key, tool in tools.items()}
    pool: ClipPool[RawTrack | None] = ClipPool(
        workers, fingerprints, build, read_clips, clip_seconds=CLIP_SECONDS
    )
    with pool:
        for done, outcomes in pool.run(batches):
            yield from zip(done, outcomes, strict=True)
