"""How each emotion looks and sounds before any deviation: action units and prosody.

Unit sets follow the usual EMFACS combinations; prosody follows Scherer's review ("Vocal
communication of emotion", 2003) in direction, with sizes that espeak-ng can render.
"""

from __future__ import annotations

from dataclasses import dataclass

from emollama.manifest.labels import LABEL_SETS

LABELS = LABEL_SETS["mer2023"]
EMOTIONS: tuple[str, ...] = LABELS.labels

UNITS: tuple[str, ...] = (
    "AU1", "AU2", "AU4", "AU5", "AU6", "AU7", "AU9", "AU12", "AU15", "AU17", "AU20", "AU23",
    "AU26",
)  # fmt: skip

FACE_UNITS: dict[str, dict[str, float]] = {
    "neutral": {},
    "angry": {"AU4": 0.95, "AU5": 0.35, "AU7": 0.7, "AU9": 0.35, "AU17": 0.3, "AU23": 0.8},
    "happy": {"AU6": 0.8, "AU12": 0.95, "AU26": 0.2},
    "sad": {"AU1": 0.85, "AU4": 0.35, "AU15": 0.9, "AU17": 0.5},
    "worried": {"AU1": 0.9, "AU2": 0.4, "AU4": 0.45, "AU5": 0.75, "AU20": 1.0},
    "surprise": {"AU1": 0.8, "AU2": 0.9, "AU5": 0.8, "AU26": 0.85},
}
"""Emotion to apex intensities, 0..1."""


@dataclass(frozen=True)
class Prosody:
    """Deviations from a voice's own neutral.

    Attributes:
        pitch: semitones.
        rate: fraction of the neutral words a minute.
        loudness: decibels; loud speech is also brighter.
        range: fraction of the neutral melody range.
    """

    pitch: float
    rate: float
    loudness: float
    range: float


VOICE_PROSODY: dict[str, Prosody] = {
    "neutral": Prosody(0.0, 0.0, 0.0, 0.0),
    "angry": Prosody(-0.5, 0.2, 8.0, 0.3),
    "happy": Prosody(5.0, 0.08, 2.0, 0.8),
    "sad": Prosody(-4.0, -0.28, -6.0, -0.6),
    "worried": Prosody(2.5, 0.25, -5.0, -0.6),
    "surprise": Prosody(7.5, -0.1, 4.0, 1.2),
}

PROSODY_DEVIATION = Prosody(1.6, 0.09, 2.2, 0.35)
"""Standard deviation of one unit of voice noise, by dimension."""

VALENCE_AROUSAL: dict[str, tuple[float, float]] = {
    "neutral": (0.0, 0.0),
    "angry": (-0.6, 0.75),
    "happy": (0.8, 0.5),
    "sad": (-0.7, -0.5),
    "worried": (-0.5, 0.4),
    "surprise": (0.3, 0.8),
}
"""Valence and arousal at the apex, -1..1, placed after Russell's circumplex (1980)."""
