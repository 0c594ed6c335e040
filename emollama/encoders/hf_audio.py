"""Voice: full-size speech models, read layer by layer.

HuBERT (Hsu et al. 2021), wav2vec 2.0 (Baevski et al. 2020) and WavLM (Chen et al. 2022) read the
waveform; Whisper's encoder (Radford et al. 2022) reads a log-mel spectrogram padded to 30 s, as it
was trained, and only the steps of the clip itself are kept. Emotion-LLaMA's audio feature is
`chinese-hubert-large+layer=last+level=utt+chunk=60`.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from emollama.base.errors import EmollamaError
from emollama.encoders.base import FeatureTrack
from emollama.encoders.compute import Compute
from emollama.encoders.full_size import FullSizeEncoder
from emollama.encoders.hidden_states import HiddenStates, load_hidden_states
from emollama.manifest.channels import Channel
from emollama.media.clip import SAMPLE_RATE, Clip

_SHORTEST = 0.1  # seconds; less holds no voice
_SILENCE = 1e-4  # peak; below the last bits of 16-bit sound there is no voice
_UNNORMALISED = ("wavlm-base",)
"""Models trained on raw sound; the others were trained on sound of zero mean and unit variance."""


class _SpeechEncoder(FullSizeEncoder):
    """Shared by both kinds: one clip at a time, in equal parts of limited length."""

    channel: Channel = "voice"
    frames = 0
    keeps_padding = False
    """Whether the steps of the padding are part of the track."""

    def _choose_padding(self, pad: str) -> None:
        if pad not in ("drop", "keep"):
            raise EmollamaError(f"encoder '{self.key}': pad must be drop or keep, not '{pad}'")
        self.keeps_padding = pad == "keep"
        if self.keeps_padding:
            self.key += "+pad=keep"

    def encode(self, clips: Sequence[Clip]) -> list[FeatureTrack | None]:
        """One track per clip; None without a sound track, or where it is silent."""
        return [self._encode(clip.audio) for clip in clips]

    def _encode(self, audio: np.ndarray | None) -> FeatureTrack | None:
        if audio is None or not _is_heard(audio):
            return None
        tokens, times = [], []
        for start, inputs, samples in self._parts(audio):
            states = self._net.sum_of(self.readout.layers(self._net.total), inputs)[0]
            centres = self._centres(len(states))
            inside = max(1, int(np.searchsorted(centres, samples / SAMPLE_RATE)))
            if self.keeps_padding:
                inside = len(states)
            tokens.append(states[:inside].numpy())
            times.append(start / SAMPLE_RATE + centres[:inside])
        return self.readout.pool(
            np.concatenate(tokens), np.concatenate(times), overlapping=self.keeps_padding
        )

    @abstractmethod
    def _parts(self, audio: np.ndarray) -> Iterator[tuple[int, dict[str, Tensor], int]]:
        """(first sample, inputs of the model, number of samples) of each part."""

    def _spans(self, samples: int) -> list[tuple[int, int]]:
        # Equal parts: cutting whole lengths off would leave a scrap at the end.
        count = math.ceil(samples / (self._longest() * SAMPLE_RATE))
        edges = np.linspace(0, samples, count + 1).round().astype(int).tolist()
        return list(pairwise(edges))

    @abstractmethod
    def _longest(self) -> float:
        """Longest part, in seconds."""

    @abstractmethod
    def _centres(self, steps: int) -> np.ndarray:
        """Seconds from a part's start to the centre of each step."""

    @cached_property
    @abstractmethod
    def _net(self) -> HiddenStates:
        """The model, ready to run."""

    def _checked(self, extractor: Any) -> Any:
        if extractor.sampling_rate != SAMPLE_RATE:
            raise EmollamaError(
                f"{self.folder}/preprocessor_config.json: sampling_rate is "
                f"{extractor.sampling_rate}; only {SAMPLE_RATE} is supported"
            )
        return extractor


