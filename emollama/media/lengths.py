"""The real length of a media file's tracks, read from packets without decoding them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np

from emollama.media.container import (
    audio_stream,
    open_media,
    promised_seconds,
    time_zero,
    video_stream,
)
from emollama.media.packets import PacketTimes
from emollama.media.pictures import is_still, still_times

Interval = tuple[float, float]
"""Start and end of a track, in seconds from the file's own beginning."""


@dataclass(frozen=True)
class TrackLengths:
    """The tracks of a file.

    Attributes:
        stated: length in seconds from the file's header; None where it has none.
        picture: the video track; None without one, or without packets.
        sound: the sound track, likewise.
        has_picture: whether the header lists a video track.
        has_sound: whether it lists a sound track.
        pictures: number of packets of the video track.
    """

    stated: float | None
    picture: Interval | None
    sound: Interval | None
    has_picture: bool
    has_sound: bool
    pictures: int

    @property
    def end(self) -> float:
        """End of the last track in seconds; 0 where no packet has a time."""
        return max((track[1] for track in (self.picture, self.sound) if track), default=0.0)


def track_lengths(path: Path, fps: float | None = None) -> TrackLengths:
    """Read every packet of a file's first video and sound track (a few microseconds each).

    A file that was cut off is measured up to the cut. `fps`: frames a second of a folder of frames.

    Raises:
        MediaError: the file is missing, empty, not a media file, or its picture is too large.
    """
    if is_still(path):
        frames = still_times(path, fps)
        return TrackLengths(None, _stretch(frames), None, True, False, len(frames.times))
    with open_media(path) as container:
        picture, sound = video_stream(container, path), audio_stream(container)
        stated, zero = promised_seconds(container, path), time_zero(container)
        streams = [stream for stream in (picture, sound) if stream is not None]
        # Packets of sound have times and lengths as those of pictures do.
        packets = {stream.index: PacketTimes() for stream in streams}
        try:
            for packet in container.demux(*streams) if streams else ():
                if packet.size > 0:
                    packets[packet.stream.index].add(packet, zero)
        except (av.error.FFmpegError, OSError):
            pass  # cut off: what came before the cut has been counted
        return TrackLengths(
            stated,
            _stretch(packets[picture.index]) if picture is not None else None,
            _stretch(packets[sound.index]) if sound is not None else None,
            picture is not None,
            sound is not None,
            len(packets[picture.index].times) if picture is not None else 0,
        )


def picture_packets(path: Path, fps: float | None = None) -> PacketTimes:
    """The times of all frames of a file; none where there is no video.

    Raises:
        MediaError: as `track_lengths` does.
    """
    if is_still(path):
        return still_times(path, fps)
    packets = PacketTimes()
    with open_media(path) as container:
        picture, zero = video_stream(container, path), time_zero(container)
        try:
            for packet in container.demux(picture) if picture is not None else ():
                if packet.size > 0:
                    packets.add(packet, zero)
        except (av.error.FFmpegError, OSError):
            pass  # cut off: what came before the cut has been counted
    return packets


def frame_times(
    path: Path,
    start: float | None = None,
    end: float | None = None,
    fps: float | None = None,
) -> np.ndarray:
    """Middle of the time that each frame of a file is shown: float64 [N], seconds from `start`.

    For a span, of the frames that appear in it. Steps of sound are centred in the same way. Read
    from the packets, without decoding; N is 0 where there is no video.

    Raises:
        MediaError: the file is missing, empty, not a media file, or its picture is too large.
    """
    low, high = start or 0.0, math.inf if end is None else end
    packets = picture_packets(path, fps)
    shown = sorted(t for t, s in zip(packets.times, packets.shown, strict=True) if s)
    # A frame stays until the next one appears, the last one to the end.
    times = np.array([*shown, max([packets.end, *shown[-1:]])])
    inside = (low - 1e-6 <= times[:-1]) & (times[:-1] < high)
    return ((times[:-1] + times[1:]) / 2 - low)[inside]


def _stretch(packets: PacketTimes) -> Interval | None:
    if not packets.times or packets.end <= 0:
        return None
    # Sound codecs put packets before the beginning to warm up; nobody hears those.
    return max(min(packets.times), 0.0), packets.end
