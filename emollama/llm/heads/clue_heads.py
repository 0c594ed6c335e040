"""Regressions that say which clues a clip shows, for models trained where clues are known.

The rules of `clues` compare a few named columns with the training clips. A clue head reads the
means of all tracks of a channel: one logistic regression for each clue of the channel. Clues that
are more probable than the threshold are the channel's clue words, in place of the rules'.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from emollama.base.errors import EmollamaError
from emollama.base.paths import CLUE_HEADS_FILE
from emollama.encoders.base import FeatureTrack
from emollama.llm.configuration import StreamConfig
from emollama.llm.heads import head as files
from emollama.llm.heads.head import Head
from emollama.manifest.channels import Channel


@dataclass(frozen=True)
class ClueHeads:
    """The clue heads of a model.

    Attributes:
        threshold: probability from which a clue is named.
        heads: a row for each clue.
        words: the clues of the rows, as they stand in a prompt.
    """

    threshold: float
    heads: Mapping[Channel, Head]
    words: Mapping[Channel, tuple[str, ...]]

    def __str__(self) -> str:
        """What a log says of them."""
        counts = (f"{len(self.words[channel])} clues of the {channel}" for channel in self.heads)
        return f"{', '.join(counts)}, named above {self.threshold:g}"

    def describe(self, tracks: Mapping[str, FeatureTrack | None]) -> dict[str, str]:
        """Words for each channel that has a head and a track; "" where no clue is clear enough."""
        found = {}
        for channel, head in self.heads.items():
            logits = head.logits(tracks)
            if logits is not None:
                found[str(channel)] = named(self.words[channel], logits, self.threshold)
        return found


def named(words: Sequence[str], logits: np.ndarray, threshold: float) -> str:
    """The words of clues [K] that are more probable than the threshold, most probable first."""
    least = np.log(threshold / (1 - threshold))
    return ", ".join(words[k] for k in np.argsort(-logits, kind="stable") if logits[k] > least)


def write_heads(heads: ClueHeads, folder: Path) -> None:
    """Write them into an artefact's folder."""
    about = {"threshold": str(heads.threshold), "clues": json.dumps(heads.words)}
    files.write_heads(folder / CLUE_HEADS_FILE, heads.heads, about)


def read_heads(folder: Path, streams: Sequence[StreamConfig]) -> ClueHeads | None:
    """The heads of an artefact with these streams; None without any.

    Raises:
        EmollamaError: the file is corrupt, or of another model.
    """
    path = folder / CLUE_HEADS_FILE
    if not path.is_file():
        return None

    def rows(about: Mapping[str, str], channel: Channel) -> int:
        return len(_words(about)[channel])

    heads, about = files.read_heads(path, streams, rows)
    try:
        threshold, words = float(about["threshold"]), _words(about)
        if not 0 < threshold < 1:
            raise ValueError(f"threshold: is {threshold}, not between 0 and 1")
    except (KeyError, ValueError, RecursionError) as error:
        raise EmollamaError(f"{path}: is not a file of heads: {error!r}") from error
    return ClueHeads(threshold, heads, words)


def _words(about: Mapping[str, str]) -> dict[Channel, tuple[str, ...]]:
    found = json.loads(about["clues"])
    if not isinstance(found, dict) or not all(map(_are_words, found.values())):
        raise ValueError("clues: is not a table of words by channel")
    return {channel: tuple(words) for channel, words in found.items()}


def _are_words(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(word, str) and word for word in value)