def _is_heard(audio: np.ndarray | None) -> bool:
    """Whether there is sound, long and loud enough to hold a voice."""
    if audio is None or len(audio) < _SHORTEST * SAMPLE_RATE:
        return False
    return bool(np.abs(audio).max() >= _SILENCE)


class WaveformEncoder(_SpeechEncoder):
    """Hidden states of HuBERT, wav2vec 2.0 or WavLM, 50 steps a second.

    The sound is normalised over the whole clip. Clips longer than `chunk` seconds are encoded in
    equal parts of at most that length, whose steps are joined: attention over a minute is expensive
    and was never trained.

    Args:
        name: a key of `MODELS`.
        compute: device and number format.
        chunk: seconds, 1 to 60.
        pad: "keep" has parts of exactly `chunk` seconds instead, the last one padded with silence
            whose steps count like all others, as MERTools cuts sound since MER2024 (zeroQiaoba/
            MERTools at 89120b78, MER2024/feature_extraction/audio/extract_audio_huggingface.py).
        options: see `FullSizeEncoder`.
    """

    def __init__(
        self,
        name: str,
        compute: Compute | None = None,
        *,
        chunk: int = 10,
        pad: str = "drop",
        **options: Any,
    ) -> None:
        super().__init__(name, compute, more=f"+chunk={chunk}", **options)
        if not 1 <= chunk <= 60:
            raise EmollamaError(f"encoder '{self.key}': chunk must be 1 to 60 seconds")
        self._chunk = chunk
        self._choose_padding(pad)

    def _longest(self) -> float:
        return self._chunk

    def model_class(self) -> Any:
        """transformers' class of the model."""
        from transformers import HubertModel, Wav2Vec2Model, WavLMModel

        return {"hubert": HubertModel, "wav2vec2": Wav2Vec2Model, "wavlm": WavLMModel}[
            self.model.kind
        ]

    @cached_property
    def _net(self) -> HiddenStates:
        last = max(self.readout.layers(self.config.num_hidden_layers))
        return load_hidden_states(
            self.model_class(), self.folder, self.config, last, "encoder.layers", self.compute
        )

    @cached_property
    def extractor(self) -> Any:
        """transformers' feature extractor, from the folder or with the published values.

        Only models with layer norm in their convolutions were trained with an attention mask.
        """
        from transformers import Wav2Vec2FeatureExtractor

        if (self.folder / "preprocessor_config.json").is_file():
            extractor = Wav2Vec2FeatureExtractor.from_pretrained(self.folder, local_files_only=True)
        else:
            extractor = Wav2Vec2FeatureExtractor(
                do_normalize=self.model.name not in _UNNORMALISED,
                return_attention_mask=self.config.feat_extract_norm == "layer",
            )
        return self._checked(extractor)

    def _parts(self, audio: np.ndarray) -> Iterator[tuple[int, dict[str, Tensor], int]]:
        inputs = self.extractor(audio, sampling_rate=SAMPLE_RATE, return_tensors="pt")
        if self.keeps_padding and len(audio) > (size := self._chunk * SAMPLE_RATE):
            for first in range(0, len(audio), size):
                part = inputs["input_values"][:, first : first + size]
                yield first, {"input_values": F.pad(part, (0, size - part.shape[1]))}, size
            return
        for first, end in self._spans(len(audio)):
            yield first, {name: x[:, first:end] for name, x in inputs.items()}, end - first

    def _centres(self, steps: int) -> np.ndarray:
        stride, reach = 1, 1
        for kernel, step in zip(self.config.conv_kernel, self.config.conv_stride, strict=True):
            reach += (kernel - 1) * stride
            stride *= step
        return (np.arange(steps) * stride + reach / 2) / SAMPLE_RATE


