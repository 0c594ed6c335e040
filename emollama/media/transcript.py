"""Transcripts with times: Whisper on the stretches of speech in a clip.

A transcriber makes up words where nobody speaks, and loops on a language that it does not know. So
it only hears what voice activity detects as speech, and uncertain phrases are left out.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import (
    LogitsProcessorList,
    SuppressTokensAtBeginLogitsProcessor,
    SuppressTokensLogitsProcessor,
    WhisperForConditionalGeneration,
    WhisperProcessor,
    WhisperTimeStampLogitsProcessor,
)

from emollama.assets import fetch
from emollama.base.errors import EmollamaError
from emollama.media.clip import SAMPLE_RATE
from emollama.media.speech import Span, SpeechActivity

WHISPER = "whisper-tiny.en"
_WINDOW = 28.0  # seconds that are heard at once; Whisper's own window is 30
_TOKENS_A_SECOND, _LEAST_TOKENS, _MOST_TOKENS = 8, 16, 220
_LEAST_CERTAIN = -1.0  # mean log-probability of a token
_MOST_REPEATED = 2.4  # length over compressed length: a loop compresses well
_STAMP = 0.02  # seconds a time token counts


@dataclass(frozen=True)
class Phrase:
    """Words spoken from `start` to `end`, in seconds from the clip's beginning."""

    start: float
    end: float
    text: str

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {"start": self.start, "end": self.end, "text": self.text}


class Transcriber:
    """Whisper behind voice activity.

    Args:
        folder: a Whisper in the transformers format.
        activity: detects speech.
    """

    def __init__(self, folder: Path, activity: SpeechActivity) -> None:
        self.activity = activity
        try:
            self.model: Any = WhisperForConditionalGeneration.from_pretrained(
                folder, local_files_only=True, use_safetensors=True, dtype=torch.float32
            ).eval()
            self.processor: Any = WhisperProcessor.from_pretrained(folder, local_files_only=True)
        except (OSError, ValueError, RuntimeError) as error:
            raise EmollamaError(f"{folder}: Whisper cannot be loaded: {error}") from error
        self.first_stamp = int(self.model.generation_config.no_timestamps_token_id) + 1

    @classmethod
    def from_assets(cls) -> Transcriber:
        """The embedded Whisper (English) with Silero VAD; both are fetched if needed."""
        return cls(fetch(WHISPER), SpeechActivity.from_asset())

    def transcribe(self, audio: np.ndarray) -> tuple[Phrase, ...]:
        """Phrases of float32 sound [n] at 16 kHz, sorted by time; none where nobody speaks."""
        return self.hear(audio, self.activity.spans(audio))

    def hear(self, audio: np.ndarray, spans: Sequence[Span]) -> tuple[Phrase, ...]:
        """Phrases of the stretches of speech."""
        return tuple(
            phrase for window in windows(spans) for phrase in self._understood(audio, window)
        )

    @torch.inference_mode()
    def _understood(self, audio: np.ndarray, span: Span) -> list[Phrase]:
        part = audio[round(span.start * SAMPLE_RATE) : round(span.end * SAMPLE_RATE)]
        inputs = self.processor(part, sampling_rate=SAMPLE_RATE, return_tensors="pt")
        seconds = span.end - span.start
        longest = int(min(_MOST_TOKENS, _LEAST_TOKENS + _TOKENS_A_SECOND * seconds))
        ids, certainty = self._greedy(inputs.input_features, longest)
        text = self._text(ids)
        if not text or certainty < _LEAST_CERTAIN or repeats(text):
            return []
        return self._phrases(ids, span)

    def _greedy(self, features: Tensor, longest: int) -> tuple[list[int], float]:
        """The likeliest tokens one by one, time tokens included, and their mean log-probability."""
        settings = self.model.generation_config
        rules: Any = LogitsProcessorList(
            [
                SuppressTokensLogitsProcessor(settings.suppress_tokens),
                SuppressTokensAtBeginLogitsProcessor(settings.begin_suppress_tokens, 1),
                WhisperTimeStampLogitsProcessor(settings, begin_index=1),
            ]
        )
        heard = self.model.get_encoder()(features).last_hidden_state
        sequence = torch.tensor([[settings.decoder_start_token_id]])
        cache: Any = None
        ids: list[int] = []
        logs: list[float] = []
        while len(ids) < longest:
            out = self.model.model.decoder(
                input_ids=sequence[:, -1:],
                encoder_hidden_states=heard,
                past_key_values=cache,
                use_cache=True,
            )
            cache = out.past_key_values
            scores = rules(sequence, self.model.proj_out(out.last_hidden_state[:, -1]).float())
            chances = scores.log_softmax(-1)[0]
            token = int(chances.argmax())
            logs.append(float(chances[token]))
            if token == settings.eos_token_id:
                break
            ids.append(token)
            sequence = torch.cat([sequence, torch.tensor([[token]])], dim=1)
        return ids, float(np.mean(logs))

    def _phrases(self, ids: Sequence[int], span: Span) -> list[Phrase]:
        """Cut at time tokens, which enclose each phrase."""
        found: list[Phrase] = []
        start, words = 0.0, []
        for token in [*ids, None]:
            stamp = token is not None and token >= self.first_stamp
            if token is not None and not stamp:
                words.append(token)
                continue
            # The text may end without a time; then it lasts to the end of what was heard.
            length = span.end - span.start
            end = (token - self.first_stamp) * _STAMP if token is not None else length
            end = min(end, length)
            text = self._text(words)
            if text:
                low, high = span.start + min(start, end), span.start + end
                found.append(Phrase(round(low, 2), round(high, 2), text))
            start, words = end, []
        return found

    def _text(self, ids: Sequence[int]) -> str:
        plain = [i for i in ids if i < self.first_stamp]
        return str(self.processor.tokenizer.decode(plain, skip_special_tokens=True)).strip()


def windows(spans: Sequence[Span]) -> list[Span]:
    """Join neighbouring stretches as long as they fit one window.

    A longer stretch is cut into equal parts.
    """
    found: list[Span] = []
    for span in spans:
        if found and span.end - found[-1].start <= _WINDOW:
            found[-1] = Span(found[-1].start, span.end)
            continue
        parts = int(np.ceil((span.end - span.start) / _WINDOW))
        edges = np.linspace(span.start, span.end, parts + 1)
        found += [Span(float(a), float(b)) for a, b in pairwise(edges)]
    return found


def repeats(text: str) -> bool:
    """Whether a text repeats itself, as a transcriber that loops does."""
    data = text.encode()
    return len(data) > 24 and len(data) / len(zlib.compress(data)) > _MOST_REPEATED
