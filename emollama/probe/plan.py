"""The plan of one clip: a pure function of (settings, split, index), made before drawing.

The label is the intended emotion. Voice, face and words each show it with their own probability,
and otherwise another emotion, drawn independently: so channels disagree, and the truth of each is
recorded. How a channel shows its emotion then deviates at random.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from emollama.base.errors import EmollamaError, require_known
from emollama.probe.cast import SPLITS, Casting, Split, cast_clip
from emollama.probe.emotions import (
    EMOTIONS,
    FACE_UNITS,
    PROSODY_DEVIATION,
    UNITS,
    VOICE_PROSODY,
    Prosody,
)
from emollama.probe.identity import make_identity
from emollama.probe.vocabulary import level

FRACTIONS: dict[Split, float] = {"train": 0.5, "val": 0.1, "test": 0.4}
MINIMUM_CLIPS = 10


@dataclass(frozen=True)
class Settings:
    """Settings that control how hard a probe corpus is.

    Attributes:
        seed: seed of all random draws.
        shown_by_voice: probability that the voice shows the intended emotion.
        shown_by_face: the same for the face.
        shown_by_words: the same for the words.
        voice_noise: deviation of the prosody, in units of `emotions.PROSODY_DEVIATION`.
        face_noise: deviation of each action unit, in intensity (0..1).
    """

    seed: int
    shown_by_voice: float = 0.82
    shown_by_face: float = 0.84
    shown_by_words: float = 0.75
    voice_noise: float = 0.9
    face_noise: float = 0.22

    def __post_init__(self) -> None:
        if self.seed < 0:
            raise EmollamaError(f"seed {self.seed} must not be negative")
        for name in ("shown_by_voice", "shown_by_face", "shown_by_words"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise EmollamaError(f"'{name}' is {getattr(self, name)}; it must be in 0..1")
        for name in ("voice_noise", "face_noise"):
            if not 0.0 <= getattr(self, name) <= 5.0:
                raise EmollamaError(f"'{name}' is {getattr(self, name)}; it must be in 0..5")


@dataclass(frozen=True)
class ClipPlan:
    """The full plan of a clip.

    Attributes:
        clip_id: "test-0007".
        intended: the label.
        voice, face, words: the emotion that each channel shows.
        units: action unit to apex intensity, 0..1, as drawn.
        prosody: deviation from the voice's neutral, as spoken.
        drawing: seed of everything without emotion: blinks, head motion, timing, grain.
    """

    clip_id: str
    split: Split
    intended: str
    voice: str
    face: str
    words: str
    casting: Casting
    units: dict[str, float]
    prosody: Prosody
    drawing: tuple[int, ...]


def split_sizes(clips: int) -> dict[Split, int]:
    """How many of `clips` clips go to each split; no split is empty."""
    if clips < MINIMUM_CLIPS:
        raise EmollamaError(f"{clips} clips are too few for three splits; ask for at least "
                            f"{MINIMUM_CLIPS}")  # fmt: skip
    test, val = round(FRACTIONS["test"] * clips), round(FRACTIONS["val"] * clips)
    return {"train": clips - test - val, "val": val, "test": test}


def plan_clip(
    settings: Settings, split: Split, index: int, like: Casting | None = None
) -> ClipPlan:
    """Plan clip `index` of a split; emotions take turns, so every split is balanced.

    `like` fixes the voice and the face instead of drawing them.
    """
    require_known("split", split, SPLITS)
    key = (settings.seed, SPLITS.index(split), index)
    generator = np.random.default_rng(key)
    intended = EMOTIONS[index % len(EMOTIONS)]
    voice = _shown(generator, intended, settings.shown_by_voice)
    face = _shown(generator, intended, settings.shown_by_face)
    words = _shown(generator, intended, settings.shown_by_words)
    casting = cast_clip(generator, split, words)
    if like is not None:
        casting = replace(casting, voice=like.voice, face=like.face)
    expressiveness = make_identity(casting.face).expressiveness
    return ClipPlan(
        clip_id=f"{split}-{index:04d}",
        split=split,
        intended=intended,
        voice=voice,
        face=face,
        words=words,
        casting=casting,
        units=_units(generator, face, expressiveness, settings.face_noise),
        prosody=_prosody(generator, voice, settings.voice_noise),
        drawing=(*key, 1),
    )


def _shown(generator: np.random.Generator, intended: str, probability: float) -> str:
    """The intended emotion, or with probability 1 - `probability` one of the others."""
    others = [emotion for emotion in EMOTIONS if emotion != intended]
    other = others[int(generator.integers(len(others)))]
    return intended if generator.random() < probability else other


def _units(
    generator: np.random.Generator, face: str, expressiveness: float, noise: float
) -> dict[str, float]:
    """Apex intensities: the emotion's units scaled as a whole, and each with its own deviation."""
    strength = expressiveness * generator.uniform(0.75, 1.1)
    deviations = generator.normal(0.0, noise, len(UNITS))
    wanted = FACE_UNITS[face]
    values = {
        unit: float(np.clip(strength * wanted.get(unit, 0.0) + d, 0.0, 1.0))
        for unit, d in zip(UNITS, deviations, strict=True)
    }
    return {unit: round(value, 3) for unit, value in values.items()}


def _prosody(generator: np.random.Generator, voice: str, noise: float) -> Prosody:
    """The voice's deviations, clipped to the range that espeak-ng renders without artefacts."""
    strength = generator.uniform(0.75, 1.15)
    draws = generator.normal(0.0, noise, 4)
    mean, spread = VOICE_PROSODY[voice], PROSODY_DEVIATION
    return Prosody(
        pitch=round(float(np.clip(strength * mean.pitch + draws[0] * spread.pitch, -7, 12)), 2),
        rate=round(float(np.clip(strength * mean.rate + draws[1] * spread.rate, -0.4, 0.5)), 3),
        loudness=round(
            float(np.clip(strength * mean.loudness + draws[2] * spread.loudness, -11, 11)), 2
        ),
        range=round(float(np.clip(strength * mean.range + draws[3] * spread.range, -0.9, 1.3)), 3),
    )


def prosody_words(prosody: Prosody) -> dict[str, str]:
    """Each dimension's level relative to the voice's own neutral: {"pitch": "high", ...}."""
    return {name: level(name, value) for name, value in asdict(prosody).items()}


def truth(plan: ClipPlan, settings: Settings) -> dict[str, Any]:
    """The content of `Sample.truth`: each channel's emotion and what was rendered."""
    return {
        "voice": plan.voice,
        "face": plan.face,
        "words": plan.words,
        "face_units": plan.units,
        "prosody": prosody_words(plan.prosody),
        "prosody_values": asdict(plan.prosody),
        "voice_id": plan.casting.voice.voice_id,
        "face_id": f"face-{plan.casting.face:02d}",
        "sentence_id": plan.casting.sentence.sentence_id,
        "shown_with": {
            "voice": settings.shown_by_voice,
            "face": settings.shown_by_face,
            "words": settings.shown_by_words,
        },
    }
