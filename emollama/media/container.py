"""Opens media files with PyAV: their tracks, and errors in one line."""

from __future__ import annotations

from fractions import Fraction
from io import SEEK_END
from pathlib import Path

import av
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.stream import Disposition, Stream
from av.video.stream import VideoStream

from emollama.base.paths import no_file
from emollama.media.clip import MediaError

_STREAMED = 0x7FFF0000  # bytes from which a WAV's header promises a length that nobody knew

MAX_SIDE_IN_FILE = 8192
"""Pixels; a larger picture in a header is refused before memory is allocated for it."""

# Only containers that hold their own data: playlists, devices and text renderers, which FFmpeg
# would also open under any file name, are left out, and nothing but the file itself is read.
_FORMATS = (
    "mov,mp4,m4a,3gp,3g2,mj2",
    "matroska,webm",
    *("avi", "flv", "asf", "mpeg", "mpegts", "ogg", "wav", "w64", "aiff", "flac", "mp3", "aac"),
    *("amr", "au", "caf", "ivf", "h264", "hevc", "m4v", "ac3", "eac3", "mxf", "dv", "nut", "gif"),
)
_OPTIONS = {"protocol_whitelist": "file", "format_whitelist": ",".join(_FORMATS)}


def open_media(path: Path) -> InputContainer:
    """Open a media file for reading; close it with a `with` block.

    Raises:
        MediaError: the file is missing, empty, or not a media file.
    """
    try:
        if not path.is_file():
            raise MediaError(
                f"{path}: {no_file(path)}; give a video, sound or picture file", "missing"
            )
        if path.stat().st_size == 0:
            raise MediaError(f"{path}: is empty (0 bytes)", "unreadable")
        return av.open(
            str(path), container_options=_OPTIONS, metadata_errors="replace", timeout=None
        )
    except (av.error.FFmpegError, OSError, ValueError) as error:
        raise MediaError(
            f"{path}: is not a readable media file ({describe(error)}); it may be cut "
            "off, damaged, or not video or audio at all",
            "unreadable",
        ) from error


def describe(error: Exception) -> str:
    """FFmpeg's own words for an error, without the path it adds."""
    return str(getattr(error, "strerror", None) or error or type(error).__name__)


def video_stream(container: InputContainer, path: Path) -> VideoStream | None:
    """The first video track; cover art of a sound file does not count.

    Raises:
        MediaError: the picture is larger than `MAX_SIDE_IN_FILE`.
    """
    for stream in container.streams.video:
        if stream.disposition & Disposition.attached_pic or stream.codec_context is None:
            continue
        width, height = stream.codec_context.width, stream.codec_context.height
        if max(width, height) > MAX_SIDE_IN_FILE:
            raise MediaError(
                f"{path}: its picture is {width}×{height}; at most {MAX_SIDE_IN_FILE} pixels a "
                "side are decoded",
                "too large",
            )
        # One thread: frames are small and several files are decoded side by side.
        stream.codec_context.thread_count = 1
        return stream
    return None


def audio_stream(container: InputContainer) -> AudioStream | None:
    """The first sound track that can be decoded."""
    for stream in container.streams.audio:
        if stream.codec_context is not None:
            stream.codec_context.thread_count = 1
            return stream
    return None


def time_zero(container: InputContainer) -> float:
    """The file's own start time in seconds; all reported times count from here."""
    if container.start_time is not None:
        return container.start_time / 1e6
    starts = [
        seconds_of(s.start_time, s.time_base)
        for s in container.streams
        if s.start_time is not None and s.time_base is not None
    ]
    return min(starts, default=0.0)


def header_seconds(container: InputContainer) -> float | None:
    """The length stated in the header, or None."""
    if container.duration is not None and container.duration > 0:
        return container.duration / 1e6
    lengths = [
        seconds_of(s.duration, s.time_base)
        for s in container.streams
        if s.duration is not None and s.duration > 0 and s.time_base is not None
    ]
    return max(lengths, default=None)


def promised_seconds(container: InputContainer, path: Path) -> float | None:
    """The length that a file has by its header, also where it was cut off; None without one."""
    seconds = header_seconds(container)
    if seconds is None or container.format.name != "wav":
        return seconds
    # Of a WAV that was cut off FFmpeg tells what is there, not what the header promises.
    try:
        with path.open("rb") as file:
            head, size = file.read(8), file.seek(0, SEEK_END)
    except OSError:  # it was removed meanwhile
        return seconds
    promised = int.from_bytes(head[4:], "little") + 8
    if head[:4] != b"RIFF" or promised > _STREAMED:
        return seconds
    return seconds * max(1.0, promised / size)


def seek_before(container: InputContainer, seconds: float) -> None:
    """Seek to a key frame at or before `seconds` on the file's own clock; stay if that fails."""
    try:
        container.seek(int(seconds * 1e6), backward=True)
    except (av.error.FFmpegError, OverflowError):
        return


def packet_seconds(stream: Stream, value: int | None) -> float | None:
    """A time stamp of a stream in seconds on the file's own clock."""
    base = stream.time_base  # a new fraction each time
    return None if value is None or base is None else seconds_of(value, base)


def seconds_of(stamp: int, base: Fraction) -> float:
    """A time stamp in seconds: float(stamp * base), without reducing the fraction first."""
    return stamp * base.numerator / base.denominator
