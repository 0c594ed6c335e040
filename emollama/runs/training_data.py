"""What a model was trained on, in words, from its training record."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from emollama.runs.card import terms


def training_data(record: Mapping[str, Any]) -> str | None:
    """ "728 clips of ravdess (English), 238 of emodb (German)"; None without a record.

    Of the probe corpus it is said that nobody is in it. A record made before 0.2 does not name its
    only corpus.
    """
    parts = record.get("mixture") or [record]
    found: list[str] = []
    for part in parts:
        if not part.get("samples"):
            return None
        clips = f"{part['samples']} clips" if not found else f"{part['samples']}"
        corpus = f" of {part['corpus']}" if part.get("corpus") else ""
        drawn = str(part.get("corpus")).lower().startswith("probe")
        kind = part.get("language") or ("drawn faces and synthetic voices" if drawn else None)
        found.append(f"{clips}{corpus}{f' ({kind})' if kind else ''}")
    return ", ".join(found)


def training_terms(record: Mapping[str, Any]) -> list[str]:
    """A sentence on the terms of each corpus that the record names."""
    parts = record.get("mixture") or [record]
    return list(dict.fromkeys(terms(part["corpus"]) for part in parts if part.get("corpus")))
