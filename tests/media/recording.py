"""Real files for the decoding tests: moving grey levels that tell the time, and a tone."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from tests.media.vowels import vowels


def picture(seconds: float, width: int, height: int, corner: int = 250) -> np.ndarray:
    """Grey that brightens by 20 levels a second; the upper left quarter is white."""
    image = np.full((height, width, 3), 20 + round(20 * seconds) % 200, np.uint8)
    image[: height // 2, : width // 2] = corner
    return image


def record(
    path: Path,
    *,
    seconds: float = 3.0,
    fps: int = 25,
    size: tuple[int, int] = (64, 48),
    sound_rate: int | None = 16000,
    stereo: bool = False,
    video: bool = True,
    sound_from: float = 0.0,
    sound_to: float | None = None,
    video_from: float = 0.0,
    rotate: int = 0,
    gop: int = 12,
    container: str | None = None,
    options: dict[str, str] | None = None,
    sound_codec: str = "aac",
    voice: bool = False,
) -> Path:
    """Write a clip; the sound is a 400 Hz tone, from `sound_from` s to `sound_to` or the end.

    `voice` has it be vowels instead.
    """
    with av.open(str(path), "w", format=container, options=options or {}) as out:
        tracks = []
        if video:
            stream = out.add_stream("libx264", rate=fps, options={"bf": "2", "crf": "12"})
            stream.width, stream.height = size
            stream.pix_fmt = "yuv420p"
            stream.gop_size = gop
            stream.codec_context.thread_count = 1
            if rotate:
                stream.set_display_rotation(rotate)
            tracks.append(("video", stream))
        if sound_rate:
            layout = "stereo" if stereo else "mono"
            sound = out.add_stream(sound_codec, rate=sound_rate, layout=layout)
            tracks.append(("sound", sound))
        for kind, stream in tracks:
            if kind == "video":
                for i in range(round(seconds * fps)):
                    frame = av.VideoFrame.from_ndarray(picture(i / fps, *size), format="rgb24")
                    frame.pts = i + round(video_from * fps)
                    frame.time_base = Fraction(1, fps)
                    out.mux(stream.encode(frame))
            else:
                length = (sound_to or seconds) - sound_from
                t = np.arange(round(length * sound_rate)) / sound_rate
                tone = (
                    vowels(180, length, sound_rate)
                    if voice
                    else (0.5 * np.sin(2 * np.pi * 400 * t)).astype(np.float32)
                )
                tone = np.stack([tone, tone]) if stereo else tone[None]
                step = 1024
                for first in range(0, tone.shape[1], step):
                    piece = np.ascontiguousarray(tone[:, first : first + step])
                    frame = av.AudioFrame.from_ndarray(
                        piece, format="fltp", layout="stereo" if stereo else "mono"
                    )
                    frame.sample_rate = sound_rate
                    frame.pts = first + round(sound_from * sound_rate)
                    frame.time_base = Fraction(1, sound_rate)
                    out.mux(stream.encode(frame))
            out.mux(stream.encode(None))
    return path
