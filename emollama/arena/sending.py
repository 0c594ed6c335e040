"""A question as an endpoint gets it: messages, and the further fields of its request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from emollama.arena.configuration import Contestant, Sends
from emollama.arena.questions import Question
from emollama.arena.stimuli import Stimulus
from emollama.endpoints.client import Message
from emollama.media.data_urls import film_url, picture_url, wav_base64
from emollama.media.decode import decode_clip

SAID = 'The person says: "{words}"'
MEASURED = "What was measured in the clip:\n{clues}"
NOTHING = "nothing"
_KEPT = 16  # stimuli: those that are being asked about
EMOTION, SCORES = "emotion", "scores"
"""The properties of an answer in JSON."""


def messages(
    question: Question, stimulus: Stimulus, how: Contestant, clues: str = ""
) -> list[Message]:
    """The turn of the user.

    Args:
        question: what is asked.
        stimulus: what is shown.
        how: what the endpoint takes.
        clues: what was measured in the clip, where that is sent.

    Raises:
        MediaError: the file cannot be read.
    """
    lines = []
    if how.sends == "clues":
        lines.append(MEASURED.format(clues=clues or NOTHING))
    if how.words == "prompt" and stimulus.words:
        lines.append(SAID.format(words=stimulus.words))
    parts = () if how.sends == "clues" else _media(stimulus, how.sends, how.frames)
    text = {"type": "text", "text": "\n".join([*lines, question.text])}
    return [{"role": "user", "content": [*parts, text]}]


@lru_cache(maxsize=_KEPT)
def _media(stimulus: Stimulus, sends: Sends, frames: int) -> tuple[dict[str, Any], ...]:
    """What is shown as parts of a turn; kept for the next questions about the same."""
    if stimulus.file is None:
        return ()
    if sends == "video" and not stimulus.sound_only:
        return ({"type": "video_url", "video_url": {"url": film_url(stimulus.file)}},)
    clip = decode_clip(stimulus.file, frames=frames, want_video=not stimulus.sound_only)
    parts: list[dict[str, Any]] = []
    if clip.frames is not None:
        urls = [picture_url(image) for image in clip.frames.images]
        parts += [{"type": "image_url", "image_url": {"url": url}} for url in urls]
    if clip.audio is not None:
        sound = {"data": wav_base64(clip.audio), "format": "wav"}
        parts.append({"type": "input_audio", "input_audio": sound})
    return tuple(parts)


def fields(question: Question, stimulus: Stimulus, how: Contestant) -> dict[str, Any]:
    """The further fields of the request: the form of the answer, and what is said."""
    found: dict[str, Any] = {}
    if how.words == "field" and stimulus.words is not None:
        found["text"] = stimulus.words
    if how.form != "text":
        schema = schema_of(question.labels, how.form == "scores")
        named = {"name": "emotion", "strict": True, "schema": schema}
        found["response_format"] = {"type": "json_schema", "json_schema": named}
    return found


def schema_of(labels: Sequence[str], scores: bool) -> Mapping[str, Any]:
    """The JSON schema of a label, and of the probability of every label if asked for."""
    properties: dict[str, Any] = {EMOTION: {"type": "string", "enum": list(labels)}}
    if scores:
        numbers = {label: {"type": "number"} for label in labels}
        properties[SCORES] = _closed(numbers)
    return _closed(properties)


def _closed(properties: Mapping[str, Any]) -> dict[str, Any]:
    """An object with exactly these properties."""
    return {
        "type": "object", "properties": dict(properties), "required": list(properties),
        "additionalProperties": False,
    }  # fmt: skip
