"""How fast a recording is analysed, where the time goes, and how much memory it takes.

python -m benchmarks.recordings.speed RECORDING [--minutes 60] [--model DIR] [--explain]
    [--no-transcribe] [--plot MEMORY.png]

Runs the analysis as `emollama analyse` does, in this process, with a clock around each stage. With
`--minutes`, the recording is first repeated to that length without being encoded anew. Times by the
clock mean something on a quiet machine only: the load is printed beside them. Processor seconds,
by which the stages are told, suffer less from what else runs.
"""

from __future__ import annotations

import argparse
import os
import resource
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import av
import psutil

from benchmarks.measure import show
from emollama.assets.people import model_or_shipped
from emollama.base.errors import one_line_errors
from emollama.base.repeating import repeating
from emollama.recording.analysis import Analyst, Options, tracks_of

STAGES = {
    "decoding blocks": ("emollama.recording.blocks", "decode_clip"),
    "faces, lips and cuts": ("emollama.recording.blocks", "read_picture"),
    "face vectors": ("emollama.recording.blocks", "with_looks"),
    "speech and loudness": ("emollama.recording.blocks", "read_voices"),
    "speaker vectors": ("emollama.recording.blocks", "with_vectors"),
    "words": ("emollama.recording.analysis", "hear"),
    "people and turns": ("emollama.recording.analysis", "find_people"),
    "segments": ("emollama.recording.analysis", "cut_segments"),
    "decoding and encoding segments": ("emollama.recording.answering.asking", "observe"),
    "answers": ("emollama.recording.answering.asking", "answer_segments"),
    "files and report": ("emollama.recording.analysis", "write_all"),
}
"""Of each stage: the module that calls it, and the name it calls it by."""

_EVERY = 1.0  # seconds between two looks at the memory


@contextmanager
def clocked(seconds: dict[str, float]) -> Iterator[None]:
    """Add up the processor seconds of each stage while the block runs."""
    kept: list[tuple[Any, str, Any]] = []
    for stage, (module, name) in STAGES.items():
        owner = import_module(module)
        kept.append((owner, name, getattr(owner, name)))
        setattr(owner, name, _timed(getattr(owner, name), stage, seconds))
    try:
        yield
    finally:
        for owner, name, function in kept:
            setattr(owner, name, function)


def _timed(
    function: Callable[..., Any], stage: str, seconds: dict[str, float]
) -> Callable[..., Any]:
    def run(*args: Any, **kwargs: Any) -> Any:
        # Beside the main thread, blocks are read at once, each in a thread of one core.
        main = threading.current_thread() is threading.main_thread()
        clock = time.process_time if main else time.thread_time
        started = clock()
        try:
            return function(*args, **kwargs)
        finally:
            seconds[stage] = seconds.get(stage, 0.0) + clock() - started

    return run


@contextmanager
def watched(memory: list[tuple[float, float]]) -> Iterator[None]:
    """Append (seconds, MB of this process) once a second while the block runs."""
    process, began = psutil.Process(), time.perf_counter()

    def look() -> None:
        used = process.memory_info().rss / 1e6
        memory.append((round(time.perf_counter() - began, 1), round(used, 1)))

    with repeating(_EVERY, look, "memory"):
        yield


def repeated(source: Path, target: Path, seconds: float) -> None:
    """The packets of a file again and again, until it lasts `seconds`."""
    with av.open(str(source)) as whole, av.open(str(target), "w") as out:
        streams = {s.index: out.add_stream_from_template(s) for s in whole.streams}
        # A coder's first packets lie before the beginning: they must not fall into the turn before.
        length = whole.duration / av.time_base + 0.25  # type: ignore[operator]
        for turn in range(int(-(-seconds // length))):
            whole.seek(0)
            for packet in whole.demux():
                if packet.dts is None or packet.pts is None:
                    continue
                shift = round(turn * length / float(packet.time_base))
                packet.dts, packet.pts = packet.dts + shift, packet.pts + shift
                packet.stream = streams[packet.stream.index]
                out.mux(packet)


def plot(memory: list[tuple[float, float]], path: Path) -> None:
    """Draw memory over time."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 3), layout="constrained")
    axes = figure.subplots()
    axes.plot([t / 60 for t, _ in memory], [used for _, used in memory])
    axes.set(xlabel="minutes of the run", ylabel="memory, MB", ylim=(0, None))
    figure.savefig(path, dpi=120)


def measure(recording: Path, options: Options) -> dict[str, Any]:
    """Analyse a recording into a folder that is thrown away, and tell what it took."""
    seconds: dict[str, float] = {}
    memory: list[tuple[float, float]] = []
    length = tracks_of(recording).end
    analyst = Analyst(options)
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder, clocked(seconds), watched(memory):
        started, before = time.perf_counter(), time.process_time()
        analyst.analyse(recording, Path(folder) / "out", recording.stem)
        took, used = time.perf_counter() - started, time.process_time() - before
    return {
        "recording": recording.name,
        "minutes": round(length / 60, 2),
        "seconds": round(took, 1),
        "times_real_time": round(length / took, 2),
        "processor_seconds": round(used, 1),
        "processor_seconds_a_second": round(used / length, 3),
        "stages": {name: round(value, 1) for name, value in seconds.items()},
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3),
        "load": [round(load, 2), round(os.getloadavg()[0], 2)],
        "memory": memory,
    }


@one_line_errors
def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("recording", type=Path)
    parser.add_argument("--minutes", type=float)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--explain", action="store_true")
    parser.add_argument("--no-transcribe", action="store_true")
    parser.add_argument("--plot", type=Path)
    a = parser.parse_args()
    options = Options(model_or_shipped(a.model), transcribe=not a.no_transcribe, reasons=a.explain)
    with tempfile.TemporaryDirectory() as folder:
        recording = a.recording
        if a.minutes:
            recording = Path(folder) / f"{a.recording.stem}.mkv"
            repeated(a.recording, recording, a.minutes * 60)
        found = measure(recording, options)
    memory = found.pop("memory")
    if a.plot:
        plot(memory, a.plot)
    stages = found.pop("stages")
    used = found["processor_seconds"]
    rest = used - sum(stages.values())
    rows = [
        {"stage": name, "processor seconds": value, "share": round(value / used, 3)}
        for name, value in (*stages.items(), ("the rest", round(rest, 1)))
    ]
    show(f"{found['recording']}: {found['times_real_time']} times real time", rows, **found)


if __name__ == "__main__":
    main()
