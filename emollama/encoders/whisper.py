"""Voice: hidden states of Whisper's encoder (Radford et al. 2022), un-padded.

Whisper was trained on windows padded to 30 s. Here the mel is left at the clip's own length and
the position table is cut to it: a 4-s clip costs 200 tokens instead of 1,500. The middle layers
tell emotions apart best (layer 2 of tiny.en's 4), earlier ones represent sound, later ones words.

The forward pass is written out here, so that worker processes need only torch, and so that it can
stop at any layer.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from functools import cached_property
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors import safe_open
from torch import Tensor, nn

from emollama.assets import fetch, weights_hash
from emollama.assets.convert import WEIGHTS
from emollama.base.errors import EmollamaError
from emollama.encoders.base import FeatureTrack
from emollama.manifest.channels import Channel
from emollama.media.clip import SAMPLE_RATE, Clip

_CODE = 1  # raised whenever the numbers change
_WINDOW, _HOP, _MELS = 400, 160, 80  # samples, samples, bands
_TOKENS_A_SECOND = 50
_SHORTEST = 0.1  # seconds; less holds no voice
_SILENCE = 1e-4  # peak; below the last bits of 16-bit sound there is no voice
_STATISTICS = ("mean", "deviation")


class WhisperEncoder:
    """Segment means and deviations of a Whisper encoder layer.

    Each clip is encoded by itself, so a track never depends on the batch. Clips above 30 s are
    encoded in equal parts of at most 30 s, whose tokens are joined before they are cut into
    segments.

    Args:
        asset: name of the Whisper model.
        layer: 0 (after the convolutions) to the number of layers; the last one includes the
            final normalisation. "all" concatenates every layer (mean and deviation of each), for a
            layer mix that the projector learns (`layers: 5`).
        segments: T, the number of equal parts that are pooled.
    """

    channel: Channel = "voice"
    frames = 0
    columns: tuple[str, ...] = ()

    def __init__(
        self, asset: str = "whisper-tiny.en", layer: int | str = 2, segments: int = 8
    ) -> None:
        self.key = f"{asset}+layer={layer}+segments={segments}"
        self._asset, self._layer, self._segments = asset, layer, segments
        self._layers, self._width = _SIZES[asset]
        if layer != "all" and (not isinstance(layer, int) or not 0 <= layer <= self._layers):
            raise EmollamaError(f"encoder '{self.key}': layer must be 0 to {self._layers}, or all")
        if not 1 <= segments <= 1500:
            raise EmollamaError(f"encoder '{self.key}': segments must be 1 to 1500")
        states = self._layers + 1 if layer == "all" else 1
        self.width = len(_STATISTICS) * states * self._width

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over code version, weights and options."""
        text = f"{_CODE}:{self.key}:{weights_hash(fetch(self._asset))}"
        return hashlib.sha256(text.encode()).hexdigest()

    @cached_property
    def _net(self) -> Encoder:
        return load_encoder(fetch(self._asset))

    def encode(self, clips: Sequence[Clip]) -> list[FeatureTrack | None]:
        """One track [segments, width] per clip; None without sound, or where it is silent."""
        return [self._encode(clip.audio) for clip in clips]

    @torch.inference_mode()
    def _encode(self, audio: np.ndarray | None) -> FeatureTrack | None:
        if audio is None or len(audio) < _SHORTEST * SAMPLE_RATE:
            return None
        if np.abs(audio).max() < _SILENCE:
            return None
        wanted = range(self._layers + 1) if self._layer == "all" else [int(self._layer)]
        states = self._net.states(log_mel(torch.from_numpy(audio)), max(wanted))
        tokens = torch.cat([states[i] for i in wanted], dim=1)
        edges = np.linspace(0, len(tokens), self._segments + 1)
        values = np.empty((self._segments, self.width), np.float32)
        for i, (low, high) in enumerate(pairwise(edges)):
            # A clip with fewer tokens than segments repeats tokens.
            first = min(round(low), len(tokens) - 1)
            part = tokens[first : max(round(high), first + 1)]
            deviation, mean = torch.std_mean(part, dim=0, correction=0)
            pooled = torch.stack([mean, deviation]).unflatten(1, (len(wanted), -1))
            values[i] = pooled.transpose(0, 1).flatten().numpy()
        times = (edges[:-1] + edges[1:]) / 2 / _TOKENS_A_SECOND
        return FeatureTrack(values, times.astype(np.float32))


# Layers and width of the assets that hold a Whisper.
_SIZES = {"whisper-tiny.en": (4, 384)}


