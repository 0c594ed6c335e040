"""Schemathesis against the server's own description."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from contextlib import suppress
from itertools import cycle
from pathlib import Path

import pytest
import schemathesis
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from pydantic import TypeAdapter, ValidationError
from schemathesis.checks import not_a_server_error
from schemathesis.generation.modes import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    ignored_auth,
    negative_data_rejection,
    positive_data_acceptance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
    use_after_free,
)

from emollama.recording.analysis import Options
from emollama.serving.description import CLIP
from emollama.serving.jobs import Jobs
from emollama.serving.routes.question import LabelWord
from emollama.serving.settings import Settings as Limits
from emollama.session import Session
from tests.serving.running import Running, running
from tests.session.made import learned_to_describe

CHECKS = [
    not_a_server_error, content_type_conformance, ignored_auth, negative_data_rejection,
    positive_data_acceptance, response_headers_conformance, response_schema_conformance,
    status_code_conformance, unsupported_method, use_after_free,
]  # fmt: skip
SIZED = [check for check in CHECKS if check is not negative_data_rejection]
EXAMPLES = 8
FREE_TEXTS = ("text", "purpose")


@pytest.fixture(scope="module")
def described(session: Session, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A server with all its routes; a job that is begun is not waited for."""
    folder = tmp_path_factory.mktemp("described")
    limits = Limits(
        port=0, watchers=1, max_seconds=20, max_bytes=1 << 20, max_side=640, max_rate=60, queue=16
    )
    jobs = Jobs(folder / "jobs", Options(session.folder))
    with (
        learned_to_describe(session.folder),
        running(session, folder / "uploads", limits, jobs) as found,
    ):
        yield found


@pytest.mark.parametrize(
    "mode",
    [pytest.param(GenerationMode.POSITIVE, marks=pytest.mark.slow), GenerationMode.NEGATIVE],
    ids=lambda mode: mode.value,
)
def test_the_description_is_true(described: Running, clip: Path, mode: GenerationMode) -> None:
    schemathesis.openapi.format(CLIP, st.just(clip.read_bytes()))
    schema = schemathesis.openapi.from_url(f"{described.address}/openapi.json")
    file_id = described.upload(clip)
    asked: set[str] = set()
    for found in schema.get_all_operations():
        operation = found.ok()
        # Without input there is nothing to get wrong.
        bare = not operation.body and not operation.path_parameters
        # What is wrong with a clip of a batch is said in its place, within an answer of 200.
        batch = operation.path == "/v1/batch"
        if mode is GenerationMode.NEGATIVE and (bare or batch):
            continue

        @given(case=operation.as_strategy(generation_mode=mode))
        @settings(
            max_examples=EXAMPLES,
            deadline=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        )
        def conforms(case: schemathesis.Case) -> None:
            if mode is GenerationMode.POSITIVE:
                _make_sense(case, clip, file_id)
            elif isinstance(case.body, dict) and "messages" not in case.body:
                # In a form a number is a text, too: nothing is wrong with it.
                assume(all(isinstance(case.body.get(name, ""), str) for name in FREE_TEXTS))
            answer = case.call(timeout=300)
            # Whatever is wrong with it, a body beyond the limit is refused unread, by 413.
            too_large = answer.status_code == 413
            case.validate_response(answer, checks=SIZED if too_large else CHECKS)
            asked.add(case.operation.label)

        # Of some there is nothing that would be wrong: any text may be a model's name.
        with suppress(Unsatisfiable):
            conforms()
    assert {
        f"POST /v1/{name}" for name in ("chat/completions", "emotion", "files", "recordings")
    } <= (asked)


def _make_sense(case: schemathesis.Case, clip: Path, file_id: str) -> None:
    """What no schema can tell: who speaks when, how long, and what the clip at hand leaves."""
    if not isinstance(case.body, dict):
        return
    for name in ("coverage", "enrol", "enrol_neutral", "person"):
        case.body.pop(name, None)  # the model is neither calibrated nor measures people
    if "drop" in case.body:  # the clip is a voice
        case.body["drop"] = [channel for channel in case.body["drop"] if channel != "voice"]
    if "messages" in case.body:
        case.body.pop("response_format", None)  # which schemas fit, no schema can tell
        _converse(case.body["messages"], clip)
        for name in ("max_tokens", "max_completion_tokens"):
            case.body[name] = 8
    elif case.operation.path == "/v1/emotion" and "file_id" in case.body:
        case.body["file_id"] = file_id
        case.body.pop("file", None)
    elif case.operation.path == "/v1/batch":
        case.body["file"] = [clip.read_bytes()]
        case.body.pop("file_id", None)
    elif case.operation.path in ("/v1/emotion", "/v1/recordings"):
        case.body["file"] = clip.read_bytes()
    if "labels" in case.body:
        labels = {str(word).lower(): word for word in case.body["labels"]}
        case.body["labels"] = list(labels.values()) if len(labels) > 1 else ["glad", "sad"]


def _converse(messages: list[dict[str, object]], clip: Path) -> None:
    """Let two speak in turns, first and last the user, who shows the clip with the first words."""
    del messages[5:]  # how much it can read, a model says only when it is asked
    if len(messages) % 2 == 0:
        messages.append({"role": "user", "content": "And?"})
    for message, role in zip(messages, cycle(["user", "assistant"]), strict=False):
        message["role"] = role
        if isinstance(message["content"], list):
            texts = [part["text"] for part in message["content"] if part["type"] == "text"]
            message["content"] = " ".join(texts)
        message["content"] = f"What does he feel? {message['content']}"[:50]  # for the model
    url = "data:audio/wav;base64," + base64.b64encode(clip.read_bytes()).decode()
    shown = {"type": "video_url", "video_url": {"url": url}}
    messages[0]["content"] = [shown, {"type": "text", "text": messages[0]["content"]}]


@pytest.mark.parametrize(
    ("word", "good"),
    [("joy", True), ("mixed joy", True), ("खुशी", True), ("don't-know/none", True), ("a,b", False),
     ("a  b", False), (" a", False), ("a\u00a0", False), ("\u3000", False), ("a\x85", False),
     ("a\tb", False), ("x" * 41, False)],
)  # fmt: skip
def test_a_label_is_words_with_single_blanks(word: str, good: bool) -> None:
    adapter = TypeAdapter(LabelWord)
    pattern = adapter.json_schema()["pattern"]
    assert bool(re.search(pattern, word)) is good or len(word) > 40
    try:
        assert adapter.validate_python(word) == word and good
    except ValidationError:
        assert not good
