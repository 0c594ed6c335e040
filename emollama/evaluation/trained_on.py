"""Whether a model was trained on what it is tested on, as far as its training record tells."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from emollama.base.errors import EmollamaError
from emollama.base.files import file_sha256
from emollama.manifest.sample import Manifest
from emollama.manifest.split_file import read_with_splits


def trained_on(record: dict[str, Any], manifest: Manifest, split: str) -> dict[str, str]:
    """What spoils a score on a split of `manifest`, by kind.

    The record's manifest is this one where the SHA-256 is the same, whatever the path; a record
    without it tells by the resolved path. Where that manifest and its split file are still as
    they were, its training ids are held against those that are tested.

    Args:
        record: an artefact's `training_record.json`.
        manifest: what is tested, with the splits that are used.
        split: the split of it.
    """
    data = (record.get("config") or {}).get("data") or {}
    if not isinstance(data.get("manifest"), str):
        return {}
    path = Path(data["manifest"])
    found: dict[str, str] = {}
    same = _same(path, record.get("manifest_sha256"), manifest.path)
    if same and record.get("split_sha256") != manifest.split_sha256:
        found["split"] = (
            "the model was trained with another split file: what is tested here may be what it "
            "was trained on"
        )
    tested = {s.id for s in manifest.split(split)}
    both = tested & _training_ids(path, data, record, manifest.corpus)
    if both:
        found["trained on"] = (
            f"{len(both)} of {len(tested)} tested samples were in the model's training split "
            f"('{data.get('train_split', 'train')}' of {path}), e.g. '{min(both)}'"
        )
    return found


def _same(path: Path, recorded: str | None, tested: Path) -> bool:
    if recorded is not None:
        return recorded == file_sha256(tested)
    return path.resolve() == tested.resolve()


def _training_ids(
    path: Path, data: dict[str, Any], record: dict[str, Any], corpus: str
) -> set[str]:
    """Ids of the training split, none where they can no longer be known.

    Ids of another corpus say nothing: they may be equal by chance.
    """
    splits = Path(data["split_file"]) if data.get("split_file") else None
    try:
        if record.get("manifest_sha256") not in (None, file_sha256(path)):
            return set()
        trained = read_with_splits(path, splits)
        if trained.corpus != corpus or trained.split_sha256 != record.get("split_sha256"):
            return set()
        return {s.id for s in trained.split(data.get("train_split") or "train")}
    except (EmollamaError, OSError):
        return set()
