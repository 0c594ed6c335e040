"""Decodes clips in separate processes, with limits on time and memory.

It is not a `ProcessPool`: each request waits for its own answer, in a thread and with a time limit,
and a process that dies affects its own request only.

A decompression bomb or a crafted file fails its own request only: its process is killed and
replaced. Headers are read there too, since reading them is also parsing.
"""

from __future__ import annotations

import queue
import sys
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any, Literal

import numpy as np

from emollama.base.device import default_device
from emollama.base.errors import EmollamaError
from emollama.encoders.table import encoder_of
from emollama.fusion.data import raw_reading
from emollama.media.clip import SAMPLE_RATE, Clip, Frames
from emollama.media.container import header_seconds, open_media, video_stream
from emollama.media.cutting import Box
from emollama.media.lengths import track_lengths
from emollama.media.pictures import is_still, picture_size
from emollama.media.whispers import Whisper
from emollama.serving.refusal import Refusal
from emollama.serving.settings import Settings
from emollama.session.base import Session
from emollama.session.observation import Observation
from emollama.session.observing import Observer
from emollama.workers.process import RefusedError, Worker

_START_SECONDS = 300.0  # a machine under load takes long to import and to load weights
_PRELOAD = ["emollama.serving.decoders", "torch"]
_UNREADABLE = "this clip cannot be read: "


@dataclass(frozen=True)
class Recipe:
    """What a process needs to build its `Observer`, and the limits.

    Attributes:
        sources: of encoders, with their fingerprints.
        tools: keys of the readers of raw media.
        describe: whether clips are described.
        whisper: the transcriber.
        settings: the limits.
    """

    sources: Mapping[str, str]
    tools: tuple[str, ...]
    describe: bool
    whisper: Whisper
    settings: Settings


@dataclass(frozen=True)
class Job:
    """A job for one clip, or a span of it: check its headers only, analyse or hear it.

    `view` is the part of the picture to look at; None for all of it.
    """

    kind: Literal["inspect", "watch", "hear"]
    path: Path
    transcribe: bool = True
    start: float | None = None
    end: float | None = None
    view: Box | None = None


