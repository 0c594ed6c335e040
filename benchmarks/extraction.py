"""Feature extraction of probe clips: clips a second, and which stage takes the time.

python -m benchmarks.extraction [--clips 120] [--manifest runs/probe/manifest.jsonl] [--workers 0]
                                [--quick]

First the stages one after the other on one core, with one thread, over some of the clips: what a
worker process does. Then `extract` itself with all embedded encoders into a new store: its rate
with the start of the workers (a few seconds, whatever the corpus) and from the first batch on.
Without `--manifest` a probe corpus is made first (not counted). `--quick` takes 10 clips.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from benchmarks.measure import show
from emollama.encoders.base import Encoder
from emollama.encoders.table import parse_encoder
from emollama.features.extract import extract
from emollama.manifest.sample import Manifest, Sample, read_manifest
from emollama.media.clip import Clip
from emollama.media.decode import decode_clip
from emollama.probe import synthesize

ENCODERS = {
    "whisper-tiny.en": "voice states",
    "prosody": "prosody",
    "expression": "faces and expression",
}
STAGE_CLIPS = 24
"""Clips that the stages are timed on."""


def decode(manifest: Manifest, sample: Sample, frames: int) -> Clip:
    """A sample's clip as extraction decodes it."""
    video = None if sample.video is None else manifest.media(sample.video)
    audio = None if sample.audio is None else manifest.media(sample.audio)
    return decode_clip(video, audio, start=sample.start, end=sample.end, frames=frames)


def stages(
    manifest: Manifest, samples: Sequence[Sample], encoders: dict[str, Encoder]
) -> list[dict[str, Any]]:
    """Seconds a clip of each stage on one core, and its share."""
    torch.set_num_threads(1)
    frames = max(e.frames for e in encoders.values())
    first = decode(manifest, samples[0], frames)
    for encoder in encoders.values():
        encoder.encode([first])  # weights are loaded here, not in the measurement
    spent = dict.fromkeys(("decoding", *encoders), 0.0)
    for sample in samples:
        started = time.perf_counter()
        clip = decode(manifest, sample, frames)
        spent["decoding"] += time.perf_counter() - started
        for name, encoder in encoders.items():
            started = time.perf_counter()
            encoder.encode([clip])
            spent[name] += time.perf_counter() - started
    total = sum(spent.values())
    rows = [*spent.items(), ("all", total)]
    return [
        {
            "stage": name,
            "ms_a_clip": round(1000 * seconds / len(samples), 1),
            "share": f"{seconds / total:.0%}",
            "clips_a_second_a_core": round(len(samples) / seconds, 1),
        }
        for name, seconds in rows
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--clips", type=int, default=120)
    parser.add_argument("--manifest", type=Path, help="a manifest; a probe corpus when not given")
    parser.add_argument("--workers", type=int, default=0, help="processes; 0 for one a core")
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    wanted = 10 if options.quick else options.clips
    with tempfile.TemporaryDirectory() as folder:
        if options.manifest is None:
            manifest = synthesize(Path(folder) / "probe", max(wanted, 10), seed=7)
        else:
            manifest = read_manifest(options.manifest)
        samples = manifest.samples[:wanted]
        manifest = Manifest(manifest.path, manifest.corpus, manifest.labels, samples)
        encoders = {about: parse_encoder(name) for name, about in ENCODERS.items()}
        rows = stages(manifest, samples[: 3 if options.quick else STAGE_CLIPS], encoders)
        done: list[tuple[float, int]] = []
        report = extract(
            manifest,
            list(encoders.values()),
            Path(folder) / "store",
            workers=options.workers or None,
            progress=lambda clips, _: done.append((time.monotonic(), clips)),
        )
    first, last = next(mark for mark in done if mark[1]), done[-1]
    steady = (last[1] - first[1]) / max(last[0] - first[0], 1e-9)
    limit = max(rows[:-1], key=lambda row: float(row["ms_a_clip"]))
    show(
        "extraction",
        rows,
        clips=report.computed,
        failed=len(report.failures),
        seconds=round(report.seconds, 2),
        clips_a_second=round(report.rate, 2),
        clips_a_second_once_started=round(steady, 2),
        limited_by=limit["stage"],
    )
    print(
        f"extract: {report.computed} clips in {report.seconds:.1f} s, {report.rate:.1f} clips/s "
        f"({steady:.1f} once the workers run); "
        f"{limit['share']} of a core's time is {limit['stage']}"
    )


if __name__ == "__main__":
    main()
