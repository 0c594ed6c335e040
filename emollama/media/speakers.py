"""Speaker vectors: what tells one voice from another, whatever is said.

The network (Wan et al. 2018, "Generalized end-to-end loss for speaker verification") and its front
end are our own code with the weights of Resemblyzer 0.1.4 (Jemine 2019). A vector is personal: it
is held in memory and compared within one recording only.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor, nn
from transformers.audio_utils import mel_filter_bank

from emollama.assets import fetch
from emollama.assets.convert import WEIGHTS
from emollama.media.clip import SAMPLE_RATE

SPEAKER_WIDTH = 256
"""Numbers in a speaker vector."""
PARTIAL = 160
"""Spectra that the network was trained to hear at once: 1.6 s."""
HOP = 160
"""Samples between spectra: 10 ms."""

_WINDOW = 400  # samples: 25 ms
_BANDS = 40
_AT_ONCE = 64  # partials in one pass
_LEVEL = 10 ** (-30 / 20)  # root mean square that the network was trained at


class SpeakerEncoder(nn.Module):
    """Resemblyzer's voice encoder for 16 kHz: spectra in, unit vectors without negatives out."""

    bank: Tensor
    window: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(_BANDS, SPEAKER_WIDTH, 3, batch_first=True)
        self.linear = nn.Linear(SPEAKER_WIDTH, SPEAKER_WIDTH)
        bank = mel_filter_bank(
            _WINDOW // 2 + 1, _BANDS, 0.0, SAMPLE_RATE / 2, SAMPLE_RATE, "slaney", "slaney"
        )
        self.register_buffer("bank", torch.from_numpy(bank).float(), persistent=False)
        self.register_buffer("window", torch.hann_window(_WINDOW), persistent=False)

    @classmethod
    def from_asset(cls) -> SpeakerEncoder:
        """The network with the weights of asset "resemblyzer", which is fetched if needed."""
        net = cls()
        net.load_state_dict(load_file(fetch("resemblyzer") / WEIGHTS))
        return net.eval().requires_grad_(False)

    @torch.inference_mode()
    def forward(self, mels: Tensor) -> Tensor:
        """Unit vectors [N, 256] of mel spectra [N, frames, 40], usually 160 frames."""
        hidden = self.lstm(mels)[1][0][-1]
        return F.normalize(F.relu(self.linear(hidden)), dim=1, eps=1e-12)

    @torch.inference_mode()
    def mels(self, audio: np.ndarray) -> Tensor:
        """Power in 40 mel bands [1 + n // 160, 40] of float32 sound [n]; frames are centred."""
        sound = torch.from_numpy(np.ascontiguousarray(audio, np.float32))
        spectrum = torch.stft(
            sound, _WINDOW, HOP, window=self.window, center=True, pad_mode="constant",
            return_complex=True,
        )  # fmt: skip
        return (spectrum.abs() ** 2).T @ self.bank

    def vectors(self, sounds: Sequence[np.ndarray]) -> np.ndarray:
        """Unit vectors float32 [N, 256] of sounds, each float32 at 16 kHz and 1.6 s long.

        Each is raised or lowered to the level that the network was trained at.
        """
        found = [np.zeros((0, SPEAKER_WIDTH), np.float32)]
        for first in range(0, len(sounds), _AT_ONCE):
            batch = sounds[first : first + _AT_ONCE]
            found.append(
                self(torch.stack([self.mels(levelled(s))[:PARTIAL] for s in batch])).numpy()
            )
        return np.concatenate(found)


def levelled(sound: np.ndarray) -> np.ndarray:
    """Sound at a root mean square of -30 dB re full scale; silence stays silent."""
    power = np.sqrt(np.mean(np.square(sound, dtype=np.float64))) if len(sound) else 0.0
    return sound * np.float32(_LEVEL / max(power, 1e-5))
