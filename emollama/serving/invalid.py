"""What is wrong with a request, in a sentence: pydantic's finding told in the request's words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

_KINDS = {
    "missing": "is missing",
    "extra_forbidden": "is not known here",
    "string_pattern_mismatch": "is not of the right form",
    "list_type": "must be a list",
    "string_type": "must be a text",
    "none_required": "must be null or left out",
    "bool_parsing": "must be true or false",
    "int_parsing": "must be a whole number",
    "float_parsing": "must be a number",
}


def told(errors: Sequence[Mapping[str, Any]], body: Any) -> tuple[str, str]:
    """The place of the fault nearest to what was meant, and a sentence about it.

    Args:
        errors: as pydantic lists them; of alternatives each has one.
        body: the request's body as parsed.
    """
    # Of several alternatives the one is meant into which the request fits furthest.
    found = max(errors, key=lambda e: (len(_place(e, body)), not e["type"].endswith("_type")))
    where = ".".join(_place(found, body))
    said = _sentence(found)
    return where, f"{where}: {said}" if where else said


def _sentence(error: Mapping[str, Any]) -> str:
    kind, more = error["type"], error.get("ctx", {})
    if kind == "union_tag_invalid":
        known = more["expected_tags"].replace("'", "")
        return f"type '{str(more['tag'])[:40]}' is not known; types: {known}"
    if kind == "union_tag_not_found":
        return "has no 'type'"
    if kind in _KINDS:
        return _KINDS[kind]
    if "UploadFile" in error["msg"]:
        return "must be a file"
    message = str(error["msg"])
    for start in ("Input should be", "String should", "List should", "Value should"):
        if message.startswith(start):
            return "must " + message.split("should ", 1)[1]
    return message


def _place(error: Mapping[str, Any], body: Any) -> list[str]:
    """The keys and numbers that lead to the fault; names of pydantic's types are left out."""
    kept: list[str] = []
    here = body
    steps = [step for step in error["loc"] if step not in ("body", "path", "query", "header")]
    for i, step in enumerate(steps):
        inside = isinstance(here, Mapping) and step in here
        numbered = isinstance(here, Sequence) and not isinstance(here, str | bytes)
        if numbered and isinstance(step, int) and step < len(here):
            inside = True
        if inside:
            here = here[step]
        if inside or (i == len(steps) - 1 and (error["type"] == "missing" or body is None)):
            kept.append(str(step)[:40])
    return kept