class PaddedWhisperEncoder(_SpeechEncoder):
    """Hidden states of Whisper's encoder in any size, 50 steps a second, padded to 30 s.

    Clips longer than that are encoded in equal parts of at most 30 s.

    Args:
        name: a key of `MODELS`.
        compute: device and number format.
        pad: "keep" keeps all 1,500 steps of the first 30 s, those of the padding too, and uses
            nothing behind them; parts share the steps on their borders. Emotion-LLaMA-v2 pools them
            to 64 (ooochen-30/Emotion-LLaMA-v2 at 5f0a408b, my_utils/extract_features.py).
        part: "encoder", or "decoder": its last states after two start tokens, of the first 30 s,
            as MERTools reads Whisper (the file that `WaveformEncoder` names).
        options: see `FullSizeEncoder`.
    """

    def __init__(
        self,
        name: str,
        compute: Compute | None = None,
        *,
        pad: str = "drop",
        part: str = "encoder",
        **options: Any,
    ) -> None:
        if part not in ("encoder", "decoder"):
            raise EmollamaError(f"encoder '{name}': part must be encoder or decoder, not '{part}'")
        super().__init__(name, compute, more="+part=decoder" * (part == "decoder"), **options)
        self._decodes = part == "decoder"
        self._choose_padding(pad)
        if self._decodes and (self.readout.layer != "last" or self.keeps_padding):
            raise EmollamaError(
                f"encoder '{self.key}': part=decoder takes neither another layer nor pad"
            )

    def model_class(self) -> Any:
        """transformers' class of the model."""
        from transformers import WhisperModel

        return WhisperModel

    def _longest(self) -> float:
        return float(self.extractor.chunk_length)

    @cached_property
    def _net(self) -> HiddenStates:
        config = self.model_class().config_class.from_dict(self.config.to_dict())
        last = max(self.readout.layers(config.num_hidden_layers))
        if self._decodes:
            return load_hidden_states(
                self.model_class(), self.folder, config, last, "encoder.layers", self.compute
            )
        config.decoder_layers = 1  # the decoder is not run
        return load_hidden_states(
            self.model_class(), self.folder, config, last, "layers", self.compute, part="encoder"
        )

    def _encode(self, audio: np.ndarray | None) -> FeatureTrack | None:
        if audio is not None and (self._decodes or self.keeps_padding):
            audio = audio[: round(self._longest() * SAMPLE_RATE)]
        if not self._decodes or not _is_heard(audio):
            return super()._encode(audio)
        assert audio is not None, "it is heard"
        ((_, inputs, samples),) = self._parts(audio)
        start = torch.full((1, 2), self.config.decoder_start_token_id)
        states = self._net.output("last_hidden_state", {**inputs, "decoder_input_ids": start})
        return self.readout.pool(states[0].numpy(), np.full(2, samples / SAMPLE_RATE / 2))

    @cached_property
    def extractor(self) -> Any:
        """transformers' log-mel extractor, from the folder or with the published values."""
        from transformers import WhisperFeatureExtractor

        if (self.folder / "preprocessor_config.json").is_file():
            extractor = WhisperFeatureExtractor.from_pretrained(self.folder, local_files_only=True)
        else:
            extractor = WhisperFeatureExtractor(feature_size=self.config.num_mel_bins)
        if extractor.feature_size != self.config.num_mel_bins:
            raise EmollamaError(
                f"{self.folder}/preprocessor_config.json: feature_size is "
                f"{extractor.feature_size}, but config.json has num_mel_bins "
                f"{self.config.num_mel_bins}"
            )
        return self._checked(extractor)

    def _parts(self, audio: np.ndarray) -> Iterator[tuple[int, dict[str, Tensor], int]]:
        for first, end in self._spans(len(audio)):
            mel = self.extractor(
                audio[first:end], sampling_rate=SAMPLE_RATE, return_tensors="pt"
            ).input_features
            yield first, {"input_features": torch.as_tensor(mel)}, end - first

    def _centres(self, steps: int) -> np.ndarray:
        hop = 2 * self.extractor.hop_length  # the second convolution halves the rate
        return (np.arange(steps) + 0.5) * hop / SAMPLE_RATE
