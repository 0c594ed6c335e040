"""Norms of the corpus: means and deviations that clips are compared with.

One pass over the rows, one clip at a time, in constant memory. People with enough clips have means
of their own, of the face and of the voice.
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
"""Clips that a person needs for means of their own."""
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
    """Means and deviations: of facial signs and prosody (also by person), of words' similarities.

    Attributes:
        values: as in `stages/norms.json`.
    """

    values: Mapping[str, Any]

    @property
    def fingerprint(self) -> str:
        """A hash of all values."""
        text = json.dumps(self.values, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def face(
        self, signs: Mapping[str, float], relative: bool, person: str | None
    ) -> dict[str, float]:
        """Intensities of a picture or clip of a person as input of the rules.

        Relative ones are compared with the person's own mean, else with the corpus'. Of expressions
        that is the difference of log-probabilities, which removes a classifier's overall preference
        for a class, or what it takes a person's resting face for; of units it is in deviations. A
        unit that is the same in every clip (some landmarkers never move the cheeks) counts as not
        measured and is left out.
        """
        norm = self.values["face"]
        own = self.values.get("faces", {}).get(person or "")
        mean = norm["mean"] | (own or {})
        deviations = self.values["within_faces"]["deviation"] if own else norm["deviation"]
        found: dict[str, float] = {}
        for sign, value in signs.items():
            if sign.startswith(EXPRESSION_PREFIX):
                found[sign] = expression_evidence(value) - (mean[sign] if relative else 0.0)
            elif relative:
                if norm["deviation"][sign] >= _LEAST_DEVIATION:
                    deviation = max(deviations.get(sign, 0.0), _LEAST_DEVIATION)
                    found[sign] = (value - mean[sign]) / deviation
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
    faces: dict[str, _Sums] = {}
    for item in build.items(CLIPS, UNITS, VOICE, WORDS):
        signs = {
            s: expression_evidence(v) if s.startswith(EXPRESSION_PREFIX) else v
            for s, v in apex(item.rows[UNITS]).items()
        }
        face.add(signs)
        if person := person_seen(item.rows[CLIPS]):
            faces.setdefault(person, _Sums()).add(signs)
        if (prosody := item.rows[VOICE]["prosody"]) is not None:
            voice.add(prosody)
            if speaker := item.rows[CLIPS].get("speaker"):
                speakers.setdefault(speaker, _Sums()).add(prosody)
        if (similar := item.rows[WORDS]["similar"]) is not None:
            words.add(similar)
    if not face.count:
        raise EmollamaError(f"{build.out}: no clip has a face, so there is nothing to describe")
    speakers, faces = _of_enough(speakers), _of_enough(faces)
    values: dict[str, Any] = {
        "clips": face.count,
        "face": face.to_dict(),
        "voice": voice.to_dict(),
        "words": words.to_dict(),
        "speakers": _means(speakers),
        "within": _within(speakers.values()),
    }
    if faces:
        values |= {"faces": _means(faces), "within_faces": _within(faces.values())}
    if build.first:
        write_json(build.stages / f"{NORMS}.json", values)
        build.log(NORMS, time.monotonic() - began)
    build.ranks.barrier()
    return read_norms(build.stages)


def person_seen(clip: Row) -> str | None:
    """Whose face a clip shows, where that is known: the speaker's, unless another is named."""
    found: str | None = clip.get("face") or clip.get("speaker")
    return found


def _of_enough(people: Mapping[str, _Sums]) -> dict[str, _Sums]:
    return {name: sums for name, sums in people.items() if sums.count >= LEAST_CLIPS}


def _means(people: Mapping[str, _Sums]) -> dict[str, dict[str, float]]:
    return {name: sums.to_dict()["mean"] for name, sums in sorted(people.items())}


def _within(people: Iterable[_Sums]) -> dict[str, dict[str, float]]:
    """Deviation from people's own means, over all people."""
    squares: dict[str, float] = {}
    count = 0
    for sums in people:
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
