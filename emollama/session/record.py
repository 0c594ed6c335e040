"""A conversation about a clip as plain data, to be saved."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from emollama.llm.processing import Turn
from emollama.session.answer import Answer, Weights
from emollama.session.base import Session
from emollama.session.look import Look


def record(
    session: Session,
    clip: str,
    look: Look,
    answer: Answer,
    turns: Sequence[Turn],
    weights: Weights | None = None,
) -> dict[str, Any]:
    """Model, clip, what was seen in it, the answer, and what was said about it."""
    sight = look.sight
    return {
        "model": session.name,
        "kind": session.kind,
        "clip": clip,
        "duration": round(look.duration, 3),
        "channels": {"present": list(look.present), "used": list(look.used)},
        "text_source": look.text_source,
        "transcript": None
        if sight.transcript is None
        else [{"start": p.start, "end": p.end, "text": p.text} for p in sight.transcript],
        "peak": None
        if sight.peak is None
        else {
            "time": round(sight.peak.time, 3),
            "box": [round(v, 1) for v in sight.peak.box],
            "faces": sight.peak.faces,
            "expression": {k: round(v, 4) for k, v in sight.peak.expression.items()},
        },
        "told": [
            {"start": round(t.start, 2), "end": round(t.end, 2), "channel": t.channel,
             "words": t.words}
            for t in sight.told
        ],
        "timeline": sight.timeline.to_dict(),
        "answer": answer.to_dict(),
        "weights": None if weights is None else weights.to_dict(),
        "turns": [{"role": t.role, "text": t.text} for t in turns],
    }  # fmt: skip
