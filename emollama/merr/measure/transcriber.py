"""Transcripts by Whisper, where there is speech, as rows of stage `transcript`."""

from __future__ import annotations

import hashlib
from functools import cached_property

import numpy as np

from emollama.assets import fetch, weights_hash
from emollama.base.quiet import quiet_libraries
from emollama.media.speech import SpeechActivity
from emollama.media.transcript import Transcriber
from emollama.media.whispers import Whisper
from emollama.merr.stagefile import Row


class TranscriptRows:
    """Rows from the transcriber that page and server also use; it is loaded at the first speech.

    Args:
        whisper: the transcriber.
    """

    def __init__(self, whisper: Whisper = Whisper()) -> None:  # noqa: B008  it is frozen
        self.whisper = whisper

    @cached_property
    def fingerprint(self) -> str:
        """Of code version and weights."""
        if self.whisper.embedded:
            own = weights_hash(fetch(self.whisper.name))
        else:
            own = self.whisper.fingerprint()
        hashes = [own, weights_hash(fetch("silero-vad"))]
        return hashlib.sha256(f"transcript-3:{hashes}".encode()).hexdigest()[:16]

    @cached_property
    def _activity(self) -> SpeechActivity:
        return SpeechActivity.from_asset()

    @cached_property
    def _transcriber(self) -> Transcriber:
        quiet_libraries()
        return Transcriber(self.whisper.folder(), self._activity, self.whisper.language)

    def row(self, audio: np.ndarray) -> Row:
        """Text of float32 sound [n] at 16 kHz, its source, seconds of speech, and phrases.

        `language` stands in it where the transcriber knows several.
        """
        spans = self._activity.spans(audio)
        row: Row = {
            "status": "ok",
            "source": self.whisper.title,
            "speech": round(sum(span.end - span.start for span in spans), 2),
            "text": "",
        }
        if not spans:
            return {**row, "note": "no speech"}
        said = self._transcriber.hear(audio, spans)
        row["text"] = " ".join(phrase.text for phrase in said.phrases)
        if said.language is not None:
            row["language"] = said.language.to_dict()
        if not said.phrases:
            return {**row, "note": "nothing understood"}
        return {**row, "phrases": [[p.start, p.end, p.text] for p in said.phrases]}
