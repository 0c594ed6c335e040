"""What a model has written: its answer without the reasoning before it, and JSON in it."""

from __future__ import annotations

import json
import re
from typing import Any


def without_reasoning(text: str) -> str:
    """The text behind a model's reasoning, where it shows any; "" where that was cut off."""
    return text.rpartition("</think>")[2].partition("<think>")[0]


def first_object(text: str) -> dict[str, Any] | None:
    """The first JSON object of an answer; fences, prose and reasoning around it are ignored."""
    text = without_reasoning(text)
    decoder = json.JSONDecoder(strict=False)
    for match in re.finditer(r"\{", text):
        try:
            value, _ = decoder.raw_decode(text, match.start())
        except (ValueError, RecursionError):
            continue
        if isinstance(value, dict):
            return value
    return None