class DecoderPool:
    """Processes that analyse clips; the settings limit how many run at a time.

    Args:
        session: the session whose encoders they load.
        settings: limits.
    """

    def __init__(self, session: Session, settings: Settings) -> None:
        encoders = session.observer.encoders
        sources = {source: encoder.fingerprint for source, encoder in encoders.items()}
        # Keys are of no use to a process that handles strangers' files.
        plain = replace(settings, api_key=None, keys=())
        observer = session.observer
        self._recipe = Recipe(
            sources, tuple(observer.tools), observer.describe, observer.whisper, plain
        )
        self.settings = settings
        # Those that are started come first, the latest to work before the others.
        self._idle: queue.PriorityQueue[tuple[bool, int, Worker | None]] = queue.PriorityQueue()
        self._turn = count(0, -1)
        self._all: set[Worker] = set()
        self._lock = threading.Lock()
        self._closed = False
        for _ in range(settings.watchers):
            self._put(None)
        self.threads = ThreadPoolExecutor(settings.watchers, thread_name_prefix="decoders")

    @property
    def in_pairs(self) -> bool:
        """Whether `watch_and_hear` can be used: what is heard is told beside a description."""
        return self.settings.watchers > 1 and self._recipe.describe

    def start(self, wanted: int = 1) -> None:
        """Let there be so many processes, so that nobody waits and a failure to start shows."""
        taken: list[Worker | None] = []
        with suppress(queue.Empty):  # those that work have been started
            while True:
                taken.append(self._idle.get_nowait()[-1])
        missing = max(0, min(taken.count(None), wanted - len(self._all)))
        for process in sorted(taken, key=bool)[missing:]:
            self._put(process)
        for left in range(missing, 0, -1):
            try:
                self._put(self._start())
            except BaseException:
                for _ in range(left):
                    self._put(None)
                raise

    def inspect(self, path: Path, start: float | None = None, end: float | None = None) -> None:
        """Check a clip's headers and packets; outside the limits raise a `Refusal`.

        Of a span its own seconds count, not those of the file.
        """
        self._run(Job("inspect", path, start=start, end=end))

    def watch(
        self,
        path: Path,
        transcribe: bool = True,
        start: float | None = None,
        end: float | None = None,
        view: Box | None = None,
    ) -> Observation:
        """Decode and encode a clip, or a span of it; if that fails raise a `Refusal`."""
        found = self._run(Job("watch", path, transcribe, start, end, view))
        assert isinstance(found, Observation)
        return found

    def watch_and_hear(self, path: Path) -> Observation:
        """The same as `watch`, its words by a second process at the same time: for who waits."""
        with ThreadPoolExecutor(1, thread_name_prefix="hearing") as beside:
            hearing = beside.submit(self._run, Job("hear", path))
            seen = self.watch(path, transcribe=False)
            transcript, notes = hearing.result()
        seen = replace(seen, notes=(*seen.notes, *notes))
        return seen if transcript is None else seen.with_words(transcript)

    def close(self) -> None:
        """End the processes at once; their open jobs stay unanswered."""
        self._closed = True
        self.threads.shutdown(wait=False, cancel_futures=True)
        with self._lock:
            running = list(self._all)
        for process in running:
            process.process.kill()
        self.threads.shutdown(wait=True)
        with self._lock:
            running = list(self._all)
        for process in running:
            self._end(process)

    def _run(self, job: Job) -> Any:
        process = self._idle.get()[-1]
        try:
            for attempt in (1, 2):
                if process is None:
                    process = self._start()
                try:
                    process.send(job)
                    kind, value = process.receive(self.settings.watch_seconds)
                    break
                except TimeoutError:
                    self._end(process)
                    process = None
                    seconds = f"{self.settings.watch_seconds:g} s"
                    raise Refusal(
                        422, _UNREADABLE + f"it took longer than {seconds}", "file"
                    ) from None
                except EOFError:
                    self._end(process)
                    process = None
                    # It may have died while it had nothing to do: that is not this clip's fault.
                    if attempt == 2:
                        what = "the process that decoded it died"
                        raise Refusal(422, _UNREADABLE + what, "file") from None
        finally:
            self._put(process)
        if kind == "refused":
            raise Refusal(422, value, "file")
        if kind == "failed":
            raise RuntimeError(value)
        return value

    def _put(self, process: Worker | None) -> None:
        self._idle.put((process is None, next(self._turn), process))

    def _start(self) -> Worker:
        if self._closed:
            raise Refusal(503, "the server is shutting down")
        # The server decides what becomes of them, and still needs those that decode where a whole
        # group of processes is signalled.
        process = Worker(partial(_opened, self._recipe), _PRELOAD, shielded=True)
        with self._lock:
            self._all.add(process)
        try:
            process.receive(_START_SECONDS)
        except (TimeoutError, EOFError, RefusedError) as error:
            self._end(process)
            why = str(error)
            if isinstance(error, TimeoutError):
                why = f"their process was not ready after {_START_SECONDS:g} s"
            elif isinstance(error, EOFError):
                why = f"their process died while starting ({process.fate()})"
            raise EmollamaError(f"clips cannot be decoded: {why}") from error
        return process

    def _end(self, process: Worker | None) -> None:
        if process is not None:
            with self._lock:
                self._all.discard(process)
            process.end()


def _opened(recipe: Recipe) -> tuple[None, Callable[[Job], tuple[str, Any]]]:
    """In a process: answers jobs."""
    from emollama.base.quiet import quiet_libraries

    quiet_libraries()
    # Full-size encoders would take minutes a clip beside an accelerator that waits.
    device = str(default_device())
    observer = Observer(
        {s: encoder_of(s, f, device) for s, f in recipe.sources.items()},
        recipe.describe,
        {key: raw_reading.build(key) for key in recipe.tools},
        recipe.whisper,
    )
    warm_up(observer)
    limit_memory(recipe.settings.watch_memory)
    return None, lambda job: _done(observer, job, recipe.settings)


