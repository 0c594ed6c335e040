"""Feature tracks of several corpora as one reader, and of a channel that a corpus lacks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from emollama.base.errors import EmollamaError
from emollama.encoders.base import FeatureTrack
from emollama.features.store import StoredTracks
from emollama.features.tracks import TrackReader

SEPARATOR = "/"
"""Between a corpus and the id that a sample has in it."""


class MixedTracks:
    """A `TrackReader` of ids "corpus/id" over the readers of the corpora.

    Args:
        parts: by corpus; None for one that lacks the channel.
        where: begins messages.

    Raises:
        EmollamaError: no corpus has the channel, or two have tracks of different encoders.
    """

    def __init__(self, parts: Mapping[str, TrackReader | None], where: str) -> None:
        self.parts = dict(parts)
        found = {name: reader for name, reader in parts.items() if reader is not None}
        if not found:
            raise EmollamaError(f"{where}: every corpus lacks its channel")
        self._first = next(iter(found.values()))
        for name, reader in found.items():
            same = (reader.width, reader.fingerprint) == (self.width, self.fingerprint)
            if not same or _key(reader) != self.key:
                raise EmollamaError(
                    f"{where}: the features of '{name}' and '{next(iter(found))}' come from "
                    "different encoders (another width, version or option); extract one of them "
                    "again"
                )

    @property
    def key(self) -> str | None:
        """The encoder's key in the feature stores; None for external tracks."""
        return _key(self._first)

    @property
    def width(self) -> int:
        """D of every track."""
        return self._first.width

    @property
    def fingerprint(self) -> str:
        """Of the encoder, the same in all corpora."""
        return self._first.fingerprint

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the D columns, or ()."""
        return self._first.columns

    @property
    def readers(self) -> Sequence[TrackReader]:
        """Those of the corpora that have the channel."""
        return [reader for reader in self.parts.values() if reader is not None]

    def __contains__(self, sample_id: object) -> bool:
        reader, own = self._of(str(sample_id))
        return reader is not None and own in reader

    def ids(self) -> list[str]:
        """Every id of every corpus."""
        known = self.parts.items()
        return [f"{name}{SEPARATOR}{i}" for name, part in known if part for i in part.ids()]

    def status(self, sample_id: str) -> str:
        """As that of the sample's corpus; 'absent' where it lacks the channel."""
        reader, own = self._of(sample_id)
        return "absent" if reader is None else reader.status(own)

    def get(self, sample_id: str) -> FeatureTrack | None:
        """The track; None where it is absent, or the corpus lacks the channel."""
        reader, own = self._of(sample_id)
        return None if reader is None else reader.get(own)

    def _of(self, sample_id: str) -> tuple[TrackReader | None, str]:
        name, _, own = sample_id.partition(SEPARATOR)
        return self.parts[name], own


class AbsentTracks:
    """A `TrackReader` of a channel that a corpus lacks: every track is absent."""

    columns: tuple[str, ...] = ()

    def __init__(self, width: int, fingerprint: str) -> None:
        self.width = width
        self.fingerprint = fingerprint

    def __contains__(self, sample_id: object) -> bool:
        return True

    def ids(self) -> list[str]:
        """None are known."""
        return []

    def status(self, sample_id: str) -> str:
        """'absent'."""
        del sample_id
        return "absent"

    def get(self, sample_id: str) -> FeatureTrack | None:
        """None."""
        del sample_id
        return None


def _key(reader: TrackReader) -> str | None:
    return reader.key if isinstance(reader, StoredTracks) else None