class _Attention(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.q_proj, self.v_proj = nn.Linear(width, width), nn.Linear(width, width)
        self.k_proj = nn.Linear(width, width, bias=False)
        self.out_proj = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = (
            project(x).unflatten(1, (self.heads, -1)).transpose(0, 1)[None]
            for project in (self.q_proj, self.k_proj, self.v_proj)
        )
        mixed = F.scaled_dot_product_attention(q, k, v)[0]
        return self.out_proj(mixed.transpose(0, 1).flatten(1))


class _Layer(nn.Module):
    def __init__(self, width: int, heads: int, hidden: int) -> None:
        super().__init__()
        self.self_attn = _Attention(width, heads)
        self.self_attn_layer_norm = nn.LayerNorm(width)
        self.fc1, self.fc2 = nn.Linear(width, hidden), nn.Linear(hidden, width)
        self.final_layer_norm = nn.LayerNorm(width)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.self_attn(self.self_attn_layer_norm(x))
        return x + self.fc2(F.gelu(self.fc1(self.final_layer_norm(x))))


class Encoder(nn.Module):
    """Whisper's encoder on one clip of any length, under the tensor names of transformers."""

    def __init__(self, layers: int, width: int, heads: int, hidden: int, positions: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv1d(_MELS, width, 3, padding=1)
        self.conv2 = nn.Conv1d(width, width, 3, stride=2, padding=1)
        self.embed_positions = nn.Embedding(positions, width)
        self.layers = nn.ModuleList(_Layer(width, heads, hidden) for _ in range(layers))
        self.layer_norm = nn.LayerNorm(width)

    def states(self, mel: Tensor, last: int) -> list[Tensor]:
        """Hidden states [tokens, width] after 0 to `last` layers of a mel [80, frames]."""
        longest = 2 * self.embed_positions.num_embeddings
        parts = math.ceil(mel.shape[1] / longest)
        # An even number of mel frames in each part but the last keeps tokens at 50 a second.
        size = 2 * math.ceil(mel.shape[1] / parts / 2)
        states = [self._states(part, last) for part in mel.split(size, dim=1)]
        return [torch.cat(layer) for layer in zip(*states, strict=True)]

    def _states(self, mel: Tensor, last: int) -> list[Tensor]:
        x = F.gelu(self.conv2(F.gelu(self.conv1(mel[None]))))[0].T
        x = x + self.embed_positions.weight[: len(x)]
        states = [x]
        for layer in list(self.layers)[:last]:
            states.append(layer(states[-1]))
        if last == len(self.layers):
            states[-1] = self.layer_norm(states[-1])
        return states


def load_encoder(folder: Path) -> Encoder:
    """The encoder half of a Whisper folder in transformers layout; the decoder is not read."""
    prefix = "model.encoder."
    with safe_open(folder / WEIGHTS, framework="pt") as file:
        state = {
            name.removeprefix(prefix): file.get_tensor(name).float()
            for name in file.keys()  # noqa: SIM118 (not a dict)
            if name.startswith(prefix)
        }
    positions, width = state["embed_positions.weight"].shape
    layers = sum(name.endswith("fc1.bias") for name in state)
    # Every released Whisper has heads of 64.
    net = Encoder(layers, width, width // 64, len(state["layers.0.fc1.bias"]), positions)
    net.load_state_dict(state)
    return net.eval().requires_grad_(False)


def log_mel(audio: Tensor) -> Tensor:
    """Whisper's log-mel spectrogram [80, samples // 160] of 16 kHz sound, without padding.

    Power spectrum of 25-ms windows every 10 ms, 80 mel bands, log10 limited to 8 below the
    clip's own maximum, then (x + 4) / 4.
    """
    window = torch.hann_window(_WINDOW)
    spectrum = torch.stft(audio, _WINDOW, _HOP, window=window, return_complex=True)
    power = spectrum[:, :-1].abs().square()
    log = (_mel_bands() @ power).clamp(min=1e-10).log10()
    return (torch.maximum(log, log.max() - 8) + 4) / 4


def _mel_bands() -> Tensor:
    """[80, 201] triangular filters on Slaney's mel scale, each of unit area (0 to 8 kHz).

    The scale is linear below 1 kHz (200/3 Hz a mel) and logarithmic above (27 mels for a factor
    of 6.4), as in Slaney's Auditory Toolbox (1998), which Whisper was trained with.
    """
    knee, step = 15.0, math.log(6.4) / 27
    top = knee + math.log(SAMPLE_RATE / 2 / 1000) / step
    mels = torch.linspace(0, top, _MELS + 2, dtype=torch.float64)
    corners = torch.where(mels < knee, mels * 200 / 3, 1000 * torch.exp((mels - knee) * step))
    bins = torch.linspace(0, SAMPLE_RATE / 2, _WINDOW // 2 + 1, dtype=torch.float64)
    slopes = corners[:, None] - bins
    widths = corners.diff()
    rising = -slopes[:-2] / widths[:-1, None]
    falling = slopes[2:] / widths[1:, None]
    bands = torch.minimum(rising, falling).clamp(min=0)
    return (bands * (2 / (corners[2:] - corners[:-2]))[:, None]).float()
