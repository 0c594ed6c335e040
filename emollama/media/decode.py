"""From a media file, or a span of one, to a `Clip`.

Times count from the file's own beginning (the earliest track's first time stamp), so picture and
sound stay in sync in files whose tracks begin late. Needs no ffmpeg program, only PyAV.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path

import av
import numpy as np
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.video.stream import VideoStream

from emollama.media.clip import MAX_SIDE, SAMPLE_RATE, Clip, Frames, MediaError
from emollama.media.container import (
    audio_stream,
    open_media,
    packet_seconds,
    promised_seconds,
    seek_before,
    time_zero,
    video_stream,
)
from emollama.media.cutting import Box
from emollama.media.packets import PacketTimes, pick_times
from emollama.media.pictures import decode_stills, is_still, picture_size, still_times
from emollama.media.sound import SoundTrack
from emollama.media.video import decode_frames

__all__ = ["SAMPLE_RATE", "Clip", "Frames", "MediaError", "decode_clip", "need_media"]

MAX_SECONDS = 60.0
"""Default limit on the length used of a long clip; an emotion lasts for seconds."""

_SEEK_FROM = 10.0  # seconds; a span that begins earlier is reached by reading on
_WARM_UP = 0.5  # seconds read before a span, so that lossy sound has settled at its start
_INTERLEAVING = 10.0  # seconds that one track may run ahead of another in a file
_SHORTFALL = 0.5  # seconds a file may be shorter than its header says without a note


def decode_clip(
    video: Path | None,
    audio: Path | None = None,
    *,
    start: float | None = None,
    end: float | None = None,
    frames: int = 8,
    opening: bool = False,
    max_side: int | None = MAX_SIDE,
    want_video: bool = True,
    want_audio: bool = True,
    max_seconds: float = MAX_SECONDS,
    fps: float | None = None,
    view: Box | None = None,
) -> Clip:
    """Decode a clip.

    Args:
        video: file with the frames, and with the voice where `audio` is None; it may hold sound
            only. A picture is a clip of one frame, a folder of numbered pictures a video.
        audio: file with the voice.
        start: seconds from the file's beginning; None for the beginning.
        end: seconds, exclusive; None for the end of the file.
        frames: number of frames, at the centres of as many equal parts of the video; a clip with
            fewer frames repeats them.
        opening: decode only the first frame of the span instead of `frames` spread over it.
        max_side: larger pictures are scaled down to this many pixels; None keeps every pixel as it
            is stored.
        want_video: False decodes no frames (`Clip.frames` is None).
        want_audio: False decodes no sound (`Clip.audio` is None).
        max_seconds: a longer span is cut to its first `max_seconds`, with a note.
        fps: frames a second of a folder of pictures; None for 25.
        view: the part of the upright picture that frames are cut to, before `max_side` counts.

    Raises:
        MediaError: a file is missing, unreadable, without any picture or sound, or the span
            lies outside it; `reason` says which.
    """
    low = start or 0.0
    if not 0 <= low < math.inf or (end is not None and not end > low):
        raise MediaError(f"{video or audio}: span {low:g}–{end} s is empty", "empty span")
    high = low + max_seconds if end is None else min(end, low + max_seconds)
    cut = end is None or end > high
    if video is None and audio is None:
        raise MediaError("a clip needs a video or an audio file", "missing")
    pictures = _Pictures(0 if opening else frames, max_side, view) if want_video else None
    wanted = _Wanted(low, high, pictures, want_audio, fps)
    if video is None or audio is None or video == audio:
        one = video or audio
        assert one is not None
        parts = [_read(one, wanted)]
    else:
        parts = [
            _read(video, replace(wanted, sound=False)),
            _read(audio, replace(wanted, pictures=None)),
        ]
    notes = [note for part in parts for note in part.notes]
    longest = max(part.length for part in parts)
    if cut and longest > high + 1e-3:
        notes.append(f"only {low:g}–{high:g} s of {longest:.1f} s are used")
    return Clip(
        frames=next((p.frames for p in parts if p.frames is not None), None),
        audio=next((p.audio for p in parts if p.audio is not None), None),
        duration=max(p.duration for p in parts),
        notes=tuple(dict.fromkeys(notes)),
        damaged=sum(part.damaged for part in parts),
    )


def need_media(path: Path) -> None:
    """Look at a clip's header; nothing is decoded.

    Raises:
        MediaError: it is missing, or neither a media file nor a picture nor a folder of frames.
    """
    if is_still(path):
        picture_size(path)
    else:
        open_media(path).close()


@dataclass(frozen=True)
class _Pictures:
    """The frames to decode: `count` spread over the span (0: its first one), and how."""

    count: int
    max_side: int | None
    view: Box | None


@dataclass(frozen=True)
class _Wanted:
    """What is wanted of [low, high) of a file; `pictures` None for no frames."""

    low: float
    high: float
    pictures: _Pictures | None
    sound: bool
    fps: float | None


@dataclass(frozen=True)
class _Part:
    """The decoded content of one file; `length` is the file's in seconds, if known."""

    frames: Frames | None
    audio: np.ndarray | None
    duration: float
    length: float
    notes: tuple[str, ...]
    damaged: int


