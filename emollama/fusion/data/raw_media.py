"""Pictures, mel spectra and sound of a clip, as input of trainable encoders.

They are stored compactly (uint8 and int16) and become floats in a batch.

The spectra are Kaldi's log mel filter bank energies (Povey et al. 2011), computed with numpy.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from emollama.base.errors import EmollamaError
from emollama.media.clip import SAMPLE_RATE
from emollama.media.cutting import Box
from emollama.media.decode import MAX_SECONDS, decode_clip
from emollama.media.lengths import track_lengths

MEL_BANDS = 128
FBANK_FRAMES = 1024
WINDOW, STEP, FFT = 400, 160, 512
"""In samples: 25 ms, 10 ms, and the power of two above the window."""

LOWEST_HZ = 20.0
PREEMPHASIS = 0.97
FLOOR = float(np.finfo(np.float32).eps)

SIDE = 224
FRAME_SIDE = 480
"""Pixels of a decoded frame's longer side, or more for larger pictures."""
STAMP = 1e-3
"""Rounding of a container's time stamps, in seconds."""
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_DEVIATION = (0.229, 0.224, 0.225)

PIECE = 320
"""Samples per piece of a waveform: 20 ms."""
LEVELS = 32_768.0


@dataclass(frozen=True)
class RawTrack:
    """Raw input of one modality of one clip.

    Attributes:
        values: [L, ...]: token ids int32 [L], pieces of sound int16 [L, 320], pictures uint8
            [L, 3, H, W] or log mel energies float32 [L, 128].
        times: float32 [L], seconds of each step's centre from the clip's start, of a picture when
            it appears; 0 for words.
    """

    values: np.ndarray
    times: np.ndarray


def fbank(sound: np.ndarray, frames: int = FBANK_FRAMES) -> Tensor:
    """Log mel energies of a clip's sound as Kaldi computes them, without dither.

    Args:
        sound: float [n], 16 kHz; its mean is taken off first.
        frames: number of 10-ms windows in the result; short sound is padded with 0, long sound cut.

    Returns:
        float32 [frames, 128].

    Raises:
        EmollamaError: the sound is shorter than one window of 25 ms.
    """
    if len(sound) < WINDOW:
        raise EmollamaError(
            f"a sound of {1000 * len(sound) / SAMPLE_RATE:.0f} ms is too short for one window of "
            "25 ms; leave the modality out of this clip"
        )
    wave = sound.astype(np.float64) - np.mean(sound, dtype=np.float64)
    windows = np.lib.stride_tricks.sliding_window_view(wave, WINDOW)[::STEP][:frames]
    windows = windows - windows.mean(axis=1, keepdims=True)
    before = np.concatenate([windows[:, :1], windows[:, :-1]], axis=1)
    windows = (windows - PREEMPHASIS * before) * np.hanning(WINDOW)
    power = np.abs(np.fft.rfft(windows, FFT)) ** 2
    energies = np.log(np.maximum(power @ mel_bands(), FLOOR))
    out = torch.zeros(frames, MEL_BANDS)
    out[: len(energies)] = torch.from_numpy(energies.astype(np.float32))
    return out


@functools.cache
def mel_bands() -> np.ndarray:
    """Triangles on the mel scale, from 20 Hz to 8 kHz: [FFT / 2 + 1, 128]."""

    def mel(hertz: np.ndarray | float) -> np.ndarray:
        return np.asarray(1127 * np.log(1 + np.asarray(hertz) / 700))

    edges = np.linspace(mel(LOWEST_HZ), mel(SAMPLE_RATE / 2), MEL_BANDS + 2)
    at = mel(np.arange(FFT // 2 + 1) * SAMPLE_RATE / FFT)[:, None]
    rise = (at - edges[:-2]) / (edges[1:-1] - edges[:-2])
    fall = (edges[2:] - at) / (edges[2:] - edges[1:-1])
    return np.maximum(0, np.minimum(rise, fall))


def sampled(available: int, count: int) -> list[int]:
    """Indices floor(available / count) * i; with fewer frames than `count` some are repeated."""
    if available < count:
        return [i * available // count for i in range(count)]
    return [available // count * i for i in range(count)]


def thumbnails(images: np.ndarray, side: int = SIDE) -> np.ndarray:
    """uint8 [N, H, W, 3] to uint8 [N, 3, side, side]: the stored form of a clip's frames."""
    values = torch.from_numpy(np.ascontiguousarray(images)).permute(0, 3, 1, 2).float()
    values = F.interpolate(
        values, size=(side, side), mode="bilinear", antialias=True, align_corners=False
    )
    return values.round().clamp(0, 255).to(torch.uint8).numpy()


def pictures(kept: Tensor) -> Tensor:
    """uint8 [..., 3, H, W] to float32 of the same shape, normalised as for ImageNet."""
    mean = torch.tensor(IMAGENET_MEAN)[:, None, None]
    return (kept.float() / 255 - mean) / torch.tensor(IMAGENET_DEVIATION)[:, None, None]


def clip_thumbnails(
    video: Path,
    start: float | None = None,
    end: float | None = None,
    count: int = 3,
    per_second: float = 1.0,
    side: int = SIDE,
    fps: float | None = None,
    view: Box | None = None,
) -> RawTrack | None:
    """Pictures of a clip: of `per_second` frames a second, `count` from the first on.

    `fps` is the rate of a video that is a folder of pictures, `view` the part of the picture to
    look at.

    Returns:
        uint8 [count, 3, side, side]; None if the file has no video.

    Raises:
        MediaError: the file cannot be read.
    """
    # A span may be stated longer than the file, and the sound may be longer than the picture.
    first, last = track_lengths(video, fps).picture or (0.0, 0.0)
    low = start or 0.0
    high = min(last, low + MAX_SECONDS, math.inf if end is None else end)
    seconds = high - max(low, first) + STAMP
    available = max(1, int(seconds * per_second))
    clip = decode_clip(
        video, start=start, end=end, frames=available, max_side=max(FRAME_SIDE, side),
        want_audio=False, fps=fps, view=view,
    )  # fmt: skip
    if clip.frames is None:
        return None
    chosen = sampled(available, count)
    return RawTrack(
        thumbnails(clip.frames.images[chosen], side), clip.frames.times[chosen].astype(np.float32)
    )


def clip_fbank(sound: np.ndarray) -> RawTrack | None:
    """All windows of a sound, float32 [L, 128]; None for one shorter than a window."""
    if len(sound) < WINDOW:
        return None
    count = 1 + (len(sound) - WINDOW) // STEP
    times = (np.arange(count) * STEP + WINDOW / 2) / SAMPLE_RATE
    return RawTrack(fbank(sound, count).numpy(), times.astype(np.float32))


def clip_pieces(sound: np.ndarray) -> RawTrack | None:
    """A sound in pieces of 20 ms, int16 [L, 320], the last one padded with silence.

    `waveforms` converts them to samples in -1..1; 16-bit sound is kept exactly.
    """
    if not len(sound):
        return None
    count = -(-len(sound) // PIECE)
    levels = np.clip(np.rint(sound.astype(np.float64) * LEVELS), -LEVELS, LEVELS - 1)
    pieces = np.zeros(count * PIECE, np.int16)
    pieces[: len(sound)] = levels.astype(np.int16)
    times = (np.arange(count) + 0.5) * PIECE / SAMPLE_RATE
    return RawTrack(pieces.reshape(count, PIECE), times.astype(np.float32))


def waveforms(kept: Tensor) -> Tensor:
    """int16 to float32 in -1..1."""
    return kept.float() / LEVELS
