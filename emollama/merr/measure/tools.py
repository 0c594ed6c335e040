"""The tools of the measuring workers: each makes one row of a clip, which is decoded once."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Protocol

from emollama.base.errors import EmollamaError
from emollama.base.files import file_sha256
from emollama.encoders.prosody import COLUMNS, ProsodyEncoder
from emollama.media.clip import Clip, MediaError
from emollama.media.decode import decode_clip
from emollama.media.lengths import track_lengths
from emollama.media.pictures import frame_files
from emollama.merr.measure.frames import frames_wanted, number_at, picture_times
from emollama.merr.measure.openface import face_row, read_openface
from emollama.merr.measure.readers import BlendshapeReader, ExpressionReader, FaceReader
from emollama.merr.measure.transcriber import TranscriptRows
from emollama.merr.settings import Settings
from emollama.merr.stagefile import CLIPS as CLIPS
from emollama.merr.stagefile import Row
from emollama.workers.worker import Failure, Job, unforeseen

UNITS, VOICE, TRANSCRIPT = "units", "voice", "transcript"
_NO_SOUND = "no sound"


class View:
    """A clip that is decoded lazily, once for all tools."""

    def __init__(self, job: Job, settings: Settings) -> None:
        self.job, self._settings = job, settings

    @cached_property
    def shown(self) -> list[float]:
        """Times of all pictures of the span, from its start."""
        if self.job.video is None:
            return []
        start = self.job.start or 0.0
        high = start + self._settings.longest
        end = high if self.job.end is None else min(self.job.end, high)
        return picture_times(self.job.video, self.job.start, end)

    @cached_property
    def clip(self) -> Clip:
        """Pictures and sound, as far as a tool of this job needs them."""
        pictures = UNITS in self.job.keys and self._settings.faces.backend != "openface"
        seconds = self.shown[-1] + 0.04 if pictures and self.shown else 0.0
        return decode_clip(
            self.job.video,
            self.job.audio,
            start=self.job.start,
            end=self.job.end,
            frames=frames_wanted(seconds, self._settings.faces.per_second, len(self.shown)),
            want_video=pictures,
            want_audio=(VOICE in self.job.keys or TRANSCRIPT in self.job.keys)
            and not self.job.mute,
            max_seconds=self._settings.longest,
            view=self.job.view,
        )


class Tool(Protocol):
    """Makes the row of one stage."""

    @property
    def fingerprint(self) -> str:
        """A hash of everything its rows depend on besides the clip."""

    def look(self, view: View) -> Row:
        """The row of a clip; a faulty clip gives a row with status "rejected"."""


@dataclass
class ClipTool:
    """Hashes a clip's files and reads the lengths of their tracks."""

    settings: Settings

    @property
    def fingerprint(self) -> str:
        """A hash of its limits."""
        return f"3:{self.settings.shortest}:{self.settings.longest}"

    def look(self, view: View) -> Row:
        """Content hash, seconds, number of pictures, and whether there is sound.

        For a clip that is too long, the row has the span used.
        """
        job = view.job
        files = [p for p in (job.video, job.audio) if p is not None]
        hashes = [_content(path) for path in files]
        lengths = [track_lengths(p) for p in files]
        end = max(length.end for length in lengths)
        low = job.start or 0.0
        high = min(job.end if job.end is not None else end, end)
        row: Row = {
            "status": "ok",
            # Heard only, a file is another clip than seen and heard.
            "content": ("" if job.video else "sound:") + "+".join(h[:20] for h in hashes),
            "seconds": round(max(high - low, 0.0), 3),
            "pictures": len(view.shown),
            "sound": not job.mute and any(length.has_sound for length in lengths[-1:]),
        }
        longest = self.settings.longest
        if row["seconds"] > longest:  # what is trained on is what is described
            row.update(start=low, end=low + longest, seconds=longest)
        if row["seconds"] < self.settings.shortest:
            return {**row, "status": "rejected", "reason": "too short",
                    "detail": f"{row['seconds']:.2f} s"}  # fmt: skip
        return row


def _content(path: Path) -> str:
    """Hash of a file, or of all pictures of a folder; empty where neither is there."""
    if path.is_dir():
        joined = "".join(file_sha256(file) for file in frame_files(path))
        return hashlib.sha256(joined.encode()).hexdigest()
    return file_sha256(path) if path.is_file() else ""


