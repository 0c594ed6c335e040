"""The data section of every run: samples, features and dropped channels."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from emollama.base.config import Strict


class DataSection(Strict):
    """The samples; a split may be the union of several ("train+val").

    `split_file` replaces the manifest's own splits (see `manifest.split_file`).
    """

    manifest: Path
    split_file: Path | None = None
    store: Path | None = None
    train_split: str = "train"
    validation_split: str | None = "val"


class ModalityDropout(Strict):
    """Probability of dropping a channel from an emotion question in training."""

    voice: float = Field(default=0.0, ge=0, le=1)
    face: float = Field(default=0.0, ge=0, le=1)
    words: float = Field(default=0.0, ge=0, le=1)
