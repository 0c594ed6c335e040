"""Features of another encoder than a model was trained on are refused."""

from __future__ import annotations

from typing import Protocol

from emollama.base.errors import EmollamaError


class TrainedInput(Protocol):
    """What a model is fed by: a stream of an LLM, a modality of a fusion model."""

    @property
    def name(self) -> str:
        """Of the stream or modality."""

    @property
    def source(self) -> str:
        """The encoder or folder that it is read from."""

    @property
    def fingerprint(self) -> str:
        """Of the features it was trained on; empty before."""


def require_same_encoder(one: TrainedInput, fingerprint: str, where: str) -> None:
    """Refuse features of another version of an encoder than the model was trained on."""
    if one.fingerprint and fingerprint != one.fingerprint:
        raise EmollamaError(
            f"{where}: '{one.name}': this '{one.source}' is not the one that the model was "
            "trained on (other weights, code or columns)"
        )
