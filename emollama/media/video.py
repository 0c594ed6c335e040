"""Chooses and decodes a few frames of a video track by presentation time.

The packets' times are read first (`packets`). Then only the groups of pictures that hold a wanted
frame are decoded.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import av
import numpy as np
from av.sidedata.sidedata import SideData, Type
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from emollama.media.clip import Frames
from emollama.media.container import (
    open_media,
    seconds_of,
    seek_before,
    time_zero,
    video_stream,
)
from emollama.media.cutting import Box, cut_to, scale_within
from emollama.media.packets import PacketTimes

_SPARE_PACKETS = 64  # read on behind the known ones when frames wanted are damaged


def decode_frames(
    path: Path,
    packets: PacketTimes,
    wanted: list[float],
    seek: float | None,
    max_side: int | None,
    view: Box | None = None,
) -> tuple[Frames | None, int]:
    """Decode the frames at the `wanted` times (sorted, seconds from the file's zero).

    Args:
        path: the file; it is opened anew.
        packets: the track's packet times, read after the same `seek`.
        wanted: presentation times out of `packets`.
        seek: seconds that were sought to before `packets` were read, or None.
        max_side: larger pictures are scaled down to this many pixels; None keeps every pixel as it
            is stored, also where pixels are not square.
        view: the part of the upright picture to cut out, which is then what `max_side` is of.

    Returns:
        The frames (None where nothing could be decoded) with times from the file's zero, and
        how many packets were damaged.
    """
    starts = [_group_start(packets, time) for time in wanted]
    best: list[_Shown | None] = [None] * len(wanted)
    settled = [False] * len(wanted)
    make = _Maker(len(wanted), max_side, view)
    damaged = 0
    with open_media(path) as container:
        stream = video_stream(container, path)
        assert stream is not None, "the track was there a moment ago"
        zero = time_zero(container)
        if seek is not None:
            seek_before(container, seek + zero)

        def take(frames: list[VideoFrame]) -> None:
            for frame in frames:
                if frame.pts is None or (base := frame.time_base) is None:
                    continue
                time = seconds_of(frame.pts, base) - zero
                shown = _Shown(time, frame)
                for i, target in enumerate(wanted):
                    if settled[i]:
                        continue
                    old = best[i]
                    if old is None or abs(time - target) < abs(old.time - target):
                        old = best[i] = shown
                    settled[i] = time >= target - 1e-6
                    if settled[i]:  # made at once: a long span holds more frames than memory does
                        make.put(i, old, stream)

        decoding = False
        index = -1
        try:
            for packet in container.demux(stream):
                index += 1
                needed = any(
                    not done and first <= index for done, first in zip(settled, starts, strict=True)
                )
                if needed and not decoding and index > 0:
                    stream.codec_context.flush_buffers()
                decoding = needed
                if needed:
                    try:
                        take([f for f in packet.decode() if isinstance(f, VideoFrame)])
                    except av.error.InvalidDataError:
                        damaged += 1
                if all(settled) or index > len(packets.times) + _SPARE_PACKETS:
                    break
        except av.error.FFmpegError:
            damaged += 1
    found = [b for b in best if b is not None]
    if not found:
        return None, damaged
    # A target that nothing was decoded for (damage) takes the nearest frame there is.
    chosen = [
        b if b is not None else min(found, key=lambda f: abs(f.time - target))
        for b, target in zip(best, wanted, strict=True)
    ]
    for i, (one, done) in enumerate(zip(chosen, settled, strict=True)):
        if not done:
            make.put(i, one, stream)
    return Frames(make.images, np.array([one.time for one in chosen], np.float64)), damaged


def _group_start(packets: PacketTimes, time: float) -> int:
    """Index of the packet to begin decoding at so that the frame at `time` comes out whole.

    The last key frame shown no later than `time`; pictures that follow a key frame in the file
    but are shown before it may lean on the group before, hence 'shown' and not 'stored'.
    """
    first = 0
    for index, (shown, key) in enumerate(zip(packets.times, packets.keys, strict=True)):
        if key and shown <= time + 1e-6:
            first = index
    return first


@dataclass
class _Shown:
    """A decoded frame that may be wanted, and its time; `row` of its picture once that is made."""

    time: float
    frame: VideoFrame | None
    row: int | None = None


@dataclass
class _Maker:
    """Makes `count` upright pictures of one size, cut to a view, of decoded frames."""

    count: int
    max_side: int | None
    view: Box | None
    images: np.ndarray = field(default_factory=lambda: np.zeros((0, 0, 0, 3), np.uint8))
    _turned: tuple[int, np.ndarray | None] | None = None
    _size: tuple[int, int] | None = None
    _shape: tuple[int, ...] | None = None

    def put(self, row: int, shown: _Shown, stream: VideoStream) -> None:
        """Have `images[row]` show a frame."""
        if shown.row is None:
            assert shown.frame is not None, "a frame stays until its picture is made"
            image = self._made(shown.frame, stream)
            if not len(self.images):
                self.images = np.empty((self.count, *image.shape), np.uint8)
            self.images[row] = image
            shown.row, shown.frame = row, None
        else:
            self.images[row] = self.images[shown.row]

    def _made(self, frame: VideoFrame, stream: VideoStream) -> np.ndarray:
        # A frame whose side data was read lives on until Python looks for cycles, with megabytes of
        # picture: it is read again only where the rotation changes.
        if self._turned is None or self._turned[0] != frame.rotation:
            self._turned = frame.rotation, _matrix(frame)
        matrix = self._turned[1]
        self._size = self._size or _size(frame, stream, self.max_side, self.view, matrix)
        scaled = frame.reformat(*self._size, format="rgb24", interpolation="AREA")
        whole = upright(scaled.to_ndarray(), matrix)
        # A rotation that changes within a file would change the shape: keep the first's.
        self._shape = self._shape or whole.shape
        if whole.shape != self._shape:
            whole = np.ascontiguousarray(np.rot90(whole))
        return cut_to(whole, self.view)


def _size(
    frame: VideoFrame,
    stream: VideoStream,
    max_side: int | None,
    view: Box | None,
    matrix: np.ndarray | None,
) -> tuple[int, int]:
    """Width and height to scale to: square pixels, no side above `max_side`, never enlarged.

    It is the picture as stored; the sides that count are those of the `view` once it is upright.
    """
    if max_side is None:
        return frame.width, frame.height
    ratio = stream.sample_aspect_ratio
    stretch = float(ratio) if ratio and 0.2 < ratio < 5 else 1.0
    width, height = frame.width * stretch, float(frame.height)
    shown = (height, width) if _lies(matrix) else (width, height)
    scale = scale_within(*shown, max_side, view)
    return max(1, round(width * scale)), max(1, round(height * scale))


def _matrix(frame: VideoFrame) -> np.ndarray | None:
    """The display matrix [[a, b], [c, d]] of a frame, or None where it has none."""
    try:
        beside = list(frame.side_data)
    except ValueError:
        # A kind of side data that PyAV has no name for hides all of it but the rotation.
        return _turn(frame.rotation)
    for data in beside:
        if isinstance(data, SideData) and data.type == Type.DISPLAYMATRIX:
            numbers = np.frombuffer(bytes(data), "<i4")
            if len(numbers) == 9:
                return numbers[[0, 1, 3, 4]].reshape(2, 2)
    return None


def _turn(degrees: int) -> np.ndarray | None:
    """The display matrix of a rotation counter-clockwise; other angles go to the nearest turn."""
    quarter = round(degrees / 90) % 4
    cosine, sine = ((1, 0), (0, 1), (-1, 0), (0, -1))[quarter]
    return np.array([[cosine, -sine], [sine, cosine]]) if quarter else None


def _lies(matrix: np.ndarray | None) -> bool:
    """Whether a display matrix turns columns into rows."""
    if matrix is None:
        return False
    (a, b), (c, d) = np.abs(matrix).tolist()
    return bool(a + d < b + c)


def upright(image: np.ndarray, matrix: np.ndarray | None) -> np.ndarray:
    """Apply a display matrix in quarter turns and mirrorings; [H, W, 3] in and out.

    A pixel (x, y) is shown at (a·x + c·y, b·x + d·y); other angles go to the nearest turn.
    """
    if matrix is None:
        return image
    (a, b), (c, d) = matrix.tolist()
    if not _lies(matrix):
        mirrored = (a < 0, d < 0)
    else:
        image, mirrored = image.transpose(1, 0, 2), (c < 0, b < 0)
    if mirrored[0]:
        image = image[:, ::-1]
    if mirrored[1]:
        image = image[::-1]
    return np.ascontiguousarray(image)
