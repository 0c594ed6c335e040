"""The data section of every run: samples, features and dropped channels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import (
    Field,
    SerializerFunctionWrapHandler,
    ValidationInfo,
    field_validator,
    model_serializer,
    model_validator,
)
from pydantic_core import PydanticCustomError

from emollama.base.config import Strict
from emollama.manifest.channels import Channel


class CorpusSection(Strict):
    """One corpus of a mixture (see `inputs.mixture`).

    `store` is `data.store` where it is not given; `features` is the folder with this corpus's
    `npy:` folders. `share` is relative to the other corpora's. `map` translates labels (or native
    labels) into the common label set; null leaves a label out. `lacks`: channels that are never
    read.
    """

    manifest: Path
    split_file: Path | None = None
    store: Path | None = None
    features: Path | None = None
    share: float = Field(default=1.0, gt=0)
    map: dict[str, str | None] = Field(default={})
    language: str | None = None
    lacks: list[Channel] = Field(default=[])


class DataSection(Strict):
    """The samples, of one corpus or of several; a split may be the union of several ("train+val").

    `split_file` replaces the manifest's own splits (see `manifest.split_file`). `labels`: the name
    of the common label set of `manifests`, or a list of labels.
    """

    manifests: list[CorpusSection] = Field(default=[])
    manifest: Path | None = Field(default=None, validate_default=True)
    labels: str | list[str] | None = None
    split_file: Path | None = None
    store: Path | None = None
    train_split: str = "train"
    validation_split: str | None = "val"

    @field_validator("manifest")
    @classmethod
    def _one_or_many(cls, value: Path | None, info: ValidationInfo) -> Path | None:
        if value is None and not info.data.get("manifests"):
            raise PydanticCustomError("missing", "Field required")
        if value is not None and info.data.get("manifests"):
            raise ValueError("give data.manifest or data.manifests, not both")
        return value

    @model_validator(mode="after")
    def _of_many(self) -> DataSection:
        if self.manifests and self.split_file is not None:
            raise ValueError("split_file stands beside each of data.manifests")
        if self.labels is not None and not self.manifests:
            raise ValueError("labels is the common label set of data.manifests")
        return self

    @model_serializer(mode="wrap")
    def _as_given(self, values: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Without the keys of a mixture where there is one corpus."""
        found: dict[str, Any] = values(self)
        if not self.manifests:
            del found["manifests"], found["labels"]
        return found


class ModalityDropout(Strict):
    """Probability of dropping a channel from an emotion question in training."""

    voice: float = Field(default=0.0, ge=0, le=1)
    face: float = Field(default=0.0, ge=0, le=1)
    words: float = Field(default=0.0, ge=0, le=1)
