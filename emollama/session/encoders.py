"""The encoders of a model's inputs, checked against those of its training."""

from __future__ import annotations

from emollama.base.device import default_device
from emollama.encoders.base import Encoder
from emollama.encoders.table import encoder_of
from emollama.features.same_encoder import require_same_encoder
from emollama.runs.artefact import Artefact


def open_encoders(artefact: Artefact) -> dict[str, Encoder]:
    """The encoders, by source, of inputs whose tracks can be made from a clip.

    Raises:
        EmollamaError: an encoder differs from the one in training.
    """
    device = str(default_device())
    found: dict[str, Encoder] = {}
    for one in artefact.inputs:
        if not one.cached or not one.online:
            continue
        if one.source not in found:
            found[one.source] = encoder_of(one.source, one.fingerprint, device)
        require_same_encoder(one, found[one.source].fingerprint, str(artefact.folder))
    return found
