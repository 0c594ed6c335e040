"""The protocol of readers of feature tracks by sample id."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np

from emollama.base.errors import EmollamaError
from emollama.encoders.base import FeatureTrack
from emollama.manifest.sample import Sample


class TrackReader(Protocol):
    """Feature tracks of one encoder (or one external tool) by sample id.

    Attributes:
        width: D of every track.
        fingerprint: identifies the code and weights behind the numbers.
        columns: names of the D columns, or ().
    """

    @property
    def width(self) -> int: ...  # noqa: D102

    @property
    def fingerprint(self) -> str: ...  # noqa: D102

    @property
    def columns(self) -> tuple[str, ...]: ...  # noqa: D102

    def __contains__(self, sample_id: object) -> bool: ...

    def ids(self) -> list[str]:
        """Every id this reader knows, whatever its status."""
        ...

    def status(self, sample_id: str) -> str:
        """'ok', 'absent' (the clip has no such channel), 'failed: <reason>' or 'missing'."""
        ...

    def get(self, sample_id: str) -> FeatureTrack | None:
        """The track, or None where it is absent.

        Raises:
            EmollamaError: it is missing, its extraction failed, or it holds NaN.
        """
        ...


def require_finite(values: np.ndarray, where: str) -> None:
    """Raise an `EmollamaError` that begins with `where` unless every value is finite."""
    finite = np.isfinite(values)
    if not finite.all():
        step, column = (int(i) for i in np.argwhere(~finite)[0])
        raise EmollamaError(
            f"{where}: holds {values[step, column]} (step {step}, column {column}); "
            "features must be finite; extract or export this clip again"
        )


def usable(
    samples: Sequence[Sample], readers: Mapping[str, TrackReader]
) -> tuple[list[Sample], dict[str, str]]:
    """Samples with readable features, and the reason for each of the others.

    A track that is absent (no face in the clip) is fine; one whose extraction failed, or that was
    never extracted, is not. Callers report the second list: nothing is left out silently.
    """
    kept: list[Sample] = []
    left_out: dict[str, str] = {}
    for sample in samples:
        for name, reader in readers.items():
            status = reader.status(sample.id)
            if status not in ("ok", "absent"):
                left_out[sample.id] = f"{name}: {status}"
                break
        else:
            kept.append(sample)
    return kept, left_out
