"""A loaded model, ready to be asked about clips. What command line, page and server share."""

from __future__ import annotations

from pathlib import Path

from emollama.base.config import Precision
from emollama.fusion.artefact import is_fusion_artefact
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
    "open_session",
]


def open_session(folder: Path, dtype: Precision = "auto", describe: bool = True) -> Session:
    """Load an artefact of either kind, with the encoders that it needs.

    Args:
        folder: the artefact.
        dtype: of a language model.
        describe: whether clips are also described (peak frame, timeline), which needs the face
            assets; without, they are encoded alone.

    Raises:
        EmollamaError: for whatever is the user's to mend.
    """
    if is_fusion_artefact(folder):
        return FusionSession.open(folder, describe)
    return LlmSession.open(folder, dtype, describe)
