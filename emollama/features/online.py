"""Feature tracks of a clip on the spot, by the same code as extraction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from emollama.encoders.base import Encoder, FeatureTrack
from emollama.encoders.table import encoder_of
from emollama.features.worker import Job, clip_for, decode_views
from emollama.media.clip import Clip


@dataclass
class ClipEncoders:
    """Encoders by the source that names them in a feature store."""

    encoders: dict[str, Encoder] = field(default_factory=dict)

    @classmethod
    def open(cls, sources: Mapping[str, str], device: str) -> ClipEncoders:
        """Build the encoders of {source: fingerprint}; see `encoder_of`."""
        return cls({s: encoder_of(s, fingerprint, device) for s, fingerprint in sources.items()})

    def encode(
        self, video: Path, text: str | None, start: float | None, end: float | None
    ) -> tuple[Clip, dict[str, FeatureTrack | None]]:
        """The decoded clip, and each source's track of it (None where it has no such channel)."""
        clips = decode_views(
            Job("", video, None, start, end, text, ()), list(self.encoders.values())
        )
        tracks = {
            source: encoder.encode([replace(clip_for(encoder, clips), text=text)])[0]
            for source, encoder in self.encoders.items()
        }
        return next(iter(clips.values())), tracks