def _done(observer: Observer, job: Job, settings: Settings) -> tuple[str, Any]:
    try:
        if job.kind == "inspect":
            require_within(job.path, settings, job.start, job.end)
            return "done", None
        if job.kind == "hear":
            return "done", observer.hear(job.path)
        return "done", observer.watch(job.path, job.start, job.end, job.transcribe, view=job.view)
    except EmollamaError as error:
        # The path is the server's own; a client knows the clip by its id.
        return "refused", _UNREADABLE + str(error).replace(f"{job.path}: ", "")
    except MemoryError:
        return "refused", _UNREADABLE + "decoding it takes more memory than allowed"
    except Exception as error:
        if "memory" in str(error).lower():
            return "refused", _UNREADABLE + "decoding it takes more memory than allowed"
        return "failed", f"{type(error).__name__}: {error}"


def require_within(
    path: Path, settings: Settings, start: float | None = None, end: float | None = None
) -> None:
    """Check a clip's headers, then count its packets; nothing is decoded.

    `start` and `end` are of a span, whose length counts in place of the file's.

    Raises:
        EmollamaError: it is not a clip, or exceeds the limits on duration, size or frame rate.
    """
    if is_still(path):
        _require_side(picture_size(path), settings)
        return
    with open_media(path) as container:
        stated = header_seconds(container)
        if stated is not None:
            _require_seconds(stated, settings, start, end)
        picture = video_stream(container, path)
        if picture is not None:
            size = picture.codec_context.width, picture.codec_context.height
            _require_side(size, settings)
            if picture.average_rate is not None and picture.average_rate > settings.max_rate:
                raise _too_fast(float(picture.average_rate), settings)
    # Headers may say anything: the packets' own times count.
    found = track_lengths(path)
    if found.picture is None and found.sound is None:
        raise EmollamaError("it holds neither video nor sound")
    _require_seconds(found.end, settings, start, end)
    if found.picture is not None:
        rate = found.pictures / max(found.picture[1] - found.picture[0], 1.0)
        if rate > settings.max_rate:
            raise _too_fast(rate, settings)


def _require_side(size: tuple[int, int], settings: Settings) -> None:
    if max(size) > settings.max_side:
        raise EmollamaError(
            f"its picture is {size[0]} x {size[1]}; at most {settings.max_side} pixels a side are "
            "allowed"
        )


def _require_seconds(
    length: float, settings: Settings, start: float | None, end: float | None
) -> None:
    seconds = (length if end is None else min(length, end)) - (start or 0.0)
    if seconds > settings.max_seconds:
        raise EmollamaError(
            f"it lasts {seconds:.0f} s; a clip may last at most {settings.max_seconds:g} s: choose "
            "a part of it"
        )


def _too_fast(rate: float, settings: Settings) -> EmollamaError:
    return EmollamaError(f"it has {rate:.0f} frames a second; {settings.max_rate:g} are allowed")


def warm_up(observer: Observer) -> None:
    """Load all weights by encoding a second of noise and a grey picture."""
    sound = np.random.default_rng(0).normal(scale=0.01, size=SAMPLE_RATE).astype(np.float32)
    frames = Frames(np.full((2, 64, 64, 3), 128, np.uint8), np.array([0.25, 0.75]))
    observer.prepare(Clip(frames, sound, 1.0))


def limit_memory(extra: int) -> None:
    """Limit this process to so many bytes more than it has; no core dumps, no written files."""
    try:
        import resource
    except ImportError:  # on Windows
        print(
            "note: this system cannot limit a process's memory, so a clip may take "
            "more than --watch-memory",
            file=sys.stderr,
            flush=True,
        )
        return
    used = 0
    with suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmSize:"):
                used = int(line.split()[1]) * 1024
    if used:
        resource.setrlimit(resource.RLIMIT_AS, (used + extra, used + extra))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
