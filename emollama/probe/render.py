"""Renders a plan as an mp4: speech, a face that moves with it, grain, h264 and aac."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.audio.stream import AudioStream
from av.container import OutputContainer

from emollama.base.files import atomic_path
from emollama.probe.faces import SIZE, FacePainter
from emollama.probe.identity import make_identity
from emollama.probe.plan import ClipPlan
from emollama.probe.voice import Speaker

FPS = 25
MINIMUM_SECONDS, MAXIMUM_SECONDS = 2.0, 4.8
_GRAIN_TILES = 6
_AUDIO_FRAME = 1024
_H264 = {"crf": "24", "preset": "veryfast", "x264-params": "mbtree=0"}
"""Macroblock trees are off: with them x264's output differs from run to run."""


def render_clip(
    plan: ClipPlan, speaker: Speaker, path: Path, room: np.random.Generator | None = None
) -> None:
    """Render one clip to `path` atomically; about 3 seconds, 224 × 224, 25 frames a second.

    `room` draws the room tone, in place of the generator that also draws the movement.
    """
    generator = np.random.default_rng(plan.drawing)
    speech, rate = speaker.speak(plan.casting.voice, plan.casting.sentence.text, plan.prosody)
    sound = with_room_tone(room or generator, speech, rate)
    frames = _clip_frames(generator, plan, sound, rate)
    with atomic_path(path) as temporary:
        write_film(temporary, frames, sound, rate)


def with_room_tone(generator: np.random.Generator, speech: np.ndarray, rate: int) -> np.ndarray:
    """Speech with a quarter of a second of room tone around it."""
    before, after = (int(rate * s) for s in generator.uniform(0.2, 0.4, 2))
    after = max(after, int(rate * MINIMUM_SECONDS) - before - speech.size)
    sound = np.concatenate([np.zeros(before), speech, np.zeros(after)])
    sound = sound[: int(rate * MAXIMUM_SECONDS)]
    sound = sound + generator.normal(0, 10 ** generator.uniform(-3.4, -2.8), sound.size)
    return np.clip(sound, -1, 1).astype(np.float32)


def _clip_frames(
    generator: np.random.Generator, plan: ClipPlan, sound: np.ndarray, rate: int
) -> np.ndarray:
    """All frames of a clip, uint8 [N, 224, 224, 3]."""
    seconds = sound.size / rate
    times = frame_times(seconds)
    envelope = expression_envelope(generator, times, seconds)
    units = [{unit: apex * float(e) for unit, apex in plan.units.items()} for e in envelope]
    return draw_frames(generator, plan.casting.face, units, sound, rate)


def frame_times(seconds: float) -> np.ndarray:
    """Times [N] in seconds of the frames of a video of this length."""
    return np.arange(round(seconds * FPS)) / FPS


def draw_frames(
    generator: np.random.Generator,
    face: int,
    units: Sequence[Mapping[str, float]],
    sound: np.ndarray,
    rate: int,
) -> np.ndarray:
    """A face whose lips follow the sound, with blinks, head motion and grain.

    Args:
        generator: random generator of everything without emotion.
        face: number of the identity.
        units: action unit to intensity, for each frame.
        sound: [n] samples, `rate` a second.
        rate: see `sound`.

    Returns:
        uint8 [N, 224, 224, 3].
    """
    seconds = sound.size / rate
    opening = lip_opening(sound, rate, frame_times(seconds))
    return np.stack(list(drawn_frames(generator, face, units, opening, seconds)))


def drawn_frames(
    generator: np.random.Generator,
    face: int,
    units: Sequence[Mapping[str, float]],
    opening: np.ndarray,
    seconds: float,
    wanted: Iterable[int] | None = None,
) -> Iterator[np.ndarray]:
    """As `draw_frames`, one uint8 [224, 224, 3] after the other.

    Args:
        generator: see `draw_frames`.
        face: see `draw_frames`.
        units: see `draw_frames`.
        opening: float [N], how far speech opens the mouth in each frame, 0..1.
        seconds: length of the film.
        wanted: numbers of the frames to draw; None for all.
    """
    times = frame_times(seconds)
    painter = FacePainter(make_identity(face))
    blink = _blinks(generator, times, seconds)
    pose = np.stack(
        [_drift(generator, times, size) for size in (4.0, 3.0, 2.2, 0.02)], axis=1
    ) + generator.normal(0, (3.0, 2.5, 1.5, 0.03))
    gaze = np.stack([_drift(generator, times, size) for size in (2.4, 1.0)], axis=1)
    tiles = generator.normal(0, generator.uniform(2.0, 5.0), (_GRAIN_TILES, SIZE, SIZE, 1))
    tiles = np.rint(tiles).astype(np.int16)
    rolls = generator.integers(0, SIZE, (times.size, 2))
    for i in range(times.size) if wanted is None else wanted:
        drawn = painter.draw(
            units[i],
            speech=float(opening[i]),
            blink=float(blink[i]),
            gaze=(float(gaze[i, 0]), float(gaze[i, 1])),
            pose=(float(pose[i, 0]), float(pose[i, 1]), float(pose[i, 2]), 1 + float(pose[i, 3])),
        )
        grain = np.roll(tiles[i % _GRAIN_TILES], tuple(rolls[i]), axis=(0, 1))
        yield np.clip(drawn.astype(np.int16) + grain, 0, 255).astype(np.uint8)


