"""What a live session has sent and still needs: sound and pictures since somebody began to speak.

Nothing is decoded here: of pictures the headers are read, and they travel to the process that
decodes clips inside a container, with the sound.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

import av
import numpy as np

from emollama.media.clip import SAMPLE_RATE
from emollama.media.speech import Span, SpeechActivity
from emollama.media.speech_stream import SpeechStream, Utterances
from emollama.recording.segments import LONGEST
from emollama.serving.refusal import Refusal

MOST_BYTES = 256 << 10
"""Of a message."""
PAUSE = 0.5
"""Seconds without speech after which an utterance is over."""
_AROUND = 0.1  # seconds of sound kept before and behind it
_EVERY = 0.15  # seconds from one picture that is kept to the next
_MILLISECOND = Fraction(1, 1000)
_FRAME_HEADERS = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})  # of all kinds of JPEG


@dataclass(frozen=True)
class Picture:
    """A JPEG picture, by the sound that came before it.

    Attributes:
        time: seconds of sound before it.
        data: the file.
        size: width and height in pixels.
    """

    time: float
    data: bytes
    size: tuple[int, int]


@dataclass(frozen=True)
class Utterance:
    """What was sent while somebody spoke.

    Attributes:
        span: seconds from the session's beginning.
        sound: int16 [n] at 16 kHz.
        pictures: with times from the utterance's beginning.
    """

    span: Span
    sound: np.ndarray
    pictures: tuple[Picture, ...]

    def as_file(self) -> bytes:
        """A Matroska file; the pictures are in it as they came."""
        file = io.BytesIO()
        with av.open(file, "w", format="matroska") as container:
            voice = container.add_stream("pcm_s16le", rate=SAMPLE_RATE, layout="mono")
            if self.pictures:
                width, height = self.pictures[0].size
                seen = container.add_mux_stream("mjpeg", width=width, height=height)
            frame = av.AudioFrame.from_ndarray(self.sound[None], "s16", "mono")
            frame.sample_rate, frame.pts = SAMPLE_RATE, 0
            container.mux([*voice.encode(frame), *voice.encode(None)])
            for picture in self.pictures:
                packet = av.Packet(picture.data)
                packet.stream, packet.time_base, packet.is_keyframe = seen, _MILLISECOND, True
                packet.pts = packet.dts = round(picture.time * 1000)
                container.mux(packet)
        return file.getvalue()


class Incoming:
    """Sound and pictures as they come, cut into utterances.

    Args:
        activity: hears who speaks.
        most_side: pixels of a picture's longer side.
    """

    def __init__(self, activity: SpeechActivity, most_side: int) -> None:
        self._stream = SpeechStream(activity)
        self._utterances = Utterances(PAUSE, LONGEST)
        self._most_side = most_side
        self._sound = np.zeros(0, np.int16)  # from sample number `_first`
        self._first = 0
        self._pictures: list[Picture] = []

    @property
    def speaking(self) -> bool:
        """Whether somebody speaks, or has not been silent for long."""
        return self._utterances.start is not None

    @property
    def time(self) -> float:
        """Seconds of sound so far."""
        return (self._first + len(self._sound)) / SAMPLE_RATE

    def hear(self, data: bytes) -> Iterator[Utterance]:
        """Take sound, 16-bit samples in little endian; gives what is over by now.

        Raises:
            Refusal: half a sample.
        """
        if len(data) % 2:
            raise Refusal(422, "sound must be whole 16-bit samples: an even number of bytes")
        new = np.frombuffer(data, "<i2")
        self._sound = np.concatenate([self._sound, new])
        for chance in self._stream.chances(new.astype(np.float32) / 32768).tolist():
            span = self._utterances.hear(chance)
            if span is not None:
                yield self._cut(span)
        self._forget()

    def see(self, data: bytes) -> None:
        """Take a picture.

        Raises:
            Refusal: it is no JPEG picture, or a side is too long.
        """
        picture = Picture(self.time, data, jpeg_size(data))
        if max(picture.size) > self._most_side:
            raise Refusal(
                422, f"a picture of {picture.size[0]} x {picture.size[1]}; at most "
                f"{self._most_side} pixels a side are allowed",
            )  # fmt: skip
        if not self._pictures or picture.time - self._pictures[-1].time >= _EVERY:
            self._pictures.append(picture)

    def finish(self) -> Iterator[Utterance]:
        """What is open at the end of the session."""
        span = self._utterances.finish()
        if span is not None:
            yield self._cut(span)

    def _cut(self, span: Span) -> Utterance:
        first = self._first / SAMPLE_RATE
        span = Span(max(first, span.start - _AROUND), min(self.time, span.end + _AROUND))
        low, high = (round(t * SAMPLE_RATE) - self._first for t in (span.start, span.end))
        seen = _within(self._pictures, span)
        return Utterance(span, self._sound[low:high].copy(), seen)

    def _forget(self) -> None:
        """Drop what no utterance can begin with any more."""
        start = self._utterances.start
        since = max(0.0, (self._utterances.time if start is None else start) - _AROUND)
        old = round(since * SAMPLE_RATE) - self._first
        if old > 0:
            self._sound, self._first = self._sound[old:].copy(), self._first + old
        # The last one is kept, too: what is seen until the next.
        while len(self._pictures) > 1 and self._pictures[1].time <= since:
            del self._pictures[0]


def _within(pictures: Sequence[Picture], span: Span) -> tuple[Picture, ...]:
    """Those of a span, with times from its start; the one that is seen at its start is there."""
    inside = [p for p in pictures if p.time < span.end]
    before = [p for p in inside if p.time <= span.start][-1:]
    return tuple(
        Picture(max(0.0, p.time - span.start), p.data, p.size)
        for p in (*before, *(p for p in inside if p.time > span.start))
    )


def jpeg_size(data: bytes) -> tuple[int, int]:
    """Width and height of a JPEG picture, by its headers.

    Raises:
        Refusal: it is none, or says no size.
    """
    at = 2
    if data[:3] == b"\xff\xd8\xff":
        while at + 9 <= len(data) and data[at] == 0xFF:
            if data[at + 1] == 0xFF:  # filling
                at += 1
                continue
            if data[at + 1] in _FRAME_HEADERS:
                height, width = (int.from_bytes(data[at + i : at + i + 2]) for i in (5, 7))
                if width and height:
                    return width, height
                break
            at += 2 + max(2, int.from_bytes(data[at + 2 : at + 4]))
    raise Refusal(422, "a picture must be a JPEG file")
