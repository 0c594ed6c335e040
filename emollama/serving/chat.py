"""/v1/chat/completions: a conversation about one clip, whole or as a stream of events."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import suppress
from typing import Any
from uuid import uuid4

from emollama.base.errors import EmollamaError
from emollama.llm.inference import REASON_TOKENS
from emollama.scoring.reasons.check import Origin
from emollama.scoring.reasons.sentences import scores_sentence
from emollama.serving.admission import Admitted
from emollama.serving.clips import Clips
from emollama.serving.engine import Engine, Pieces
from emollama.serving.people import Wanted
from emollama.serving.refusal import Refusal, body_of
from emollama.serving.shape import Shape
from emollama.serving.wire import (
    AnswerMessage,
    AudioPart,
    ChatAnswer,
    ChatRequest,
    Choice,
    ClipPart,
    FilePart,
    ImagePart,
    Message,
    Part,
    TextPart,
    Usage,
)
from emollama.session import Answer, ClipView, Reply, Sampling, Session, Turn
from emollama.session.questions import about, told
from emollama.session.reasons import reason_from

DEFAULT_TOKENS = 256


class Conversation:
    """One chat request.

    Args:
        request: the request.
        clips: analyses clips.
        engine: runs the model.
        admitted: its places in line, and until when it may be answered.
    """

    def __init__(
        self, request: ChatRequest, clips: Clips, engine: Engine, admitted: Admitted
    ) -> None:
        self.request, self.clips, self.engine = request, clips, engine
        self.admitted = admitted
        self.id = f"chatcmpl-{uuid4().hex[:24]}"
        self.created = int(time.time())
        self.model = engine.session.name
        self.shape = _shape(request)
        self.from_data = self.shape is None and _from_data(request, engine.session)
        self._known: Answer | None = None
        self._once: ClipView | None = None
        self._pieces: Pieces | None = None

    async def begin(self) -> tuple[Reply, Pieces] | None:
        """Analyse the clip and begin to write the answer; None where its turn comes too `late`.

        Raises:
            Refusal: the request cannot be answered.
        """
        request = self.request
        self._checked()
        stops = [request.stop] if isinstance(request.stop, str) else request.stop or []
        tokens = request.max_completion_tokens or request.max_tokens or DEFAULT_TOKENS
        sampling = Sampling(
            request.temperature, request.top_p, tokens, request.seed, tuple(stops)
        )  # fmt: skip
        look, turns = await self._read()
        try:
            self._known = await self.engine.answer(look)
            with suppress(TimeoutError):
                async with asyncio.timeout_at(self.admitted.until):
                    reply, self._pieces = await self.engine.reply(
                        look, turns, sampling, self.admitted.writing, self._known
                    )
                    return reply, self._pieces
            self.end()
            return None
        except EmollamaError as error:
            self.end()
            raise Refusal(400, str(error), "messages") from None
        except BaseException:
            self.end()
            raise

    def _checked(self) -> None:
        wanted = self.request.model
        if not self.engine.session.writes and self.shape is None:
            raise Refusal(
                400, f"model '{self.model}' cannot write text; use /v1/emotion for its labels"
            )
        if wanted is not None and wanted != self.model:
            raise Refusal(404, f"there is no model '{wanted}'; this is '{self.model}'")

    async def whole(self) -> ChatAnswer:
        """The answer in one piece; at the deadline what the scores say."""
        if self.shape is not None:
            return await self._filled(self.shape)
        if self.from_data:
            return self._answer(await self._told(), "stop", Usage.none())
        begun = await self.begin()
        if begun is None:
            return self.late
        reply, pieces = begun
        try:
            async with asyncio.timeout_at(self.admitted.until):
                content = await pieces.text()
        except TimeoutError:
            content = self._scores
        finally:
            self.end()
        return self._answer(content, finish(reply), usage(reply), reason_from(reply))

    @property
    def late(self) -> ChatAnswer:
        """The answer where nothing could be written before the deadline."""
        return self._answer(self._scores, "length", Usage.none())

    @property
    def _scores(self) -> str:
        """What is known before anything is written."""
        assert self._known is not None and self._known.label is not None
        return scores_sentence(self._known.label)

    def _answer(
        self, content: str, end: Any, tokens: Usage, origin: Origin | None = None
    ) -> ChatAnswer:
        choice = Choice(message=AnswerMessage(content=content), finish_reason=end)
        return ChatAnswer(
            id=self.id, created=self.created, model=self.model, usage=tokens, choices=[choice],
            reason_from=origin,
        )  # fmt: skip

    async def _filled(self, shape: Shape) -> ChatAnswer:
        """The label, its probability and the reason in the shape that the request gives."""
        self._checked()
        session = self.engine.session
        if shape.reason is not None and not session.writes:
            raise Refusal(
                400, f"response_format: model '{self.model}' writes no text, so '{shape.reason}' "
                "cannot be filled", "response_format",
            )  # fmt: skip
        look, _ = await self._read()
        try:
            found = await self.engine.answer(look, shape.labels)
            assert found.label is not None
            said = origin = None
            if shape.reason is not None:
                turns = [Turn("user", session.question("reason"))]
                sampling = Sampling(max_new_tokens=REASON_TOKENS)
                said = scores_sentence(found.label)
                with suppress(TimeoutError):
                    async with asyncio.timeout_at(self.admitted.until):
                        reply, self._pieces = await self.engine.reply(
                            look, turns, sampling, self.admitted.writing, found
                        )
                        said = await self._pieces.text()
                        origin = reason_from(reply)
        except EmollamaError as error:
            raise Refusal(400, str(error), "response_format") from None
        finally:
            self.end()
        content = shape.filled(found.label, found.scores, said)
        return self._answer(content, "stop", Usage.none(), origin)

    async def _told(self) -> str:
        """The answer to a question that is not for the model."""
        self._checked()
        look, turns = await self._read()
        session = self.engine.session
        try:
            found = await self.engine.call(lambda: told(session, look, turns[-1].text))
        finally:
            self.end()
        return str(found)

    @property
    def at_once(self) -> bool:
        """Whether the answer is not written word by word."""
        return self.from_data or self.shape is not None

    async def whole_events(self, answer: ChatAnswer) -> AsyncIterator[str]:
        """What `whole` gives at once, as events."""
        choice = answer.choices[0]
        yield self._event({"role": "assistant", "content": ""})
        yield self._event({"content": choice.message.content})
        for event in self._last_events(choice.finish_reason, answer.usage, answer.reason_from):
            yield event

    async def events(self, reply: Reply, pieces: Pieces, request_id: str) -> AsyncIterator[str]:
        """The answer as server-sent events; the last one is [DONE]. See `end`."""
        yield self._event({"role": "assistant", "content": ""})
        try:
            while True:
                async with asyncio.timeout_at(self.admitted.until):
                    piece = await anext(pieces, None)
                if piece is None:
                    break
                if piece:  # a reason comes whole, once it is checked
                    yield self._event({"content": piece})
        except TimeoutError:
            yield self._event({"content": self._scores})
        except Exception:
            error = body_of(
                500,
                "an internal error; the server's log has the details under this request's id",
                request_id,
            )
            yield f"data: {json.dumps(error)}\n\n"
            raise
        for event in self._last_events(finish(reply), usage(reply), reason_from(reply)):
            yield event

    def _last_events(self, end: str, tokens: Usage, origin: Origin | None) -> Iterator[str]:
        yield self._event({}, end, origin)
        options = self.request.stream_options
        if options is not None and options.include_usage:
            yield self._chunk([], {"usage": tokens.model_dump()})
        yield "data: [DONE]\n\n"

    def _event(
        self, delta: dict[str, Any], end: str | None = None, origin: Origin | None = None
    ) -> str:
        choice = {"index": 0, "delta": delta, "finish_reason": end, "logprobs": None}
        return self._chunk([choice], {} if origin is None else {"reason_from": origin})

    def _chunk(self, choices: Sequence[Any], more: dict[str, Any]) -> str:
        chunk = {
            "id": self.id,
            "object": "chat.completion.chunk",
            "created": self.created,
            "model": self.model,
            "choices": choices,
            **more,
        }
        return f"data: {json.dumps(chunk, ensure_ascii=False)}\n\n"

    async def _read(self) -> tuple[ClipView, list[Turn]]:
        """The clip and the turns about it."""
        turns: list[Turn] = []
        found: list[ClipPart] = []
        asked: list[str] = []
        for message in self.request.messages:
            words = _words(message)
            parts = [] if isinstance(message.content, str) else message.content
            clips = [p for p in parts if not isinstance(p, TextPart)]
            if clips and message.role != "user":
                raise Refusal(400, "a clip must be in a user turn", "messages")
            found += clips
            if message.role in ("user", "assistant"):
                turns.append(Turn(message.role, words))
            elif turns:
                raise Refusal(400, "a system turn must be before all others", "messages")
            else:
                asked.append(words)
        if not turns or turns[0].role != "user" or turns[-1].role != "user":
            raise Refusal(400, "a conversation must begin and end with a user turn", "messages")
        if not found:
            raise Refusal(
                400,
                "no clip given: put {'type': 'file', 'file': {'file_id': ...}} or a "
                "data URL into the first turn",
                "messages",
            )
        if len({_named(part) for part in found}) > 1:
            raise Refusal(400, "a conversation can be about one clip only", "messages")
        session = self.engine.session
        # A clip without a question is asked what it shows.
        if not turns[0].text.strip() and session.writes:
            turns[0] = Turn("user", session.question("reason"))
        if not self.at_once:
            turns = _of_the_model(session, turns)
            asked = [words for words in asked if words.strip()]
            turns[0] = Turn("user", "\n".join([*asked, turns[0].text]))
        request = self.request
        wanted = Wanted.of(request.enrol, request.enrol_neutral, request.person)
        wanted.require(self.clips)
        how = (request.text, request.transcribe, request.drop)
        if (file_id := _uploaded(found[0])) is not None:
            look = await self.clips.look(file_id, *how)
        else:
            look = self._once = await self.clips.from_data(_named(found[0]), *how)
        self.admitted.read()
        return await wanted.measured(self.clips, look), turns

    def end(self) -> None:
        """The client is gone or done: stop writing, and release a clip sent inside the request."""
        if self._pieces is not None:
            self._pieces.close()
        if self._once is not None:
            self.engine.session.forget(self._once)


def _uploaded(part: Part) -> str | None:
    """The id of an upload; None of text, and of a clip that is in the request itself."""
    if not isinstance(part, FilePart):
        return None
    if (part.file.file_id is None) == (part.file.file_data is None):
        raise Refusal(422, "a file is given by either its file_id or file_data", "messages")
    return part.file.file_id


def _named(part: ClipPart) -> str:
    """A clip's id or data URL."""
    if isinstance(part, FilePart):
        return _uploaded(part) or str(part.file.file_data)
    if isinstance(part, AudioPart):
        return f"data:audio/{part.input_audio.format};base64,{part.input_audio.data}"
    return part.image_url.url if isinstance(part, ImagePart) else part.video_url.url


