"""Decodes a sound track to 16 kHz mono, with every sample at its time."""

from __future__ import annotations

from dataclasses import dataclass, field

import av
import numpy as np
from av.audio.frame import AudioFrame

from emollama.media.clip import SAMPLE_RATE
from emollama.media.container import seconds_of

_GAP = 0.1
"""Time stamps that differ by less than this from the running count, in seconds, are ignored."""


@dataclass
class SoundTrack:
    """Collects decoded sound as runs that begin at known times.

    A run ends where the time stamps jump or the format changes; gaps between runs are silence.
    `zero` is the file's own beginning in seconds.
    """

    zero: float
    damaged: int = 0
    end: float = 0.0
    _runs: list[tuple[float, list[np.ndarray]]] = field(default_factory=list)
    _resampler: av.AudioResampler | None = None
    _layout: tuple[str, str, int] | None = None
    _unplaced: bool = False

    def add(self, packet: av.Packet) -> None:
        """Decode one packet (the empty last one too); damage is counted, not raised."""
        try:
            frames = packet.decode()
        except av.error.FFmpegError:
            self.damaged += 1
            return
        for frame in frames:
            if isinstance(frame, AudioFrame) and frame.samples > 0:
                self._take(frame)

    def _take(self, frame: AudioFrame) -> None:
        time = self.end
        if frame.pts is not None and (base := frame.time_base) is not None:
            time = seconds_of(frame.pts, base) - self.zero
        layout = (frame.format.name, frame.layout.name, frame.sample_rate)
        if self._resampler is None or layout != self._layout or abs(time - self.end) > _GAP:
            self._flush()
            # Mono is the mean of left and right, made by us: FFmpeg's float downmix adds 3 dB to
            # a voice in the middle, which would clip. Surround goes to left and right first.
            # Of many microphones nobody knows where they stand; FFmpeg's guess clips, and planes of
            # more than eight channels crash PyAV: the mean is taken of all channels.
            count = len(frame.layout.channels)
            self._unplaced = count > 8 or "channels" in frame.layout.name
            channels = frame.layout if self._unplaced else "mono" if count == 1 else "stereo"
            kind = "flt" if self._unplaced else "fltp"
            self._resampler = av.AudioResampler(kind, channels, SAMPLE_RATE)
            self._layout = layout
            self._runs.append((time, []))
            self.end = time
        self._keep(self._resampler.resample(frame))
        self.end += frame.samples / frame.sample_rate

    def _keep(self, frames: list[AudioFrame]) -> None:
        for frame in frames:
            samples = frame.to_ndarray()
            if self._unplaced:  # not in planes: one sample of each channel in turn
                samples = samples.reshape(-1, len(frame.layout.channels)).T
            self._runs[-1][1].append(samples.mean(0))

    def _flush(self) -> None:
        if self._resampler is not None:
            self._keep(self._resampler.resample(None))
            self._resampler = None

    def between(self, start: float, end: float) -> np.ndarray | None:
        """float32 [n] of [start, end) at `SAMPLE_RATE`; None where there is no sound.

        It ends where the track ends; sound that begins later than `start` is preceded by silence.
        """
        self._flush()
        length = round((min(end, self.end) - start) * SAMPLE_RATE)
        if length <= 0:
            return None
        sound = np.zeros(length, np.float32)
        filled = False
        for time, pieces in self._runs:
            if not pieces:
                continue
            samples = np.concatenate(pieces)
            first = round((time - start) * SAMPLE_RATE)
            low, high = max(first, 0), min(first + len(samples), length)
            if low < high:
                sound[low:high] = samples[low - first : high - first]
                filled = True
        return np.clip(np.nan_to_num(sound), -1.0, 1.0) if filled else None
