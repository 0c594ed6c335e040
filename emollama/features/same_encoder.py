"""Checks that features come from the encoder that a model was trained on."""

from __future__ import annotations

from typing import Protocol

from emollama.base.errors import EmollamaError


class TrainedInput(Protocol):
    """An input of a model: a stream of an LLM, or a modality of a fusion model."""

    @property
    def name(self) -> str:
        """The name of the stream or modality."""

    @property
    def source(self) -> str:
        """The encoder or folder it is read from."""

    @property
    def fingerprint(self) -> str:
        """Fingerprint of the features in training; empty before."""


def require_same_encoder(one: TrainedInput, fingerprint: str, where: str) -> None:
    """Raise an error for features of another encoder version than in training."""
    if one.fingerprint and fingerprint != one.fingerprint:
        raise EmollamaError(
            f"{where}: '{one.name}': '{one.source}' differs from the encoder in "
            "training (other weights, code or columns); extract its features again"
        )
