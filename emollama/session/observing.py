"""From a media file to an `Observation`: decode, encode, transcribe, describe.

It is independent of the answering model, so it can run in a separate process.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from emollama.base.errors import EmollamaError
from emollama.encoders.base import Encoder, FeatureTrack
from emollama.encoders.crops import FaceFinder, spread
from emollama.encoders.expression import CLASSES, ExpressionEncoder
from emollama.encoders.pitch import drawn_contour
from emollama.encoders.presence import NO_FACE, Absent, encode, why_absent
from emollama.encoders.prosody import Contour
from emollama.media.clip import SAMPLE_RATE, Clip
from emollama.media.cutting import Box
from emollama.media.decode import decode_clip
from emollama.media.presence import LEAST_SPEECH, speech_in
from emollama.media.transcript import Transcriber, Transcript
from emollama.media.whispers import Whisper
from emollama.scoring.reasons.sentences import adjective
from emollama.session.observation import (
    Measurement,
    Observation,
    Peak,
    Timeline,
    Track,
    not_transcribed,
    speaks,
)
from emollama.session.second_look import look_again
from emollama.session.several import at_once, pictures_of, several_people
from emollama.workers.worker import Job, View, clip_for, decode_views

if TYPE_CHECKING:
    from emollama.fusion.data.raw_reading import MediaTool

_MOMENTS = 8  # frames whose expression is put into words: those that the embedded default looks at
_STEP = 5  # contour frames of 10 ms to a point of the timeline
_CLEAR = 0.5  # probability from which an expression is named
_LOUDER, _HIGHER = 3.0, 2.0  # dB and semitones from the clip's own middle
_SPOKEN = 25.0  # dB below the clip's loud parts at which speech ends
_SILENCE = -70.0  # dB re full scale
_UNHEARD = "speech is not transcribed"
_AS_THE_REST = "as in the rest of the clip"

T = TypeVar("T")


@dataclass
class Observer:
    """Encoders of voice and face, the transcriber, and the models for the description.

    Args:
        encoders: by source.
        describe: False makes only the tracks, and the transcript if requested.
        tools: by source, the readers of raw sound and pictures.
        whisper: the transcriber that was chosen.
    """

    encoders: dict[str, Encoder] = field(default_factory=dict)
    describe: bool = True
    tools: Mapping[str, MediaTool] = field(default_factory=dict)
    whisper: Whisper = field(default_factory=Whisper)

    def transcribe_by(self, whisper: Whisper, wanted: bool = True) -> None:
        """Choose the transcriber; any but the embedded one is fetched now, if words are wanted."""
        self.whisper = whisper
        if wanted and not whisper.embedded:
            whisper.folder(lambda line: print(line, file=sys.stderr, flush=True))

    @cached_property
    def _faces(self) -> FaceFinder:
        return FaceFinder()

    @cached_property
    def _transcriber(self) -> Transcriber:
        return Transcriber.open(self.whisper)

    @cached_property
    def _expression(self) -> Encoder:
        own = ExpressionEncoder(_MOMENTS)
        return self.encoders.get(own.key, own)

    def watch(
        self,
        video: Path,
        start: float | None = None,
        end: float | None = None,
        transcribe: bool = True,
        voice: Path | None = None,
        view: Box | None = None,
        mute: bool = False,
    ) -> Observation:
        """Observe a clip, or a span of one; `voice` is the file of its sound, if another.

        `view` is the part of the picture to look at; `mute` leaves out the sound.

        A missing asset for the description is noted; the tracks are made in any case.

        Raises:
            MediaError: the file cannot be read.
            EmollamaError: an encoder's asset is not available.
        """
        began = time.monotonic()
        encoders = list(self.encoders.values())
        wanted = [*encoders, self._expression] if self.describe else encoders
        raw_voice = any(tool.channel == "voice" for tool in self.tools.values())
        listen = transcribe or self.describe or raw_voice
        job = Job("", video, voice, start, end, None, (), view=view, mute=mute)
        clips = decode_views(job, wanted, want_audio=listen)
        clip = next(iter(clips.values()))
        tracks: dict[str, FeatureTrack | None] = {}
        absent: dict[str, str] = {}
        longer: dict[str, Clip] = {}  # where a longer look found the face
        for source, encoder in self.encoders.items():
            (made,) = encode(encoder, [clip_for(encoder, clips)])
            if made == Absent(NO_FACE):
                again = look_again(job, encoder, self._faces)
                if not isinstance(again, Absent):
                    longer[source] = again[1]
                made = again if isinstance(again, Absent) else again[0]
            if isinstance(made, Absent):
                absent[encoder.channel] = made.reason
            tracks[source] = None if isinstance(made, Absent) else made
        raw = {source: tool.read(job) for source, tool in self.tools.items()}
        for channel in {self.tools[source].channel for source, t in raw.items() if t is None}:
            absent.setdefault(channel, why_absent(channel, clip))
        notes = list(clip.notes)
        transcript: Transcript | None = None
        speech = self._speech(clip, notes) if transcribe or self.describe else clip.speech_seconds
        if transcribe:
            transcript = _try(lambda: self._hear(clip), notes, _UNHEARD)
        if speaks(speech):
            absent["words"] = not_transcribed(speech)
        peak, timeline = None, _timeline(None, None)
        measurements: tuple[Measurement, ...] = ()
        if self.describe:
            seen = longer.get(self._expression.key) or clip_for(self._expression, clips)
            looked = _try(lambda: self._look(seen, tracks, job), notes, "faces are not described")
            track = None
            if isinstance(looked, Absent):
                absent.setdefault("face", looked.reason)
            elif looked is not None:
                track, seen = looked
            # What cannot be told is described.
            contour = _contour(clip) if speech is None or speech >= LEAST_SPEECH else None
            timeline = _timeline(track, contour)
            measurements = (*_voice_in_words(contour), *_face_in_words(timeline, clip.duration))
            if track is not None:
                peak = self._peak(seen, timeline)
        notes += self._several(wanted, clips, absent, job)
        found = Observation(
            clip.duration, {**tracks, **raw}, None, peak, timeline, measurements,
            tuple(dict.fromkeys(notes)), absent, None, self.whisper.title, speech,
        )  # fmt: skip
        if transcript is not None:
            found = found.with_words(transcript)
        return replace(found, took=time.monotonic() - began)

    def hear(self, video: Path) -> tuple[Transcript | None, tuple[str, ...]]:
        """What is said in a clip, and nothing else, with remarks where that cannot be told.

        Raises:
            MediaError: the file cannot be read.
        """
        clip, notes = decode_clip(video, want_video=False), list[str]()
        return _try(lambda: self._hear(clip), notes, _UNHEARD), tuple(notes)

    def prepare(self, clip: Clip) -> None:
        """Load all weights by observing a clip and discarding the result."""
        for encoder in self.encoders.values():
            encoder.encode([clip])
        _try(lambda: self._hear(clip), [], "")
        if self.describe:
            _try(lambda: self._expression.encode([clip]), [], "")

    def _hear(self, clip: Clip) -> Transcript:
        return Transcript() if clip.audio is None else self._transcriber.transcribe(clip.audio)

    def _speech(self, clip: Clip, notes: list[str]) -> float | None:
        """Seconds in which somebody speaks; None where that cannot be told."""
        audio = clip.audio
        if clip.speech_seconds is not None or audio is None:
            return clip.speech_seconds or 0.0
        return _try(lambda: speech_in(audio), notes, "speech is not detected")

    def _several(
        self, wanted: Sequence[Encoder], clips: dict[View, Clip], absent: Mapping[str, str],
        job: Job,
    ) -> list[str]:  # fmt: skip
        """Remarks on several people in the pictures."""
        face = next((e for e in wanted if e.channel == "face"), None)
        read = face is not None or any(tool.channel == "face" for tool in self.tools.values())
        # A view says who is meant; who else is in it matters where the face is read.
        if "face" in absent or (job.view is not None and not read):
            return []
        frames = pictures_of(job) if face is None else clip_for(face, clips).frames
        if frames is None or not len(frames.images):
            return []
        notes: list[str] = []
        found = _try(
            lambda: several_people(frames, self._faces, read), notes, "people are not counted"
        )
        return [*notes, *([] if found is None else [found])]

    def _look(
        self, clip: Clip, tracks: dict[str, FeatureTrack | None], job: Job
    ) -> tuple[FeatureTrack, Clip] | Absent | None:
        """The expressions and the frames they are of; None where the model looked in vain."""
        made = next((s for s, e in self.encoders.items() if e is self._expression), None)
        if made is not None:
            track = tracks[made]
            return None if track is None else (track, clip)
        (found,) = encode(self._expression, [clip])
        if found == Absent(NO_FACE):
            return look_again(job, self._expression, self._faces)
        return found if isinstance(found, Absent) else (found, clip)

    def _peak(self, clip: Clip, timeline: Timeline) -> Peak | None:
        shown = 1 - timeline.expressions[:, CLASSES.index("neutral")]
        if clip.frames is None or np.isnan(shown).all():
            return None
        at = int(np.nanargmax(shown))
        images, times = spread(clip.frames, _MOMENTS)
        faces = at_once(self._faces.find_all(images[at : at + 1])[0])
        if not faces:
            return None
        row = timeline.expressions[at].tolist()
        return Peak(
            float(times[at]), images[at], faces[0].box, dict(zip(CLASSES, row, strict=True)),
            len(faces), tuple(face.box for face in faces[1:]),
        )  # fmt: skip


def _try(make: Callable[[], T], notes: list[str], what: str) -> T | None:
    try:
        return make()
    except EmollamaError as error:
        notes.append(f"{what}: {error}")
        return None


def _contour(clip: Clip) -> Contour | None:
    if clip.audio is None or len(clip.audio) < SAMPLE_RATE // 20:
        return None
    contour = drawn_contour(clip.audio)
    return contour if contour.energy.max() >= _SILENCE else None


def _timeline(track: FeatureTrack | None, contour: Contour | None) -> Timeline:
    none = np.zeros(0)
    face_times, expressions = none, np.zeros((0, len(CLASSES)))
    if track is not None:
        columns = ExpressionEncoder.columns
        first = columns.index(f"probability {CLASSES[0]}")
        expressions = track.values[:, first : first + len(CLASSES)].astype(np.float64)
        expressions[track.values[:, columns.index("face found")] == 0] = np.nan
        face_times = track.times.astype(np.float64)
    voice = (none, none, none)
    if contour is not None:
        edges = range(0, len(contour.times), _STEP)
        parts = [slice(i, i + _STEP) for i in edges]
        voice = (
            np.array([contour.times[p].mean() for p in parts]),
            np.array([contour.energy[p].mean() for p in parts]),
            np.array([_pitch(contour.f0[p]) for p in parts]),
        )
    return Timeline(face_times, expressions, CLASSES, *voice)


def _pitch(f0: np.ndarray) -> float:
    voiced = f0[f0 > 0]
    return float(np.median(voiced)) if len(voiced) else float("nan")


def _face_in_words(timeline: Timeline, duration: float) -> list[Measurement]:
    """One entry for each run of equal expressions."""
    found: list[Measurement] = []
    times = timeline.face_times
    if not len(times):
        return found
    edges = np.concatenate([[0.0], (times[1:] + times[:-1]) / 2, [duration]])
    for i, row in enumerate(timeline.expressions):
        if np.isnan(row).any():
            words = "no face found"
        elif row.max() >= _CLEAR:
            words = f"face looks {adjective(timeline.classes[int(row.argmax())])}"
        else:
            first, second = (timeline.classes[j] for j in row.argsort()[::-1][:2])
            words = f"face between {first} and {second}"
        _add(found, Measurement(float(edges[i]), float(edges[i + 1]), "face", words))
    return found


def _voice_in_words(contour: Contour | None) -> list[Measurement]:
    """Differences of each second of the voice from the whole clip."""
    if contour is None:
        return []
    found: list[Measurement] = []
    floor = max(float(np.percentile(contour.energy, 95)) - _SPOKEN, _SILENCE)
    active = contour.energy > floor
    loudness = contour.energy[active].mean() if active.any() else 0.0
    voiced = contour.f0 > 0
    middle = np.log2(contour.f0[voiced]).mean() if voiced.any() else 0.0
    count = max(1, round(len(contour.times) / 100))
    edges = np.linspace(0, len(contour.times), count + 1).astype(int)
    for low, high in pairwise(edges):
        here, pitched = active[low:high], voiced[low:high]
        words: list[str] = []
        if here.mean() < 0.2:
            words.append("hardly any voice")
        else:
            words += _side(contour.energy[low:high][here].mean() - loudness, _LOUDER,
                           "louder", "quieter")  # fmt: skip
            if pitched.any():
                pitch = 12 * (np.log2(contour.f0[low:high][pitched]).mean() - middle)
                words += _side(pitch, _HIGHER, "higher pitch", "lower pitch")
        text = ", ".join(words) or _AS_THE_REST
        _add(found, Measurement(float(low) / 100, float(high) / 100, "voice", text))
    if [one.words for one in found] == [_AS_THE_REST]:
        return [replace(found[0], words="much the same throughout")]
    return found


def _side(value: float, limit: float, above: str, below: str) -> list[str]:
    return [above] if value > limit else [below] if value < -limit else []


def _add(found: list[Measurement], one: Measurement) -> None:
    """Join neighbouring measurements with the same words."""
    if found and found[-1].words == one.words:
        found[-1] = replace(found[-1], end=one.end)
    else:
        found.append(one)


def channel_encoders(encoders: dict[str, Encoder], words: bool) -> dict[str, Encoder]:
    """The encoders of words, or those of media."""
    return {s: e for s, e in encoders.items() if (e.channel == "words") == words}


def tracks_of(encoders: dict[str, Encoder], text: str | None) -> dict[str, Track | None]:
    """Tracks of the words by source, from text encoders."""
    clip = Clip(None, None, 0.0, text=text)
    return {source: encoder.encode([clip])[0] for source, encoder in encoders.items()}
