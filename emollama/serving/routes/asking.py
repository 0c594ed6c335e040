"""The routes that ask about a clip: /v1/emotion and /v1/chat/completions."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import ExitStack
from typing import Annotated, Any

from fastapi import Depends, FastAPI, File, Form, Request, UploadFile
from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from emollama.serving import wire
from emollama.serving.admission import Admission
from emollama.serving.chat import Conversation, needs
from emollama.serving.clips import Clips
from emollama.serving.description import EVENT
from emollama.serving.leaving import while_there
from emollama.serving.refusal import ErrorResponse, Refusal, response_of
from emollama.serving.routes.question import FIELDS, Question, question

MOST_CLIPS = 64
"""Largest number of clips in a batch."""


def asking_routes(app: FastAPI) -> None:
    """Add the routes that ask about a clip."""

    @app.post("/v1/emotion")
    async def ask_emotion(
        request: Request,
        asked: Annotated[Question, Depends(question)],
        file: Annotated[UploadFile | None, File(description="A clip; or give file_id.")] = None,
        file_id: Annotated[wire.FileId | None, Form(description="Id of an upload.")] = None,
        text: Annotated[
            str | None, Form(max_length=wire.LONGEST_TEXT, description="Transcript of the clip.")
        ] = None,
    ) -> wire.EmotionAnswer:
        """Labels with scores, the reason, and measurements of the clip."""
        await no_other(request, "file", "file_id", "text", *FIELDS)
        clip = file_id if file is None else file
        if clip is None or (file is not None and file_id is not None):
            raise Refusal(400, "give either file or file_id", "file")
        if text is None and "text" in await request.form():
            text = ""  # an empty field of a form: there are no words
        clips: Clips = request.app.state.clips
        asked.wanted.require(clips)
        admission: Admission = request.app.state.admission
        work = asked.answered(clips, admission, request.state.ends, clip, text)
        return await while_there(request, work)

    @app.post("/v1/batch")
    async def ask_batch(
        request: Request,
        asked: Annotated[Question, Depends(question)],
        file: Annotated[
            list[UploadFile] | None, File(max_length=MOST_CLIPS, description="Clips.")
        ] = None,
        file_id: Annotated[
            list[wire.FileId] | None,
            Form(max_length=MOST_CLIPS, description="Ids of uploads, after the clips."),
        ] = None,
    ) -> wire.Batch:
        """The same question about several clips; one that fails has its error in its place."""
        await no_other(request, "file", "file_id", *FIELDS)
        named: list[UploadFile | str] = [*(file or ()), *(file_id or ())]
        if not 1 <= len(named) <= MOST_CLIPS:
            raise Refusal(400, f"give 1 to {MOST_CLIPS} clips as file or file_id", "file")
        clips: Clips = request.app.state.clips
        asked.wanted.require(clips)
        admission: Admission = request.app.state.admission

        async def one(clip: UploadFile | str) -> wire.EmotionAnswer | ErrorResponse:
            try:
                return await asked.answered(clips, admission, request.state.ends, clip, None)
            except Refusal as refusal:
                return response_of(
                    refusal.status, refusal.message, request.state.request_id, refusal.param
                )  # fmt: skip

        async def all_of_them() -> wire.Batch:
            async with asyncio.TaskGroup() as group:
                asking = [group.create_task(one(clip)) for clip in named]
            return wire.Batch(data=[task.result() for task in asking])

        return await while_there(request, all_of_them())

    @app.post(
        "/v1/chat/completions",
        response_model=wire.ChatAnswer,
        responses={200: {"content": {"text/event-stream": {"schema": EVENT}}}},
    )
    async def chat(request: Request, body: wire.ChatRequest) -> Any:
        """Ask about a clip, through OpenAI's chat API."""
        clips: Clips = request.app.state.clips
        admission: Admission = request.app.state.admission
        with ExitStack() as open_until_written:
            admitted = open_until_written.enter_context(
                admission.admit(request.state.ends, *needs(body, clips))
            )
            one = Conversation(body, clips, clips.engine, admitted)
            if one.at_once or not body.stream:
                answer = await while_there(request, admission.in_time(admitted, one.whole()))
                if not body.stream:
                    return answer
                return _Events(one, one.whole_events(answer), open_until_written.pop_all())
            begun = await while_there(request, admission.in_time(admitted, one.begin()))
            if begun is None:
                events = one.whole_events(one.late)
            else:
                events = one.events(*begun, request.state.request_id)
            return _Events(one, events, open_until_written.pop_all())


class _Events(StreamingResponse):
    """An event stream that ends its conversation when it closes, even if nothing was read."""

    def __init__(
        self, conversation: Conversation, events: AsyncIterator[str], admitted: ExitStack
    ) -> None:
        super().__init__(events, media_type="text/event-stream")
        self._conversation, self._admitted = conversation, admitted

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._conversation.end()
            self._admitted.close()


async def no_other(request: Request, *names: str) -> None:
    """Refuse a form with fields that are not among `names`."""
    for field in await request.form():
        if field not in names:
            raise Refusal(422, f"field '{field[:40]}' is not known", field[:40])
