"""`response_format`: a label by JSON schema, as OpenAI's clients ask for one.

What fits is an object with one property whose `enum` lists the labels, and beside it at most a
number (the label's probability) and a text (the reason).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from emollama.serving.refusal import Refusal

_FITS = (
    "what can be filled is an object with one property whose 'enum' lists the labels, and at most "
    "one of type 'number' (its probability) and one of type 'string' (the reason)"
)
_PARAM = "response_format"


@dataclass(frozen=True)
class Shape:
    """Names of an object's properties by what they hold.

    Attributes:
        label: the property of the label.
        labels: words to choose from.
        score: the property of the label's probability; None for none.
        reason: the property of the reason; None for none.
    """

    label: str
    labels: tuple[str, ...]
    score: str | None = None
    reason: str | None = None

    @classmethod
    def of(cls, schema: Mapping[str, Any]) -> Shape:
        """From a JSON schema; references to its own `$defs` are followed.

        Raises:
            Refusal: it is of another shape (400).
        """
        found: dict[str, str] = {}
        labels: tuple[str, ...] = ()
        properties = schema.get("properties")
        if schema.get("type") != "object" or not isinstance(properties, Mapping):
            raise Refusal(400, f"response_format: the schema is no object: {_FITS}", _PARAM)
        for name, field in properties.items():
            field = _resolved(field, schema)
            if "enum" in field or "const" in field:
                kind, labels = "label", _words(name, field)
            else:
                kind = {"number": "score", "string": "reason"}.get(str(field.get("type")), "")
            if not kind or kind in found:
                raise Refusal(400, f"response_format: '{name[:40]}' does not fit: {_FITS}", _PARAM)
            found[kind] = name
        if "label" not in found:
            raise Refusal(400, f"response_format: no property lists labels: {_FITS}", _PARAM)
        return cls(found["label"], labels, found.get("score"), found.get("reason"))

    def filled(self, label: str, score: float, reason: str | None) -> str:
        """The object as JSON."""
        values: dict[str, Any] = {self.label: label}
        if self.score is not None:
            values[self.score] = round(score, 6)
        if self.reason is not None:
            values[self.reason] = reason
        return json.dumps(values, ensure_ascii=False)


def _resolved(field: Any, schema: Mapping[str, Any]) -> Mapping[str, Any]:
    if not isinstance(field, Mapping):
        return {}
    reference = field.get("$ref")
    if isinstance(reference, str):
        named = schema.get("$defs")
        found = named.get(reference.removeprefix("#/$defs/")) if isinstance(named, Mapping) else {}
        return found if isinstance(found, Mapping) else {}
    return field


def _words(name: str, field: Mapping[str, Any]) -> tuple[str, ...]:
    words = field.get("enum")
    if (
        not isinstance(words, list)
        or not 2 <= len(words) <= 50
        or not all(isinstance(word, str) and 0 < len(word) <= 40 and "," not in word
                   for word in words)
        or len({word.lower() for word in words}) != len(words)
    ):  # fmt: skip
        raise Refusal(
            400, f"response_format: 'enum' of '{name[:40]}' must list 2 to 50 distinct labels, "
            "each a text of at most 40 characters without a comma", _PARAM,
        )  # fmt: skip
    return tuple(words)
