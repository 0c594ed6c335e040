"""A loaded model, ready to be asked about clips. What command line, page and server share."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from emollama.session.family import open_artefact, open_session

if TYPE_CHECKING:
    from emollama.llm.decoding import Reply, Sampling
    from emollama.llm.processing import Turn
    from emollama.session.answer import Answer, Frames, Weights
    from emollama.session.base import Session
    from emollama.session.fusion_session import FusionSession
    from emollama.session.llm_session import LlmSession
    from emollama.session.look import Look
    from emollama.session.sight import Peak, Sight, Timeline, Told

__all__ = [
    "Answer",
    "Frames",
    "FusionSession",
    "LlmSession",
    "Look",
    "Peak",
    "Reply",
    "Sampling",
    "Session",
    "Sight",
    "Timeline",
    "Told",
    "Turn",
    "Weights",
    "open_artefact",
    "open_session",
]

_PLACES = {
    "emollama.llm.decoding": ("Reply", "Sampling"),
    "emollama.llm.processing": ("Turn",),
    "emollama.session.answer": ("Answer", "Frames", "Weights"),
    "emollama.session.base": ("Session",),
    "emollama.session.fusion_session": ("FusionSession",),
    "emollama.session.llm_session": ("LlmSession",),
    "emollama.session.look": ("Look",),
    "emollama.session.sight": ("Peak", "Sight", "Timeline", "Told"),
}
_PLACE = {name: module for module, names in _PLACES.items() for name in names}


def __getattr__(name: str) -> Any:
    """Import a name's module when it is first asked for, so that a wrong path is told quickly."""
    if name not in _PLACE:
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    return getattr(import_module(_PLACE[name]), name)
