"""What a model was trained on, in words, from its training record."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from emollama.runs.card import terms


def training_data(record: Mapping[str, Any]) -> str | None:
    """ "728 clips of ravdess (English), 238 of emodb (German)"; None without a record.

    A record made before 0.2 does not name its only corpus.
    """
    parts = record.get("mixture") or [record]
    found: list[str] = []
    for part in parts:
        if not part.get("samples"):
            return None
        clips = f"{part['samples']} clips" if not found else f"{part['samples']}"
        corpus = f" of {part['corpus']}" if part.get("corpus") else ""
        language = f" ({part['language']})" if part.get("language") else ""
        found.append(f"{clips}{corpus}{language}")
    return ", ".join(found)


def training_terms(record: Mapping[str, Any]) -> list[str]:
    """A sentence on the terms of each corpus that the record names."""
    parts = record.get("mixture") or [record]
    return list(dict.fromkeys(terms(part["corpus"]) for part in parts if part.get("corpus")))
