"""The routes that ask about a clip: /v1/emotion and /v1/chat/completions."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator
from contextlib import ExitStack
from typing import Annotated, Any

from fastapi import FastAPI, File, Form, Request, UploadFile
from fastapi.responses import StreamingResponse
from pydantic import StringConstraints
from starlette.types import Receive, Scope, Send

from emollama.inputs.stored_people import LONGEST_NAME
from emollama.serving import wire
from emollama.serving.admission import Admission, Admitted
from emollama.serving.chat import Conversation, needs
from emollama.serving.clips import Clips
from emollama.serving.description import EVENT
from emollama.serving.emotion import emotion
from emollama.serving.leaving import while_there
from emollama.serving.people import MOST_ENROLLED, Wanted
from emollama.serving.refusal import Refusal
from emollama.serving.uploads import chunks_of

# Spelled out, since engines of patterns do not agree on what a blank is.
_BLANKS = r"\x00-\x20\x7f-\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
LabelWord = Annotated[
    str,
    StringConstraints(min_length=1, max_length=40, pattern=f"^[^,{_BLANKS}]+( [^,{_BLANKS}]+)*$"),
]


def asking_routes(app: FastAPI) -> None:
    """Add the routes that ask about a clip."""

    @app.post("/v1/emotion")
    async def ask_emotion(
        request: Request,
        file: Annotated[UploadFile | None, File(description="A clip; or give file_id.")] = None,
        file_id: Annotated[wire.FileId | None, Form(description="Id of an upload.")] = None,
        text: Annotated[
            str | None, Form(max_length=wire.LONGEST_TEXT, description="Transcript of the clip.")
        ] = None,
        transcribe: Annotated[bool, Form(description="Transcribe the clip.")] = True,
        drop: Annotated[
            list[wire.ChannelName], Form(max_length=2, description="Channels to leave out.")
        ] = [],  # noqa: B006
        labels: Annotated[
            list[LabelWord] | None,
            Form(min_length=2, max_length=50, description="Labels to choose from."),
        ] = None,
        reason: Annotated[bool, Form(description="Also explain.")] = True,
        weights: Annotated[
            bool, Form(description="Weigh each channel's share in the answer.")
        ] = True,
        coverage: Annotated[
            float | None,
            Form(gt=0, lt=1, description="Also the set of labels for this share of clips."),
        ] = None,
        enrol: Annotated[
            list[wire.FileId] | None,
            Form(
                min_length=1,
                max_length=MOST_ENROLLED,
                description="Ids of uploads of the same person, to measure the clip against.",
            ),
        ] = None,
        enrol_neutral: Annotated[
            bool, Form(description="All enrolled uploads are neutral.")
        ] = False,
        person: Annotated[
            str | None, Form(max_length=LONGEST_NAME, description="Name of a stored person.")
        ] = None,
    ) -> wire.EmotionAnswer:
        """Labels with scores, the reason, and measurements of the clip."""
        await no_other(request, *(set(inspect.signature(ask_emotion).parameters) - {"request"}))
        if (file is None) == (file_id is None):
            raise Refusal(400, "give either file or file_id", "file")
        if labels is not None and len({w.lower() for w in labels}) != len(labels):
            raise Refusal(400, "labels must be distinct", "labels")
        if text is None and "text" in await request.form():
            text = ""  # an empty field of a form: there are no words
        clips: Clips = request.app.state.clips
        wanted = Wanted.of(enrol, enrol_neutral, person)
        wanted.require(clips)

        admission: Admission = request.app.state.admission
        reads = file_id is None or clips.unread(file_id, text, transcribe)
        writes = reason and clips.engine.session.writes

        async def told(admitted: Admitted) -> wire.EmotionAnswer:
            if file_id is not None:
                look = await clips.look(file_id, text, transcribe, drop)
            else:
                assert file is not None
                name = file.filename or "clip"
                look = await clips.look_once(chunks_of(file.file), name, text, transcribe, drop)
            admitted.read()
            try:
                look = await wanted.measured(clips, look)
                return await emotion(
                    clips.engine, look, labels, reason, weights, coverage, admitted
                )  # fmt: skip
            finally:
                if file_id is None:
                    clips.engine.session.forget(look)

        with admission.admit(request.state.ends, reads, writes) as admitted:
            return await while_there(request, admission.in_time(admitted, told(admitted)))

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
            if one.shape is not None or not body.stream:
                answer = await while_there(request, admission.in_time(admitted, one.whole()))
                if not body.stream:
                    return answer
                events = one.filled_events(answer.choices[0].message.content)
                return _Events(one, events, open_until_written.pop_all())
            reply, pieces = await while_there(request, admission.in_time(admitted, one.begin()))
            events = one.events(reply, pieces, request.state.request_id)
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