def _words(message: Message) -> str:
    """The text of a turn."""
    if isinstance(message.content, str):
        return message.content
    return "\n".join(part.text for part in message.content if isinstance(part, TextPart))


def _from_data(request: ChatRequest, session: Session) -> bool:
    """Whether the last question is answered from data; a clip alone is asked what it shows."""
    question = _words(request.messages[-1])
    first = sum(message.role in ("user", "assistant") for message in request.messages) == 1
    if first and not question.strip():
        return False
    return about(session, question) is not None


def _of_the_model(session: Session, turns: Sequence[Turn]) -> list[Turn]:
    """The turns without what was answered from data, which the model did not write."""
    kept: list[Turn] = []
    known = False
    for turn in turns:
        if turn.role == "user":
            known = about(session, turn.text) is not None
        if not known:
            kept.append(turn)
    return kept


def _shape(request: ChatRequest) -> Shape | None:
    """The shape that a request asks for; None for text."""
    wanted = request.response_format
    if wanted is None or wanted.type == "text":
        return None
    if wanted.type == "json_object" or wanted.json_schema is None:
        raise Refusal(
            400, "response_format: give type 'json_schema' with a schema whose enum lists the "
            "labels; this model writes no other JSON", "response_format",
        )  # fmt: skip
    return Shape.of(wanted.json_schema.schema_)


def needs(request: ChatRequest, clips: Clips) -> tuple[bool, bool]:
    """Whether a clip has yet to be read, and whether text is to be written.

    Raises:
        Refusal: a clip's id is unknown, or the form of the answer cannot be given.
    """
    shape = _shape(request)
    if shape is None:
        writes = not _from_data(request, clips.engine.session)
    else:
        writes = shape.reason is not None
    return _unread(request, clips), writes


def _unread(request: ChatRequest, clips: Clips) -> bool:
    for message in request.messages:
        for part in message.content if isinstance(message.content, list) else ():
            if (file_id := _uploaded(part)) is not None:
                return clips.unread(file_id, request.text, request.transcribe)
    return True


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
