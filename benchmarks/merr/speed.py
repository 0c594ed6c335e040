"""Speed of the measured stages of `merr`: clips a second, and which tool takes the time.

python -m benchmarks.merr.speed CLIPS [--clips 60] [--workers 0] [--landmarker face_landmarker.task]

CLIPS is a folder or a manifest. First each tool on one core with one thread (processor seconds a
clip, which a loaded machine does not stretch as it does the clock), then the stages themselves
with processes in parallel: units and voice at 5 faces a second, then transcripts. The rate counts
the start of the processes, some seconds whatever the corpus.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import torch

from benchmarks.measure import show
from emollama.merr.build import Build
from emollama.merr.clips import find_clips
from emollama.merr.measure.readers import BlendshapeReader
from emollama.merr.measure.stage import list_clips, measure
from emollama.merr.measure.tools import TRANSCRIPT, UNITS, VOICE, UnitsTool, View, build_tool
from emollama.merr.settings import FacesSection, Settings, TranscriptSection
from emollama.workers.worker import Job

STAGES = {"units (faces at 5 a second)": UNITS, "voice": VOICE, "transcript": TRANSCRIPT}
TIMED = 12
"""Clips that the tools are timed on."""


def tools(jobs: list[Job], settings: Settings) -> list[dict[str, object]]:
    """Processor seconds a clip of decoding and of each tool, on one thread."""
    torch.set_num_threads(1)
    made = {name: build_tool(name, settings) for name in STAGES.values()}
    warm = View(jobs[0], settings)
    for tool in made.values():
        tool.look(warm)  # weights are loaded here
    spent = dict.fromkeys(("decoding", *STAGES), 0.0)
    for job in jobs:
        view = View(job, settings)
        began = time.process_time()
        _ = view.clip
        spent["decoding"] += time.process_time() - began
        for about, name in STAGES.items():
            began = time.process_time()
            made[name].look(view)
            spent[about] += time.process_time() - began
    if isinstance(units := made[UNITS], UnitsTool) and isinstance(units.reader, BlendshapeReader):
        units.reader.close()
    rows: list[dict[str, object]] = []
    so_far = 0.0
    for about, seconds in spent.items():
        so_far += seconds / len(jobs)
        rows.append({
            "tool": about, "ms_a_clip": round(1000 * seconds / len(jobs), 1),
            "clips_a_second_on_2_cores_up_to_here": round(2 / so_far, 2),
        })  # fmt: skip
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("source", type=Path)
    parser.add_argument("--clips", type=int, default=60)
    parser.add_argument("--workers", type=int, default=0)
    parser.add_argument("--landmarker", type=Path)
    parser.add_argument("--tools-only", action="store_true")
    options = parser.parse_args()
    settings = Settings(
        workers=options.workers,
        faces=FacesSection(landmarker=options.landmarker),
        transcript=TranscriptSection(source="whisper"),
    )
    clips = find_clips(options.source)[: options.clips]
    keys = tuple(STAGES.values())
    jobs = [Job(c.id, c.video, c.audio, c.start, c.end, None, keys) for c in clips[:TIMED]]
    rows = tools(jobs, settings)
    rates = {}
    if not options.tools_only:
        with tempfile.TemporaryDirectory() as folder:
            links = Path(folder) / "clips"
            links.mkdir()
            for clip in clips:
                if clip.video is not None:
                    (links / f"{clip.id}{clip.video.suffix}").symlink_to(clip.video.resolve())
            build = Build(Path(folder) / "out", settings, links)
            list_clips(build)
            for what, names in (("measured", (UNITS, VOICE)), ("transcribed", (TRANSCRIPT,))):
                began = time.monotonic()
                measure(build, names)
                rates[f"{what}_clips_a_second"] = round(len(clips) / (time.monotonic() - began), 2)
    show("merr", rows, clips=len(clips), backend=settings.faces.backend, **rates)


if __name__ == "__main__":
    main()