def _read(path: Path, wanted: _Wanted) -> _Part:
    """Decode the span of one file."""
    if is_still(path):
        return _read_stills(path, wanted)
    low, high, pictures = wanted.low, wanted.high, wanted.pictures
    seek = low - _WARM_UP if low > _SEEK_FROM else None
    notes: list[str] = []
    with open_media(path) as container:
        picture, sound = video_stream(container, path), audio_stream(container)
        if picture is None and sound is None:
            raise MediaError(f"{path}: holds neither a video nor an audio track", "no streams")
        if pictures is not None and picture is None:
            notes.append("no video track")
        if wanted.sound and sound is None:
            notes.append("no audio track")
        zero, stated = time_zero(container), promised_seconds(container, path)
        if seek is not None:
            seek_before(container, seek + zero)
        packets, track = PacketTimes(), SoundTrack(zero)
        decoded_sound = sound if wanted.sound or picture is None else None
        ended = _demux(container, picture, decoded_sound, packets, track, high)
    actual = max(packets.end, track.end)
    if ended and stated is not None and actual < min(high, stated) - _SHORTFALL:
        notes.append(f"the file ends at {actual:.1f} s, but its header says {stated:.1f} s")
    length = actual if ended else max(actual, stated or 0.0)
    if actual <= low:
        if low == 0:
            raise MediaError(f"{path}: nothing in it can be decoded", "unreadable")
        raise _beyond(path, low, high, length)

    images, broken = None, track.damaged
    times = _times(packets, low, high, pictures.count) if pictures is not None else []
    if pictures is not None and times:
        images, more = decode_frames(path, packets, times, seek, pictures.max_side, pictures.view)
        broken += more
    if pictures is not None and picture is not None and images is None:
        notes.append("no picture can be decoded")
    heard = track.between(low, high) if wanted.sound else None
    if wanted.sound and sound is not None and heard is None:
        notes.append("no sound can be decoded")
    if broken:
        notes.append(f"{broken} damaged packets were skipped")
    asked = pictures is not None or wanted.sound
    if images is None and heard is None and asked and broken:
        raise MediaError(f"{path}: nothing in it can be decoded; it is damaged", "unreadable")
    if images is not None:
        images = Frames(images.images, images.times - low)
    return _Part(images, heard, min(high, actual) - low, length, tuple(notes), broken)


def _read_stills(path: Path, wanted: _Wanted) -> _Part:
    """`_read` of a picture or a folder of frames."""
    low, high, pictures = wanted.low, wanted.high, wanted.pictures
    packets = still_times(path, wanted.fps)
    if packets.end <= low:
        raise _beyond(path, low, high, packets.end)
    images = None
    if pictures is not None:
        times = _times(packets, low, high, pictures.count)
        images = decode_stills(path, packets, times, pictures.max_side, pictures.view)
        images = Frames(images.images, images.times - low)
    notes = ("no audio track",) if wanted.sound else ()
    return _Part(images, None, min(high, packets.end) - low, packets.end, notes, 0)


def _times(packets: PacketTimes, low: float, high: float, count: int) -> list[float]:
    """Times of the frames of [low, high) to decode; a `count` of 0 is its first frame."""
    shown = packets.within(low, high)
    if not shown:
        return []
    first, last = max(low, shown[0]), max(min(high, packets.end), shown[-1])
    return pick_times(shown, first, last, count) if count else shown[:1]


def _beyond(path: Path, low: float, high: float, length: float) -> MediaError:
    return MediaError(
        f"{path}: the span {low:g}–{high:g} s is beyond the end of the file ({length:.1f} s)",
        "empty span",
    )


def _demux(
    container: InputContainer,
    picture: VideoStream | None,
    sound: AudioStream | None,
    packets: PacketTimes,
    track: SoundTrack,
    high: float,
) -> bool:
    """Read packets up to `high`: pictures' times into `packets`, sound decoded into `track`.

    Returns whether the file's end was reached.
    """
    streams = [stream for stream in (picture, sound) if stream is not None]
    passed: set[int] = set()
    try:
        for packet in container.demux(*streams):
            if packet.size == 0 and packet.dts is None:
                # The empty packet behind the last one: what the decoder still holds comes out.
                if packet.stream is sound:
                    track.add(packet)
                continue
            time = packet_seconds(packet.stream, packet.dts)
            time = None if time is None else time - track.zero
            if time is not None and time >= high:
                passed.add(packet.stream.index)
                if len(passed) == len(streams) or time >= high + _INTERLEAVING:
                    return False
                if packet.stream is sound:
                    continue
            if packet.stream is sound:
                track.add(packet)
            else:
                packets.add(packet, track.zero)
    except (av.error.FFmpegError, OSError):
        # A file that was cut off: what came before the cut is used, and its end is noted.
        return True
    return True
