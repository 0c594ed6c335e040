"""Times of a video's frames, read from its packets without decoding them, and the choice of a few.

Demuxing costs a few microseconds a packet, so that the frames wanted are known before anything is
decoded, and headers that state no length, or a wrong one, do not matter.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field

import av
from av.video.stream import VideoStream

from emollama.media.container import packet_seconds


@dataclass
class PacketTimes:
    """Packet times of a video track, in decoding order; seconds from the file's zero."""

    times: list[float] = field(default_factory=list)
    keys: list[bool] = field(default_factory=list)
    shown: list[bool] = field(default_factory=list)
    end: float = 0.0

    def add(self, packet: av.Packet, zero: float) -> None:
        """Take one packet into account."""
        stamp = packet.pts if packet.pts is not None else packet.dts
        seconds = packet_seconds(packet.stream, stamp)
        time = (self.times[-1] if self.times else 0.0) if seconds is None else seconds - zero
        self.times.append(time)
        self.keys.append(packet.is_keyframe)
        self.shown.append(not packet.is_discard)
        self.end = max(self.end, time + _duration(packet))

    def within(self, start: float, end: float) -> list[float]:
        """Sorted times of the frames shown in [start, end).

        Where no frame begins in the span, the one shown at its start.
        """
        shown = sorted(t for t, s in zip(self.times, self.shown, strict=True) if s)
        inside = [t for t in shown if start - 1e-6 <= t < end]
        if not inside and self.end > start:
            inside = [t for t in shown if t < start][-1:]
        return inside


def _duration(packet: av.Packet) -> float:
    seconds = packet_seconds(packet.stream, packet.duration)
    if seconds:
        return seconds
    rate = packet.stream.average_rate if isinstance(packet.stream, VideoStream) else None
    return 1 / float(rate) if rate else 0.04


def pick_times(shown: list[float], start: float, end: float, count: int) -> list[float]:
    """The shown times nearest to the centres of `count` equal parts of [start, end).

    Fewer frames than `count` are repeated, so that there are always `count`.
    """
    picked = []
    for i in range(count):
        centre = start + (end - start) * (i + 0.5) / count
        right = bisect_left(shown, centre)
        nearest = min(shown[max(right - 1, 0) : right + 1], key=lambda t: abs(t - centre))
        picked.append(nearest)
    return picked
