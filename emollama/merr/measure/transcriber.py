"""Transcripts by Whisper, where there is speech, as rows of stage `transcript`."""

from __future__ import annotations

import hashlib
from functools import cached_property

import numpy as np

from emollama.assets import fetch, weights_hash
from emollama.base.errors import EmollamaError, did_you_mean
from emollama.base.quiet import quiet_libraries
from emollama.media.speech import SpeechActivity
from emollama.media.transcript import WHISPER, Transcriber
from emollama.merr.stagefile import Row

MODELS = (WHISPER,)


class TranscriptRows:
    """Rows from the transcriber that page and server also use; it is loaded at the first speech.

    Args:
        asset: one of `MODELS`.

    Raises:
        EmollamaError: no such model.
    """

    def __init__(self, asset: str = WHISPER) -> None:
        if asset not in MODELS:
            raise EmollamaError(
                f"transcript.whisper: '{asset}' is unknown{did_you_mean(asset, MODELS)}"
            )
        self.asset = asset

    @cached_property
    def fingerprint(self) -> str:
        """Of code version and weights."""
        hashes = [weights_hash(fetch(name)) for name in (self.asset, "silero-vad")]
        return hashlib.sha256(f"transcript-2:{hashes}".encode()).hexdigest()[:16]

    @cached_property
    def _activity(self) -> SpeechActivity:
        return SpeechActivity.from_asset()

    @cached_property
    def _transcriber(self) -> Transcriber:
        quiet_libraries()
        return Transcriber(fetch(self.asset), self._activity)

    def row(self, audio: np.ndarray) -> Row:
        """Text of float32 sound [n] at 16 kHz, its source, seconds of speech, and phrases."""
        spans = self._activity.spans(audio)
        phrases = self._transcriber.hear(audio, spans) if spans else ()
        row: Row = {
            "status": "ok",
            "source": self.asset,
            "speech": round(sum(span.end - span.start for span in spans), 2),
            "text": " ".join(phrase.text for phrase in phrases),
        }
        if phrases:
            return {**row, "phrases": [[p.start, p.end, p.text] for p in phrases]}
        return {**row, "note": "nothing understood" if spans else "no speech"}
