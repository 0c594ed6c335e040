"""Voice activity: Silero VAD over chunks of 32 ms.

Only speech is transcribed: a transcriber trained on speech alone makes up words for silence, music
and noise.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor, nn

from emollama.assets import fetch
from emollama.assets.convert import WEIGHTS
from emollama.media.clip import SAMPLE_RATE

CHUNK_SECONDS = 0.032
"""Time that one probability of speech stands for."""

CHUNK, CONTEXT = 512, 64  # samples that are judged, and those before them that are seen as well
_WINDOW, _HOP = 256, 128  # samples of the spectrum
_WIDTH = 128
ON, OFF = 0.5, 0.35  # probability at which speech begins, and below which it ends
LEAST_SPAN, _LEAST_PAUSE, _AROUND = 0.25, 0.3, 0.1  # seconds

State = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class Span:
    """A stretch of a clip, in seconds from its start."""

    start: float
    end: float


class SpeechActivity(nn.Module):
    """Silero VAD for 16 kHz; our own code with the published weights."""

    def __init__(self) -> None:
        super().__init__()
        self.stft_conv = nn.Conv1d(1, _WINDOW + 2, _WINDOW, stride=_HOP, bias=False)
        self.conv1 = nn.Conv1d(_WINDOW // 2 + 1, _WIDTH, 3, padding=1)
        self.conv2 = nn.Conv1d(_WIDTH, 64, 3, stride=2, padding=1)
        self.conv3 = nn.Conv1d(64, 64, 3, stride=2, padding=1)
        self.conv4 = nn.Conv1d(64, _WIDTH, 3, padding=1)
        self.lstm_cell = nn.LSTMCell(_WIDTH, _WIDTH)
        self.final_conv = nn.Conv1d(_WIDTH, 1, 1)

    @classmethod
    def from_asset(cls) -> SpeechActivity:
        """The network with the weights of asset "silero-vad", which is fetched if needed."""
        net = cls()
        net.load_state_dict(load_file(fetch("silero-vad") / WEIGHTS))
        return net.eval().requires_grad_(False)

    @torch.inference_mode()
    def forward(self, audio: Tensor) -> Tensor:
        """Probability of speech [n] in each chunk of 16 kHz sound [samples]."""
        chunks = audio.new_zeros(-(-len(audio) // CHUNK) * CHUNK)
        chunks[: len(audio)] = audio
        return self.judged(F.pad(chunks, (CONTEXT, 0)), None)[0]

    @torch.inference_mode()
    def judged(self, audio: Tensor, state: State | None) -> tuple[Tensor, State | None]:
        """Probability of speech [n] in whole chunks behind 64 samples of context [64 + 512 n].

        `state` is what was returned of the sound before; None at its beginning.
        """
        seen = audio.unfold(0, CHUNK + CONTEXT, CHUNK)
        spectrum = self.stft_conv(F.pad(seen[:, None], (0, CONTEXT), mode="reflect"))
        real, imaginary = spectrum.chunk(2, dim=1)
        x = torch.sqrt(real**2 + imaginary**2)
        for conv in (self.conv1, self.conv2, self.conv3, self.conv4):
            x = F.relu(conv(x))
        # All but the recurrence is the same for every chunk and has been done at once.
        hidden = []
        for step in x[..., 0]:
            state = self.lstm_cell(step[None], state)
            hidden.append(state[0])
        last = F.relu(torch.cat(hidden))[..., None]
        return torch.sigmoid(self.final_conv(last)).mean(2)[:, 0], state

    def chances(self, audio: np.ndarray) -> np.ndarray:
        """Probability of speech [n] every 32 ms of float32 sound at 16 kHz; none below 32 ms."""
        if len(audio) < CHUNK:
            return np.zeros(0, np.float32)
        return self(torch.from_numpy(np.ascontiguousarray(audio, np.float32))).numpy()

    def seconds(self, audio: np.ndarray) -> float:
        """Seconds of speech in float32 sound [n] at 16 kHz, wherever they are in it."""
        return float(np.count_nonzero(self.chances(audio) >= ON)) * CHUNK / SAMPLE_RATE

    def spans(self, audio: np.ndarray) -> list[Span]:
        """Stretches with speech in float32 sound [n] at 16 kHz, a little wider than it."""
        return speech_spans(self.chances(audio), len(audio) / SAMPLE_RATE)


def speech_spans(
    chances: np.ndarray,
    seconds: float,
    pause: float = _LEAST_PAUSE,
    around: tuple[float, float] = (_AROUND, _AROUND),
) -> list[Span]:
    """Stretches of speech from the probability [n] of each 32-ms chunk.

    Pauses below `pause` seconds do not end a stretch; anything shorter than 0.25 s is a click.
    Stretches are widened by the seconds of `around`, before and after.
    """
    step = CHUNK / SAMPLE_RATE
    found: list[list[float]] = []
    speaking = False
    for index, chance in enumerate(chances):
        time = index * step
        if not speaking and chance >= ON:
            speaking = True
            if found and time - found[-1][1] < pause:
                continue
            found.append([time, time])
        elif speaking and chance < OFF:
            speaking = False
            found[-1][1] = time
    if speaking:
        found[-1][1] = len(chances) * step
    # Reopened stretches end where they were closed last.
    return [
        Span(max(0.0, start - around[0]), min(seconds, end + around[1]))
        for start, end in found
        if end - start >= LEAST_SPAN
    ]
