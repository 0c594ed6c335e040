"""The application: its routes, and what is built at startup and closed at shutdown."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Annotated, Any

from fastapi import Depends, FastAPI, File, Form, Request, UploadFile
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, StreamingResponse
from pydantic import StringConstraints
from starlette.exceptions import HTTPException
from starlette.routing import Match
from starlette.types import Receive, Scope, Send

from emollama import __version__
from emollama.inputs.stored_people import LONGEST_NAME
from emollama.serving import wire
from emollama.serving.chat import Conversation
from emollama.serving.clips import Clips
from emollama.serving.decoders import DecoderPool
from emollama.serving.description import EVENT, DescribedApp
from emollama.serving.emotion import emotion
from emollama.serving.engine import Engine
from emollama.serving.gatekeeper import Gatekeeper
from emollama.serving.leaving import while_there
from emollama.serving.people import MOST_ENROLLED, Wanted
from emollama.serving.refusal import ErrorResponse, Refusal, body_of
from emollama.serving.settings import Settings
from emollama.serving.uploads import Upload, Uploads, chunks_of
from emollama.session import Session

_SWEEP = 30.0  # seconds between two looks for what has expired
_ERRORS: dict[int | str, dict[str, Any]] = {
    code: {"model": ErrorResponse, "description": what}
    for code, what in (
        (400, "The request is invalid"),
        (401, "The API key is missing or wrong"),
        (
            403,
            "The request comes from another site's web page, or names people that are not served",
        ),
        (404, "No such file or model"),
        (408, "The request's body arrived too slowly"),
        (413, "The clip is too large"),
        (421, "The Host header does not name this machine"),
        (422, "The request or the clip cannot be read"),
        (429, "Too many open requests"),
        (500, "An internal error"),
        (504, "The deadline has passed"),
    )
}
# Spelled out, since engines of patterns do not agree on what a blank is.
_BLANKS = r"\x00-\x20\x7f-\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
LabelWord = Annotated[
    str,
    StringConstraints(min_length=1, max_length=40, pattern=f"^[^,{_BLANKS}]+( [^,{_BLANKS}]+)*$"),
]
FileIdPath = wire.FileId


def create_app(session: Session, settings: Settings, folder: Path | None = None) -> FastAPI:
    """Build the application around an open session.

    Args:
        session: the model.
        settings: limits.
        folder: parent of the private folder of uploads; the system's temporary folder when None.
    """
    session.limit_memory(settings.prefix_memory)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        uploads = Uploads(settings, folder)
        decoders = DecoderPool(session, settings)
        engine = Engine(session, settings)
        clips = Clips(uploads, decoders, engine)
        app.state.clips, app.state.engine, app.state.uploads = clips, engine, uploads
        sweeping = asyncio.create_task(_sweep(clips))
        try:
            await asyncio.to_thread(decoders.start)
            yield
        finally:
            sweeping.cancel()
            with suppress(asyncio.CancelledError):
                await sweeping
            await asyncio.to_thread(decoders.close)
            await asyncio.to_thread(engine.close)
            uploads.close()

    app = DescribedApp(
        title="emollama",
        version=__version__,
        description="Which emotion does a person in a clip show, and what is the evidence?",
        lifespan=lifespan,
        responses=_ERRORS,
        docs_url=None,  # its page would load scripts from elsewhere
        redoc_url=None,
        dependencies=[Depends(_no_query)],
    )
    _handle_errors(app)
    _model_routes(app, session)
    _file_routes(app)
    _asking_routes(app, settings)
    app.add_middleware(Gatekeeper, settings=settings)
    return app


async def _sweep(clips: Clips) -> None:
    while True:
        await asyncio.sleep(_SWEEP)
        clips.expire()


def _handle_errors(app: FastAPI) -> None:
    def answer(request: Request, status: int, message: str, param: str | None = None) -> Any:
        body = body_of(status, message, request.state.request_id, param)
        return JSONResponse(body, status)

    @app.exception_handler(Refusal)
    async def refused(request: Request, error: Refusal) -> Any:
        return answer(request, error.status, error.message, error.param)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Any:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"] if part != "body")
        said = "must be a file" if "UploadFile" in first["msg"] else first["msg"]
        return answer(request, 422, f"{where}: {said}" if where else said, where)

    @app.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException) -> Any:
        found = answer(request, error.status_code, str(error.detail))
        found.headers.update(error.headers or {})
        if error.status_code == 405:
            # Each route knows its own methods alone.
            matching = (r for r in app.routes if r.matches(request.scope)[0] != Match.NONE)
            methods = {m for r in matching for m in getattr(r, "methods", None) or ()}
            found.headers["allow"] = ", ".join(sorted(methods))
        return found


def _model_routes(app: FastAPI, session: Session) -> None:
    opened = int(time.time())

    def model() -> wire.Model:
        return wire.Model(
            id=session.name, created=opened, kind=session.kind,
            labels=list(session.labels), channels=list(session.channels),
        )  # fmt: skip

    @app.get("/healthz")
    async def healthz(request: Request) -> wire.Health:
        """Health check; needs no API key."""
        return wire.Health(model=session.name, in_hand=request.state.gatekeeper.inside)

    @app.get("/v1/models")
    async def models() -> wire.Models:
        """The served model."""
        return wire.Models(data=[model()])

    @app.get("/v1/models/{name}")
    async def one_model(name: str) -> wire.Model:
        """The served model, by name."""
        if name != session.name:
            raise Refusal(404, f"there is no model '{name[:80]}'; this is '{session.name}'")
        return model()


def _file_routes(app: FastAPI) -> None:
    @app.post("/v1/files")
    async def upload(
        request: Request,
        file: Annotated[UploadFile, File(description="A clip: mp4, webm, wav, ...")],
        purpose: Annotated[str, Form(max_length=40)] = "user_data",
    ) -> wire.File:
        """Upload a clip; its file name does not matter."""
        clips: Clips = request.app.state.clips
        await _no_other(request, "file", "purpose")
        work = clips.upload(chunks_of(file.file), file.filename or "clip")
        return _file(await while_there(request, work))

    @app.get("/v1/files")
    async def files(request: Request) -> wire.Files:
        """List stored uploads."""
        uploads: Uploads = request.app.state.uploads
        data = [_file(u) for u in uploads.all()]
        ends = (data[0].id, data[-1].id) if data else (None, None)
        return wire.Files(data=data, first_id=ends[0], last_id=ends[1])

    @app.get("/v1/files/{file_id}")
    async def one_file(request: Request, file_id: FileIdPath) -> wire.File:
        """Describe an upload."""
        uploads: Uploads = request.app.state.uploads
        return _file(uploads.get(file_id))

    @app.delete("/v1/files/{file_id}")
    async def delete(request: Request, file_id: FileIdPath) -> wire.Deleted:
        """Delete an upload and everything derived from it."""
        clips: Clips = request.app.state.clips
        clips.forget(file_id)
        return wire.Deleted(id=file_id)


def _asking_routes(app: FastAPI, settings: Settings) -> None:
    @app.post("/v1/emotion")
    async def ask_emotion(
        request: Request,
        file: Annotated[UploadFile | None, File(description="A clip; or give file_id.")] = None,
        file_id: Annotated[FileIdPath | None, Form(description="Id of an upload.")] = None,
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
            list[FileIdPath] | None,
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
        await _no_other(request, *(set(inspect.signature(ask_emotion).parameters) - {"request"}))
        if (file is None) == (file_id is None):
            raise Refusal(400, "give either file or file_id", "file")
        if labels is not None and len({w.lower() for w in labels}) != len(labels):
            raise Refusal(400, "labels must be distinct", "labels")
        if text is None and "text" in await request.form():
            text = ""  # an empty field of a form: there are no words
        clips: Clips = request.app.state.clips
        wanted = Wanted.of(enrol, enrol_neutral, person)
        wanted.require(clips)

        async def told() -> wire.EmotionAnswer:
            if file_id is not None:
                look = await clips.look(file_id, text, transcribe, drop)
                look = await wanted.measured(clips, look)
                return await emotion(clips.engine, look, labels, reason, weights, coverage)
            assert file is not None
            name = file.filename or "clip"
            look = await clips.look_once(chunks_of(file.file), name, text, transcribe, drop)
            try:
                look = await wanted.measured(clips, look)
                return await emotion(clips.engine, look, labels, reason, weights, coverage)
            finally:
                clips.engine.session.forget(look)

        return await while_there(request, told())

    @app.post(
        "/v1/chat/completions",
        response_model=wire.ChatAnswer,
        responses={200: {"content": {"text/event-stream": {"schema": EVENT}}}},
    )
    async def chat(request: Request, body: wire.ChatRequest) -> Any:
        """Ask about a clip, through OpenAI's chat API."""
        # A little before the gatekeeper's own, so that a stream can say why it ends.
        deadline = request.state.ends - settings.deadline * 0.05
        one = Conversation(body, request.app.state.clips, request.app.state.engine, deadline)
        if not body.stream:
            return await while_there(request, one.whole())
        reply, pieces = await while_there(request, one.begin())
        return _Events(one, one.events(reply, pieces, request.state.request_id))


class _Events(StreamingResponse):
    """An event stream that ends its conversation when it closes, even if nothing was read."""

    def __init__(self, conversation: Conversation, events: AsyncIterator[str]) -> None:
        super().__init__(events, media_type="text/event-stream")
        self._conversation = conversation

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._conversation.end()


async def _no_query(request: Request) -> None:
    """Refuse query parameters: no route takes any."""
    if request.query_params and request.url.path != "/healthz":
        name = next(iter(request.query_params))
        raise Refusal(422, f"'{name[:40]}' is not known: no route takes query parameters")


async def _no_other(request: Request, *names: str) -> None:
    """Refuse a form with fields that are not among `names`."""
    for field in await request.form():
        if field not in names:
            raise Refusal(422, f"field '{field[:40]}' is not known", field[:40])


def _file(upload: Upload) -> wire.File:
    return wire.File(
        id=upload.id, bytes=upload.size, created_at=int(upload.created),
        expires_at=int(upload.expires), filename=upload.name,
    )  # fmt: skip
