"""The encoder protocol: a frozen model that turns a clip into a feature track."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from emollama.manifest.channels import Channel
from emollama.media.clip import MAX_SIDE, Clip


@dataclass(frozen=True)
class FeatureTrack:
    """Features of one clip over time.

    Attributes:
        values: float32 [T, D]; T = 1 for an utterance vector.
        times: float32 [T], seconds from the clip's start, the centre of each step; 0 for words.
    """

    values: np.ndarray
    times: np.ndarray


@dataclass(frozen=True)
class View:
    """What an encoder must see of a clip; the decoder gives it that.

    Attributes:
        frames: number of frames; 0 for none.
        opening: whether the clip's first frame is meant, not `frames` spread over it.
        max_side: pixels that a larger frame is scaled down to; None for all pixels as stored.
    """

    frames: int = 0
    opening: bool = False
    max_side: int | None = MAX_SIDE


class Encoder(Protocol):
    """A frozen model: clip in, feature track out.

    Attributes:
        key: canonical spec ("whisper-tiny.en+layer=2+segments=8"), also the folder name in a
            feature store.
        channel: which channel of a person it reads.
        width: D of its tracks.
        frames: number of video frames it needs (0 for voice and words). What else it must see it
            says in attributes that it need not have, `opening` and `max_side`, as in `View`. One
            whose `finds_faces` is True has no track of a clip with too few faces.
        columns: names of the D columns, or ().
        fingerprint: changes whenever the numbers would (code version, weights, options).
    """

    @property
    def key(self) -> str: ...  # noqa: D102

    @property
    def channel(self) -> Channel: ...  # noqa: D102

    @property
    def width(self) -> int: ...  # noqa: D102

    @property
    def frames(self) -> int: ...  # noqa: D102

    @property
    def columns(self) -> tuple[str, ...]: ...  # noqa: D102

    @property
    def fingerprint(self) -> str: ...  # noqa: D102

    def encode(self, clips: Sequence[Clip]) -> list[FeatureTrack | None]:
        """One track per clip, None where the clip has no such channel.

        A clip's track does not depend on the other clips of the batch.
        """
        ...


def view_of(encoder: Encoder) -> View:
    """What an encoder must see; one that reads no frames has the empty view."""
    if not encoder.frames:
        return View()
    return View(
        encoder.frames,
        getattr(encoder, "opening", False),
        getattr(encoder, "max_side", MAX_SIDE),
    )
