"""What is said, by Whisper, where somebody speaks at all.

A transcriber taught on speech makes up words for silence and noise, so sound is gated by voice
activity first, and what Whisper itself is unsure of or repeats is not kept (its authors' limits:
mean log-probability below −1, text that compresses by more than 2.4).
"""

from __future__ import annotations

import hashlib
import zlib
from functools import cached_property
from typing import Any

import numpy as np
import torch

from emollama.assets import fetch, weights_hash
from emollama.encoders.prosody import measure, syllable_nuclei
from emollama.errors import EmollamaError, did_you_mean
from emollama.media.clip import SAMPLE_RATE

MODELS = ("whisper-tiny.en",)
LEAST_SPEECH = 0.3  # seconds of voiced sound
_WINDOW = 30.0  # seconds that Whisper hears at a time
_TOKENS_A_SECOND = 8
_LEAST_LOGPROB, _MOST_COMPRESSION = -1.0, 2.4
_HOP = 0.01  # seconds of a prosody frame


def speech_seconds(audio: np.ndarray) -> float:
    """Seconds of voiced speech in sound [n] at 16 kHz; 0 where there is not one syllable.

    Voiced frames within 25 dB of the loud ones, between the first and last of which stands at
    least one syllable nucleus.
    """
    if len(audio) < LEAST_SPEECH * SAMPLE_RATE:
        return 0.0
    contour = measure(audio)
    active = contour.energy > max(float(np.percentile(contour.energy, 95)) - 25.0, -60.0)
    if not len(syllable_nuclei(contour, active)):
        return 0.0
    return float(np.count_nonzero(active & (contour.f0 > 0)) * _HOP)


class Transcriber:
    """Whisper through transformers, greedy, a clip at a time.

    Args:
        asset: one of `MODELS`.

    Raises:
        EmollamaError: no such model.
    """

    def __init__(self, asset: str = "whisper-tiny.en") -> None:
        if asset not in MODELS:
            raise EmollamaError(
                f"transcript.whisper: '{asset}' is unknown{did_you_mean(asset, MODELS)}"
            )
        self.asset = asset

    @cached_property
    def fingerprint(self) -> str:
        """Of code version and weights."""
        text = f"transcript-1:{weights_hash(fetch(self.asset))}"
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @cached_property
    def _loaded(self) -> tuple[Any, Any]:
        from transformers import WhisperForConditionalGeneration, WhisperProcessor
        from transformers.utils import logging

        logging.set_verbosity_error()
        folder = fetch(self.asset)
        model = WhisperForConditionalGeneration.from_pretrained(folder, local_files_only=True)
        return model.eval(), WhisperProcessor.from_pretrained(folder, local_files_only=True)

    def transcribe(self, audio: np.ndarray) -> dict[str, Any]:
        """A row of stage `transcript`: text, where it is from, and seconds of speech."""
        spoken = speech_seconds(audio)
        row: dict[str, Any] = {"status": "ok", "source": self.asset, "speech": round(spoken, 2)}
        if spoken < LEAST_SPEECH:
            return {**row, "text": "", "note": "no speech"}
        size = int(_WINDOW * SAMPLE_RATE)
        parts = [self._window(audio[i : i + size]) for i in range(0, len(audio), size)]
        text = " ".join(part for part, _ in parts if part)
        sure = min(logprob for _, logprob in parts)
        row["logprob"] = round(sure, 3)
        if not text:
            return {**row, "text": "", "note": "nothing understood"}
        coded = text.encode()
        if sure < _LEAST_LOGPROB:
            return {**row, "text": "", "note": "not sure enough"}
        if len(coded) / len(zlib.compress(coded)) > _MOST_COMPRESSION:
            return {**row, "text": "", "note": "repeats itself"}
        return {**row, "text": text}

    @torch.inference_mode()
    def _window(self, audio: np.ndarray) -> tuple[str, float]:
        """Text and mean log-probability of at most 30 s."""
        model, processor = self._loaded
        heard = processor.feature_extractor(
            audio, sampling_rate=SAMPLE_RATE, return_tensors="pt"
        ).input_features
        longest = min(8 + int(_TOKENS_A_SECOND * len(audio) / SAMPLE_RATE), 400)
        told = model.generate(
            heard, max_new_tokens=longest, do_sample=False, num_beams=1,
            output_scores=True, return_dict_in_generate=True,
        )  # fmt: skip
        tokens = told.sequences[0][-len(told.scores) :] if told.scores else []
        logs = [
            float(step[0].log_softmax(-1)[token])
            for step, token in zip(told.scores, tokens, strict=True)
        ]
        text = processor.tokenizer.decode(told.sequences[0], skip_special_tokens=True)
        return " ".join(str(text).split()), sum(logs) / len(logs) if logs else 0.0
