"""What is known of a clip for checking a reason of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from emollama.manifest.action_units import units_in
from emollama.manifest.labels import LabelSet
from emollama.scoring.predictions.parsing import named_labels
from emollama.scoring.reasons.lexicon import clues_in


@dataclass(frozen=True)
class Facts:
    """The facts about a clip.

    Attributes:
        label: the emotion that a reason has to explain.
        channels: those that the clip has and the answer uses.
        units: action units measured in it; None if units were not measured.
        tone: the words measured on the voice; None if it was described in other words.
        text: transcript.
        looks: emotions that the face was measured to look like.
        content: what clue heads find in the words ("good news").
        alone: the emotion that each channel alone says, where it was asked.
    """

    label: str
    channels: frozenset[str] = frozenset({"voice", "face", "words"})
    units: frozenset[str] | None = None
    tone: tuple[str, ...] | None = ()
    text: str = ""
    looks: frozenset[str] = frozenset()
    content: tuple[str, ...] = ()
    alone: Mapping[str, str] = field(default_factory=dict)


def facts_of(
    label: str,
    channels: Iterable[str],
    clues: Mapping[str, str],
    text: str | None,
    labels: LabelSet,
) -> Facts:
    """Facts from clues in words, as a prompt and an answer hold them.

    Args:
        label: of the scores.
        channels: in use.
        clues: words by channel.
        text: what is said.
        labels: of the model.
    """
    used = frozenset(channels)
    voice, face = (clues.get(c, "") if c in used else "" for c in ("voice", "face"))
    tone = tuple(c.name for c in clues_in(voice) if c.channel == "voice")
    units = frozenset(units_in(face))
    looks = frozenset(named_labels(face, labels))
    words = (text or "") if "words" in used else ""
    content = clues.get("words", "") if "words" in used else ""
    told = tuple(filter(None, content.split(", ")))
    return Facts(label, used, units or None, tone, words, looks, told)
