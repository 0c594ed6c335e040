"""A conversation about a clip as plain data, to be saved."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from emollama.llm.processing import Turn
from emollama.session.answer import Answer, Weights
from emollama.session.base import Session
from emollama.session.clip_view import ClipView


def record(
    session: Session,
    clip: str,
    look: ClipView,
    answer: Answer,
    turns: Sequence[Turn],
    weights: Weights | None = None,
) -> dict[str, Any]:
    """Model, clip, observation, answer and conversation."""
    observation = look.observation
    return {
        "model": session.name,
        "kind": session.kind,
        "clip": clip,
        "duration": round(look.duration, 3),
        "channels": {
            "present": list(look.present),
            "used": list(look.used),
            "absent": dict(look.absent),
        },
        "text_source": look.text_source,
        "language": None if look.language is None else look.language.to_dict(),
        "transcript": None
        if observation.transcript is None
        else [phrase.to_dict() for phrase in observation.transcript],
        "peak": None if observation.peak is None else observation.peak.to_dict(),
        "told": [told.to_dict() for told in observation.measurements],
        "timeline": observation.timeline.to_dict(),
        "answer": answer.to_dict(),
        "weights": None if weights is None else weights.to_dict(),
        "turns": [{"role": t.role, "text": t.text} for t in turns],
    }  # fmt: skip
