"""Answers in JSON with a schema: extracted from text, validated, repaired once, or refused."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from emollama.endpoints.answers import Kept
from emollama.endpoints.client import Message
from emollama.endpoints.written import first_object
from emollama.merr.tables import read_table


class Reason(BaseModel):
    """Schema of a refinement."""

    model_config = ConfigDict(extra="ignore", str_strip_whitespace=True)

    emotion: str = Field(min_length=1, max_length=60)
    reason: str = Field(min_length=20, max_length=2000)
    contradiction: bool = False


class Description(BaseModel):
    """Schema of a description."""

    model_config = ConfigDict(extra="ignore", str_strip_whitespace=True)

    description: str = Field(min_length=10, max_length=1500)


T = TypeVar("T", bound=BaseModel)


@dataclass(frozen=True)
class Structured(Generic[T]):
    """A valid answer, or why there is none.

    Attributes:
        value: None if the answer was invalid twice.
        problem: the last fault.
        hashes: of its raw answers, the repaired one last.
    """

    value: T | None
    problem: str
    hashes: tuple[str, ...]


def ask_structured(
    messages: Sequence[Message], schema: type[T], ask: Callable[[Sequence[Message]], Kept]
) -> Structured[T]:
    """Ask for JSON of `schema`; an invalid answer is sent back once with its fault."""
    first = ask(messages)
    try:
        return Structured(parse(first.text, schema), "", (first.hash,))
    except ValueError as error:
        problem = str(error)
    again = [
        *messages,
        {"role": "assistant", "content": first.text or "(nothing)"},
        {"role": "user", "content": read_table("prompts")["repair"].format(error=problem)},
    ]
    second = ask(again)
    hashes = (first.hash, second.hash)
    try:
        return Structured(parse(second.text, schema), "", hashes)
    except ValueError as error:
        return Structured(None, str(error), hashes)


def parse(text: str, schema: type[T]) -> T:
    """The first JSON object of `text` as a `schema`.

    Fences and prose around it are ignored, and so is a model's reasoning before the answer.

    Raises:
        ValueError: no JSON object, or it does not match the schema; in one line.
    """
    value = first_object(text)
    if value is None:
        raise ValueError("it holds no JSON object")
    try:
        return schema.model_validate(value)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise ValueError(f"'{key}': {first['msg']}") from error
