"""`response_format`: a label by JSON schema, as OpenAI's clients ask for one.

What fits is an object with one property whose `enum` lists the labels, and beside it at most a
number (the label's probability), a text (the reason) and an object with a number for each of the
labels (their probabilities).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from emollama.serving.refusal import Refusal

_FITS = (
    "what can be filled is an object with one property whose 'enum' lists the labels, and at most "
    "one of type 'number' (its probability), one of type 'string' (the reason), and one of type "
    "'object' with a number for each of these labels (their probabilities)"
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
        scores: the property of every label's probability; None for none.
    """

    label: str
    labels: tuple[str, ...]
    score: str | None = None
    reason: str | None = None
    scores: str | None = None

    @classmethod
    def of(cls, schema: Mapping[str, Any]) -> Shape:
        """From a JSON schema; references to its own `$defs` are followed.

        Raises:
            Refusal: it is of another shape (400).
        """
        found: dict[str, str] = {}
        labels: tuple[str, ...] = ()
        named: set[str] = set()
        properties = schema.get("properties")
        if schema.get("type") != "object" or not isinstance(properties, Mapping):
            raise Refusal(400, f"response_format: the schema is no object: {_FITS}", _PARAM)
        for name, field in properties.items():
            field = _resolved(field, schema)
            if "enum" in field or "const" in field:
                kind, labels = "label", _words(name, field)
            elif numbers := _numbers(field, schema):
                kind, named = "scores", numbers
            else:
                kind = {"number": "score", "string": "reason"}.get(str(field.get("type")), "")
            if not kind or kind in found:
                raise Refusal(400, f"response_format: '{name[:40]}' does not fit: {_FITS}", _PARAM)
            found[kind] = name
        if "label" not in found:
            raise Refusal(400, f"response_format: no property lists labels: {_FITS}", _PARAM)
        if "scores" in found and named != set(labels):
            raise Refusal(
                400, f"response_format: '{found['scores'][:40]}' does not have the labels: {_FITS}",
                _PARAM,
            )  # fmt: skip
        more = (found.get(kind) for kind in ("score", "reason", "scores"))
        return cls(found["label"], labels, *more)

    def filled(self, label: str, scores: Mapping[str, float], reason: str | None) -> str:
        """The object as JSON."""
        values: dict[str, Any] = {self.label: label}
        if self.score is not None:
            values[self.score] = round(scores[label], 6)
        if self.scores is not None:
            values[self.scores] = {name: round(scores[name], 6) for name in self.labels}
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


def _numbers(field: Mapping[str, Any], schema: Mapping[str, Any]) -> set[str]:
    """The properties of an object that holds nothing but numbers; none of anything else."""
    properties = field.get("properties")
    if field.get("type") != "object" or not isinstance(properties, Mapping):
        return set()
    kinds = [_resolved(one, schema).get("type") for one in properties.values()]
    return set(properties) if kinds == ["number"] * len(kinds) else set()


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