def expression_envelope(
    generator: np.random.Generator, times: np.ndarray, seconds: float
) -> np.ndarray:
    """Onset, apex and offset of the expression, 0..1, with a little life at the apex."""
    start, rise = generator.uniform(0.0, 0.3), generator.uniform(0.25, 0.5)
    end, fall, rest = generator.uniform(0.0, 0.25), generator.uniform(0.3, 0.6), 0.35
    up = _smooth((times - start) / rise)
    down = rest + (1 - rest) * _smooth((seconds - end - times) / fall)
    return np.clip(up * down * (1 + _drift(generator, times, 0.06)), 0, 1)


def lip_opening(sound: np.ndarray, rate: int, times: np.ndarray) -> np.ndarray:
    """How far speech opens the mouth in each frame, from the sound's RMS around it, 0..1."""
    window = int(0.05 * rate)
    power = np.concatenate([[0.0], np.cumsum(sound.astype(np.float64) ** 2)])
    centre = (times * rate).astype(int)
    low, high = np.clip(centre - window, 0, sound.size), np.clip(centre + window, 0, sound.size)
    rms = np.sqrt((power[high] - power[low]) / np.maximum(high - low, 1))
    loud = float(np.percentile(rms, 95)) or 1.0
    return np.clip((rms / loud - 0.12) / 0.88, 0, 1)


def _blinks(generator: np.random.Generator, times: np.ndarray, seconds: float) -> np.ndarray:
    """How far the lids are shut in each frame; a blink takes a fifth of a second."""
    shut = np.zeros_like(times)
    at = generator.uniform(0.3, 2.0)
    while at < seconds:
        shut = np.maximum(shut, np.clip(1.15 - np.abs(times - at) / 0.09, 0, 1))
        at += generator.uniform(1.6, 3.6)
    return shut


def _drift(generator: np.random.Generator, times: np.ndarray, size: float) -> np.ndarray:
    """A slow random movement: three sines of random phase, of about `size`."""
    rates, phases = generator.uniform(0.15, 0.9, 3), generator.uniform(0, 2 * np.pi, 3)
    waves = np.sin(2 * np.pi * rates * times[:, None] + phases)
    return np.asarray(size * 0.5 * waves.sum(axis=1))


def _smooth(x: np.ndarray) -> np.ndarray:
    x = np.clip(x, 0, 1)
    return np.asarray(x * x * (3 - 2 * x))


def write_film(path: Path, frames: Iterable[np.ndarray], sound: np.ndarray, rate: int) -> None:
    """Write uint8 frames [H, W, 3] of even sides, `FPS` a second, and sound [n] as an mp4.

    Frames may be made as they are written. Sound is written along with the pictures that it
    belongs to, so that a long film can be read from the middle.
    """
    with av.open(str(path), "w", format="mp4") as container:
        picture = container.add_stream("libx264", rate=FPS, options=_H264)
        picture.pix_fmt = "yuv420p"
        # One thread each: clips are rendered side by side, and the bytes stay the same anywhere.
        picture.codec_context.thread_count = 1
        voice = container.add_stream("aac", rate=rate, bit_rate=64_000, layout="mono")
        written = 0
        for number, image in enumerate(frames):
            if number == 0:
                picture.height, picture.width = image.shape[:2]
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            container.mux(picture.encode(frame))
            due = min(int((number + 1) / FPS * rate), sound.size)
            while written + _AUDIO_FRAME <= due:
                written = _mux_sound(container, voice, sound, rate, written)
        container.mux(picture.encode())
        while written < sound.size:
            written = _mux_sound(container, voice, sound, rate, written)
        container.mux(voice.encode())


def _mux_sound(
    container: OutputContainer, voice: AudioStream, sound: np.ndarray, rate: int, start: int
) -> int:
    """Write `_AUDIO_FRAME` samples from `start` on; returns where the next ones begin."""
    chunk = sound[None, start : start + _AUDIO_FRAME]
    block = av.AudioFrame.from_ndarray(np.ascontiguousarray(chunk), format="fltp", layout="mono")
    block.sample_rate, block.pts = rate, start
    block.time_base = Fraction(1, rate)
    container.mux(voice.encode(block))
    return start + chunk.shape[1]