class UnitsTool:
    """Facial signs over time."""

    def __init__(self, settings: Settings) -> None:
        faces = settings.faces
        self.backend, self._settings = faces.backend, settings
        self.reader: FaceReader | None = None
        if self.backend == "mediapipe":
            if faces.landmarker is None:
                raise EmollamaError("faces.source mediapipe needs faces.landmarker, the model file")
            self.reader = BlendshapeReader(faces.landmarker)
        elif self.backend == "expression":
            self.reader = ExpressionReader()
        elif faces.openface is None or not faces.openface.is_dir():
            raise EmollamaError(
                f"faces.openface: {faces.openface} is not a folder; give the folder of "
                "OpenFace's CSVs"
            )

    @property
    def fingerprint(self) -> str:
        """A hash of backend, weights, rate and limits."""
        inner = self.reader.fingerprint if self.reader is not None else "2"
        faces = self._settings.faces
        return f"{self.backend}:{inner}:{faces.per_second}:{self._settings.longest}"

    def look(self, view: View) -> Row:
        """See `face_row`."""
        if self.reader is None:
            folder = self._settings.faces.openface
            assert folder is not None, "checked at the start"
            try:
                return read_openface(
                    folder / f"{view.job.id}.csv", self._settings.longest, view.shown
                )
            except EmollamaError as error:
                return {"status": "rejected", "reason": "no usable CSV", "detail": str(error)}
        frames = view.clip.frames if view.job.video is not None else None
        if frames is None:
            return {"status": "rejected", "reason": "no picture", "detail": "no video track"}
        values, found = self.reader.read(frames.images)
        numbers = [number_at(view.shown, float(t)) for t in frames.times]
        return face_row(self.backend, self.reader.signs, numbers, frames.times, values, found)


class VoiceTool:
    """Prosody of the whole clip."""

    def __init__(self, settings: Settings) -> None:
        self._encoder = ProsodyEncoder()
        self.fingerprint = f"{self._encoder.fingerprint[:16]}:{settings.longest}"

    def look(self, view: View) -> Row:
        """The 18 prosody columns, or none without a voice."""
        track = self._encoder.encode([view.clip])[0]
        if track is None:
            return {"status": "ok", "prosody": None, "note": _NO_SOUND}
        values = track.values[0]
        return {
            "status": "ok",
            "prosody": {n: round(float(v), 4) for n, v in zip(COLUMNS, values, strict=True)},
        }


class TranscriptTool:
    """The transcript: supplied with the clip, or transcribed."""

    def __init__(self, settings: Settings) -> None:
        section = settings.transcript
        hears = section.source in ("auto", "whisper")
        self._transcriber = TranscriptRows(section.chosen) if hears else None
        self._longest = settings.longest

    @property
    def fingerprint(self) -> str:
        """A hash of the transcriber, if any, and of the length it transcribes."""
        return f"{self._transcriber.fingerprint}:{self._longest}" if self._transcriber else "given"

    def look(self, view: View) -> Row:
        """Text and its source."""
        if view.job.text:
            return {"status": "ok", "source": "given", "text": view.job.text}
        if self._transcriber is None:
            return {"status": "ok", "source": "given", "text": "", "note": "not given"}
        audio = view.clip.audio
        if audio is None:
            return {"status": "ok", "source": self._transcriber.whisper.title, "text": "",
                    "note": _NO_SOUND}  # fmt: skip
        return self._transcriber.row(audio)


def build_tool(name: str, settings: Settings) -> Tool:
    """The tool that makes the rows of stage `name`."""
    if name == CLIPS:
        return ClipTool(settings)
    if name == UNITS:
        return UnitsTool(settings)
    return VoiceTool(settings) if name == VOICE else TranscriptTool(settings)


def look_at(
    jobs: Sequence[Job], tools: dict[str, Tool], settings: Settings
) -> list[dict[str, Row | Failure]]:
    """Process a batch in a worker: decode each clip once, and make a row per tool.

    A clip that cannot be decoded is rejected with the decoder's reason; an unexpected error gives a
    row with status "failed", which `retry_failed` computes again.
    """
    outcomes: list[dict[str, Row | Failure]] = []
    for job in jobs:
        view = View(job, settings)
        rows: dict[str, Row | Failure] = {}
        for name in job.keys:
            try:
                rows[name] = tools[name].look(view)
            except MediaError as error:
                rows[name] = {"status": "rejected", "reason": error.reason,
                              "detail": _without_folder(str(error), job)}  # fmt: skip
            except EmollamaError:
                raise
            except Exception as error:
                rows[name] = unforeseen(name, error)
        outcomes.append(rows)
    return outcomes


def _without_folder(text: str, job: Job) -> str:
    """A message with file names without folders, so that rows do not depend on the folder."""
    for path in (job.video, job.audio):
        if path is not None:
            text = text.replace(str(path), Path(path).name)
    return text


Builder = Callable[[str], Tool]


def builder(settings: Settings) -> Builder:
    """`build_tool` with its settings, for workers."""
    return partial(build_tool, settings=settings)
