"""Norms of the corpus: means and deviations that clips are compared with.

One pass over the rows, one clip at a time, in constant memory. Speakers with enough clips have
their own means.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from emollama.base.errors import EmollamaError
from emollama.base.files import read_json, write_json
from emollama.merr.build import Build
from emollama.merr.measure.names import EXPRESSION_PREFIX
from emollama.merr.measure.tools import CLIPS, UNITS, VOICE
from emollama.merr.rules import expression_evidence
from emollama.merr.stagefile import Row
from emollama.merr.words import WORDS

NORMS = "norms"
CORPUS = "the other clips"
LEAST_CLIPS = 4
"""Clips that a speaker needs for its own means."""
_APEX = 75  # percentile over a clip's frames that stands for the clip

_LEAST_DEVIATION = 0.05


@dataclass
class _Sums:
    """Running mean and squared deviations by name (Welford 1962); a name may be missing in some."""

    count: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    mean: dict[str, float] = field(default_factory=dict)
    squares: dict[str, float] = field(default_factory=dict)

    def add(self, values: Mapping[str, float]) -> None:
        self.count += 1
        for name, value in values.items():
            self.counts[name] += 1
            old = self.mean.get(name, 0.0)
            new = old + (value - old) / self.counts[name]
            self.mean[name] = new
            self.squares[name] = self.squares.get(name, 0.0) + (value - old) * (value - new)

    def to_dict(self) -> dict[str, dict[str, float]]:
        return {
            "mean": {n: round(v, 5) for n, v in sorted(self.mean.items())},
            "deviation": {
                n: round(float(np.sqrt(v / self.counts[n])), 5)
                for n, v in sorted(self.squares.items())
            },
        }


@dataclass(frozen=True)
class Norms:
    """Means and deviations: of facial signs, of prosody (also by speaker), of words' similarities.

    Attributes:
        values: as in `stages/norms.json`.
    """

    values: Mapping[str, Any]

    @property
    def fingerprint(self) -> str:
        """A hash of all values."""
        text = json.dumps(self.values, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def face(self, signs: Mapping[str, float], relative: bool) -> dict[str, float]:
        """Intensities of a picture or clip as input of the rules.

        Expressions are log-probabilities minus the corpus mean, which removes a classifier's
        overall preference for a class. A unit that is the same in every clip (some landmarkers
        never move the cheeks) counts as not measured and is left out.
        """
        norm = self.values["face"]
        found: dict[str, float] = {}
        for sign, value in signs.items():
            if sign.startswith(EXPRESSION_PREFIX):
                found[sign] = expression_evidence(value) - (norm["mean"][sign] if relative else 0.0)
            elif relative:
                deviation = norm["deviation"][sign]
                if deviation >= _LEAST_DEVIATION:
                    found[sign] = (value - norm["mean"][sign]) / deviation
            else:
                found[sign] = value
        return found

    def voice(self, prosody: Mapping[str, float], speaker: str | None) -> dict[str, float]:
        """Prosody columns in deviations from the speaker's mean, else from the corpus mean."""
        own = self.values["speakers"].get(speaker or "")
        mean = own or self.values["voice"]["mean"]
        within = "within" if own else "voice"
        deviation = self.values[within]["deviation"]
        return {n: (v - mean[n]) / max(deviation[n], 1e-3) for n, v in prosody.items()}

    def compared_with(self, speaker: str | None) -> str:
        """What `voice` compares with, in words."""
        return (
            "this speaker's other clips" if (speaker or "") in self.values["speakers"] else CORPUS
        )

    def words(self, similar: Mapping[str, float]) -> dict[str, float]:
        """Similarities minus their mean over the corpus."""
        mean = self.values["words"]["mean"]
        return {name: value - mean[name] for name, value in similar.items()}


def apex(row: Row) -> dict[str, float]:
    """A clip's signs: of each the 75th percentile over frames with a face."""
    kept = np.array(row["values"])[np.array(row["found"], bool)]
    return dict(zip(row["signs"], np.percentile(kept, _APEX, axis=0).tolist(), strict=True))


def write_norms(build: Build) -> Norms:
    """Stage `norms`: read the measured rows once and write `stages/norms.json`."""
    began = time.monotonic()
    face, voice, words = _Sums(), _Sums(), _Sums()
    speakers: dict[str, _Sums] = {}
    for item in build.items(CLIPS, UNITS, VOICE, WORDS):
        signs = apex(item.rows[UNITS])
        face.add({
            s: expression_evidence(v) if s.startswith(EXPRESSION_PREFIX) else v
            for s, v in signs.items()
        })  # fmt: skip
        if (prosody := item.rows[VOICE]["prosody"]) is not None:
            voice.add(prosody)
            if speaker := item.rows[CLIPS].get("speaker"):
                speakers.setdefault(speaker, _Sums()).add(prosody)
        if (similar := item.rows[WORDS]["similar"]) is not None:
            words.add(similar)
    if not face.count:
        raise EmollamaError(f"{build.out}: no clip has a face, so there is nothing to describe")
    own = {name: sums for name, sums in speakers.items() if sums.count >= LEAST_CLIPS}
    values = {
        "clips": face.count,
        "face": face.to_dict(),
        "voice": voice.to_dict(),
        "words": words.to_dict(),
        "speakers": {name: sums.to_dict()["mean"] for name, sums in sorted(own.items())},
        "within": _within(own.values()),
    }
    if build.first:
        write_json(build.stages / f"{NORMS}.json", values)
        build.log(NORMS, time.monotonic() - began)
    build.ranks.barrier()
    return read_norms(build.stages)


def _within(speakers: Iterable[_Sums]) -> dict[str, dict[str, float]]:
    """Deviation of prosody from the speakers' own means, over all speakers."""
    squares: dict[str, float] = {}
    count = 0
    for sums in speakers:
        count += sums.count
        for name, value in sums.squares.items():
            squares[name] = squares.get(name, 0.0) + value
    return {"deviation": {n: round(float(np.sqrt(v / count)), 5) for n, v in squares.items()}}


def read_norms(stages: Path) -> Norms:
    """Read the file from `write_norms`."""
    path = stages / f"{NORMS}.json"
    if not path.is_file():
        raise EmollamaError(f"{path}: stage 'norms' has not been run; run it first")
    return Norms(read_json(path))
