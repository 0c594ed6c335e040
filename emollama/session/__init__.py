"""Sessions: a loaded model that answers about clips, for command line, page and server."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any
from warnings import warn

from emollama.session.family import open_artefact, open_session

if TYPE_CHECKING:
    from emollama.llm.decoding import Reply, Sampling
    from emollama.llm.processing import Turn
    from emollama.session.answer import Answer, Frames, Weights
    from emollama.session.base import Session
    from emollama.session.clip_view import ClipView
    from emollama.session.fusion_session import FusionSession
    from emollama.session.llm_session import LlmSession
    from emollama.session.observation import Measurement, Observation, Peak, Timeline

__all__ = [
    "Answer",
    "ClipView",
    "Frames",
    "FusionSession",
    "LlmSession",
    "Measurement",
    "Observation",
    "Peak",
    "Reply",
    "Sampling",
    "Session",
    "Timeline",
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
    "emollama.session.clip_view": ("ClipView",),
    "emollama.session.observation": ("Measurement", "Observation", "Peak", "Timeline"),
}
_PLACE = {name: module for module, names in _PLACES.items() for name in names}
_RENAMED = {"Look": "ClipView", "Sight": "Observation", "Told": "Measurement"}
"""Names of the previous release, removed in the next one."""


def __getattr__(name: str) -> Any:
    """Import a name's module on first use, so that a wrong path is reported quickly."""
    if name in _RENAMED:
        now = _RENAMED[name]
        warn(f"emollama.session.{name} is now {now}", DeprecationWarning, stacklevel=2)
        name = now
    if name not in _PLACE:
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    return getattr(import_module(_PLACE[name]), name)
