"""/v1/chat/completions: a conversation about one clip, whole or as a stream of events."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Sequence
from typing import Any
from uuid import uuid4

from emollama.base.errors import EmollamaError
from emollama.serving.clips import Clips
from emollama.serving.engine import Engine, Pieces
from emollama.serving.people import Wanted
from emollama.serving.refusal import Refusal, body_of
from emollama.serving.wire import (
    AnswerMessage,
    ChatAnswer,
    ChatRequest,
    Choice,
    FilePart,
    TextPart,
    Usage,
    VideoPart,
)
from emollama.session import ClipView, Reply, Sampling, Turn

DEFAULT_TOKENS = 256


class Conversation:
    """One chat request.

    Args:
        request: the request.
        clips: analyses clips.
        engine: runs the model.
        deadline: time on the event loop's clock at which a stream is ended.
    """

    def __init__(self, request: ChatRequest, clips: Clips, engine: Engine, deadline: float) -> None:
        self.request, self.clips, self.engine = request, clips, engine
        self.deadline = deadline
        self.id = f"chatcmpl-{uuid4().hex[:24]}"
        self.created = int(time.time())
        self.model = engine.session.name
        self._once: ClipView | None = None
        self._pieces: Pieces | None = None

    async def begin(self) -> tuple[Reply, Pieces]:
        """Analyse the clip and begin to write the answer.

        Raises:
            Refusal: the request cannot be answered.
        """
        request = self.request
        if not self.engine.session.writes:
            raise Refusal(
                400, f"model '{self.model}' cannot write text; use /v1/emotion for its labels"
            )
        if request.model is not None and request.model != self.model:
            raise Refusal(404, f"there is no model '{request.model}'; this is '{self.model}'")
        if request.messages[0].role != "user" or request.messages[-1].role != "user":
            raise Refusal(400, "a conversation must begin and end with a user turn", "messages")
        stops = [request.stop] if isinstance(request.stop, str) else request.stop or []
        tokens = request.max_completion_tokens or request.max_tokens or DEFAULT_TOKENS
        sampling = Sampling(
            request.temperature, request.top_p, tokens, request.seed, tuple(stops)
        )  # fmt: skip
        look, turns = await self._read()
        try:
            reply, self._pieces = await self.engine.reply(look, turns, sampling)
        except EmollamaError as error:
            self.end()
            raise Refusal(400, str(error), "messages") from None
        except BaseException:
            self.end()
            raise
        return reply, self._pieces

    async def whole(self) -> ChatAnswer:
        """The answer in one piece."""
        reply, pieces = await self.begin()
        try:
            text = await pieces.text()
        finally:
            self.end()
        return ChatAnswer(
            id=self.id, created=self.created, model=self.model, usage=usage(reply),
            choices=[Choice(message=AnswerMessage(content=text), finish_reason=finish(reply))],
        )  # fmt: skip

    async def events(self, reply: Reply, pieces: Pieces, request_id: str) -> AsyncIterator[str]:
        """The answer as server-sent events; the last one is [DONE]. See `end`."""
        yield self._event({"role": "assistant", "content": ""})
        try:
            while True:
                async with asyncio.timeout_at(self.deadline):
                    piece = await anext(pieces, None)
                if piece is None:
                    break
                if piece:  # a reason comes whole, once it is checked
                    yield self._event({"content": piece})
        except TimeoutError:
            error = body_of(504, "the answer took too long", request_id)
            yield f"data: {json.dumps(error)}\n\n"
            return
        except Exception:
            error = body_of(
                500,
                "an internal error; the server's log has the details under this request's id",
                request_id,
            )
            yield f"data: {json.dumps(error)}\n\n"
            raise
        yield self._event({}, finish(reply))
        options = self.request.stream_options
        if options is not None and options.include_usage:
            yield self._chunk([], usage(reply).model_dump())
        yield "data: [DONE]\n\n"

    def _event(self, delta: dict[str, Any], reason: str | None = None) -> str:
        choice = {"index": 0, "delta": delta, "finish_reason": reason, "logprobs": None}
        return self._chunk([choice])

    def _chunk(self, choices: Sequence[Any], tokens: dict[str, Any] | None = None) -> str:
        chunk = {
            "id": self.id,
            "object": "chat.completion.chunk",
            "created": self.created,
            "model": self.model,
            "choices": choices,
            **({"usage": tokens} if tokens else {}),
        }
        return f"data: {json.dumps(chunk, ensure_ascii=False)}\n\n"

    async def _read(self) -> tuple[ClipView, list[Turn]]:
        """The clip and the turns about it."""
        turns: list[Turn] = []
        found: list[FilePart | VideoPart] = []
        for message in self.request.messages:
            if isinstance(message.content, str):
                turns.append(Turn(message.role, message.content))
                continue
            words = [p.text for p in message.content if isinstance(p, TextPart)]
            turns.append(Turn(message.role, "\n".join(words)))
            clips = [p for p in message.content if not isinstance(p, TextPart)]
            if clips and message.role != "user":
                raise Refusal(400, "a clip must be in a user turn", "messages")
            found += clips
        if not found:
            raise Refusal(
                400,
                "no clip given: put {'type': 'file', 'file': {'file_id': ...}} or a "
                "data URL into the first turn",
                "messages",
            )
        named = {p.file.file_id if isinstance(p, FilePart) else p.video_url.url for p in found}
        if len(named) > 1:
            raise Refusal(400, "a conversation can be about one clip only", "messages")
        if not turns[0].text.strip():
            # A clip without a question is asked what it shows.
            turns[0] = Turn("user", self.engine.session.question("reason"))
        request = self.request
        wanted = Wanted.of(request.enrol, request.enrol_neutral, request.person)
        wanted.require(self.clips)
        how = (request.text, request.transcribe, request.drop)
        if isinstance(found[0], FilePart):
            look = await self.clips.look(found[0].file.file_id, *how)
        else:
            look = self._once = await self.clips.from_data(found[0].video_url.url, *how)
        return await wanted.measured(self.clips, look), turns

    def end(self) -> None:
        """The client is gone or done: stop writing, and release a clip sent inside the request."""
        if self._pieces is not None:
            self._pieces.close()
        if self._once is not None:
            self.engine.session.forget(self._once)


def usage(reply: Reply) -> Usage:
    """Token counts of an answer."""
    return Usage(
        prompt_tokens=reply.prompt_tokens,
        completion_tokens=reply.new_tokens,
        total_tokens=reply.prompt_tokens + reply.new_tokens,
        prompt_tokens_details={"cached_tokens": reply.cached_tokens},
    )


def finish(reply: Reply) -> Any:
    """Why an answer ended, in OpenAI's terms."""
    return "stop" if reply.finish == "stop" else "length"
