"""Names of the encoders, known before any of them is imported."""

from __future__ import annotations

from collections.abc import Iterable

from emollama.assets.models import MODELS
from emollama.base.errors import require_known

NAMES = ("whisper-tiny.en", "prosody", "expression", "smollm2-135m-instruct", *MODELS)
"""Keys of `table.ENCODERS`, in its order."""


def need_encoders(specs: Iterable[str]) -> None:
    """Raise an error if a spec does not begin with the name of an encoder.

    Raises:
        EmollamaError: naming the nearest known one.
    """
    for spec in specs:
        require_known("encoder", spec.strip().split("+")[0], NAMES)
