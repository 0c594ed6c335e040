"""Detects test samples that were in a model's training split, from its training record."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from emollama.base.errors import EmollamaError
from emollama.base.files import file_sha256
from emollama.manifest.sample import Manifest
from emollama.manifest.split_file import read_with_splits


def trained_on(record: dict[str, Any], manifest: Manifest, split: str) -> dict[str, str]:
    """Warnings about a split of `manifest`, by kind.

    The record's manifest is identified by its SHA-256, or by its resolved path in a record without
    one. If that manifest and its split file are unchanged, their training ids are compared with the
    test ids.

    Args:
        record: an artefact's `training_record.json`.
        manifest: the tested manifest, with the splits in use.
        split: the tested split.
    """
    data = (record.get("config") or {}).get("data") or {}
    for part in record.get("mixture", ()):
        if part["corpus"] == manifest.corpus:
            own = {k: part[k] for k in ("manifest", "split_file")}
            told = {
                "config": {"data": {**own, "train_split": data.get("train_split")}},
                "manifest_sha256": part["manifest_sha256"],
                "split_sha256": part["split_sha256"],
            }
            if warned := trained_on(told, manifest, split):
                return warned
    if not isinstance(data.get("manifest"), str):
        return {}
    path = Path(data["manifest"])
    found: dict[str, str] = {}
    same = _same(path, record.get("manifest_sha256"), manifest.path)
    if same and record.get("split_sha256") != manifest.split_sha256:
        found["split"] = (
            "the model was trained with another split file: test samples may have been "
            "in its training split"
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
    """Ids of the training split; none if they are no longer known.

    Ids of another corpus are ignored: they may be equal by chance.
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
