"""The application: its routes, and what is built at startup and closed at shutdown."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Annotated, Any

from fastapi import Depends, FastAPI, File, Form, Request, UploadFile
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException
from starlette.routing import Match

from emollama.base.version import __version__
from emollama.serving import wire
from emollama.serving.admission import Admission
from emollama.serving.clips import Clips
from emollama.serving.decoders import DecoderPool
from emollama.serving.description import DescribedApp
from emollama.serving.engine import Engine
from emollama.serving.gatekeeper import OPEN_PATHS, Gatekeeper
from emollama.serving.invalid import told
from emollama.serving.jobs import Jobs
from emollama.serving.leaving import while_there
from emollama.serving.metrics import CONTENT_TYPE, Health, Metrics, Ready
from emollama.serving.refusal import ErrorResponse, Refusal, body_of
from emollama.serving.routes.asking import asking_routes, no_other
from emollama.serving.routes.live import live_route
from emollama.serving.routes.pages import page_routes
from emollama.serving.routes.recordings import recording_routes
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
        (503, "The server takes no request at present"),
        (500, "An internal error"),
        (504, "The deadline has passed"),
    )
}


def create_app(
    session: Session, settings: Settings, folder: Path | None = None, jobs: Jobs | None = None
) -> FastAPI:
    """Build the application around an open session.

    Args:
        session: the model.
        settings: limits.
        folder: parent of the private folder of uploads; the system's temporary folder when None.
        jobs: analyses of recordings, closed with the application; none are offered when None.
    """
    session.limit_memory(settings.prefix_memory)
    metrics = Metrics()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        uploads = Uploads(settings, folder)
        decoders = DecoderPool(session, settings)
        engine = Engine(session, settings)
        clips = Clips(uploads, decoders, engine)
        app.state.clips, app.state.engine, app.state.uploads = clips, engine, uploads
        app.state.admission = admission = Admission(settings)
        _watch(metrics, admission, uploads)
        sweeping = asyncio.create_task(_sweep(clips))
        try:
            await asyncio.to_thread(decoders.start)
            if jobs is not None:
                jobs.start()
            yield
        finally:
            sweeping.cancel()
            with suppress(asyncio.CancelledError):
                await sweeping
            if jobs is not None:
                await asyncio.to_thread(jobs.close)
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
    _handle_errors(app, jobs is not None)
    _model_routes(app, session)
    _file_routes(app)
    asking_routes(app)
    if jobs is not None:
        recording_routes(app, session, settings, jobs)
    _watching_routes(app, session, settings, metrics)
    live_route(app, settings, metrics)
    page_routes(app, bool(settings.all_keys))
    app.add_middleware(Gatekeeper, settings=settings, metrics=metrics)
    return app


def _watch(metrics: Metrics, admission: Admission, uploads: Uploads) -> None:
    metrics.watch("uploads", "Uploads kept", lambda: len(uploads.all()))
    for name, line in (("reading", admission.reading), ("writing", admission.writing)):
        metrics.watch(f"{name}_requests", f"Requests in the line for {name}", line.__len__)
        metrics.watch(
            f"{name}_wait_seconds", f"Estimated wait for {name}", partial(getattr, line, "wait")
        )


async def _sweep(clips: Clips) -> None:
    while True:
        await asyncio.sleep(_SWEEP)
        clips.expire()


def _handle_errors(app: FastAPI, recordings: bool) -> None:
    def answer(request: Request, status: int, message: str, param: str | None = None) -> Any:
        body = body_of(status, message, request.state.request_id, param)
        return JSONResponse(body, status)

    @app.exception_handler(Refusal)
    async def refused(request: Request, error: Refusal) -> Any:
        found = answer(request, error.status, error.message, error.param)
        found.headers.update(error.headers)
        return found

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Any:
        where, said = told(error.errors(), error.body)
        return answer(request, 422, said, where)

    @app.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException) -> Any:
        found = answer(request, error.status_code, _said(request, error, recordings))
        found.headers.update(error.headers or {})
        if error.status_code == 405:
            # Each route knows its own methods alone.
            matching = (r for r in app.routes if r.matches(request.scope)[0] != Match.NONE)
            methods = {m for r in matching for m in getattr(r, "methods", None) or ()}
            found.headers["allow"] = ", ".join(sorted(methods))
        return found


def _said(request: Request, error: HTTPException, recordings: bool) -> str:
    path = request.url.path
    if error.status_code != 404:
        return str(error.detail)
    if path.startswith("/v1/recordings") and not recordings:
        return "recordings are not offered here; start the server with --jobs DIR"
    return f"there is no path '{path[:80]}'; /docs lists them"


def _model_routes(app: FastAPI, session: Session) -> None:
    opened = int(time.time())

    def model() -> wire.Model:
        return wire.Model(
            id=session.name, created=opened, kind=session.kind,
            labels=list(session.labels), channels=list(session.channels),
        )  # fmt: skip

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


def _watching_routes(app: FastAPI, session: Session, settings: Settings, metrics: Metrics) -> None:
    @app.get("/healthz")
    async def healthz(request: Request) -> Health:
        """Health check; needs no API key."""
        return Health(model=session.name, in_hand=request.state.gatekeeper.inside)

    @app.get("/readyz")
    async def readyz(request: Request) -> Ready:
        """Whether a request that comes now would be taken (else 503); needs no API key."""
        admission: Admission = app.state.admission
        inside = request.state.gatekeeper.inside
        wait = max(admission.reading.wait, admission.writing.wait)
        if inside >= settings.queue or wait > settings.deadline:
            raise Refusal(
                503, f"{inside} requests are open, and the wait is about {wait:.0f} s",
                retry_after=max(1, math.ceil(wait - settings.deadline)),
            )  # fmt: skip
        return Ready(
            model=session.name, in_hand=inside, reading=len(admission.reading),
            writing=len(admission.writing), wait_seconds=round(wait, 3),
        )  # fmt: skip

    @app.get("/metrics", include_in_schema=False)
    async def figures() -> Response:
        """Counters for Prometheus."""
        return Response(metrics.text(), media_type=CONTENT_TYPE)


def _file_routes(app: FastAPI) -> None:
    @app.post("/v1/files")
    async def upload(
        request: Request,
        file: Annotated[UploadFile, File(description="A clip: mp4, webm, wav, ...")],
        purpose: Annotated[str, Form(max_length=40)] = "user_data",
    ) -> wire.File:
        """Upload a clip; its file name does not matter."""
        clips: Clips = request.app.state.clips
        await no_other(request, "file", "purpose")
        admission: Admission = request.app.state.admission
        with admission.admit(request.state.ends, reads=True, writes=False) as admitted:
            work = clips.upload(chunks_of(file.file), file.filename or "clip")
            found = await while_there(request, admission.in_time(admitted, work))
            admitted.read()
        return _file(found)

    @app.get("/v1/files")
    async def files(request: Request) -> wire.Files:
        """List stored uploads."""
        uploads: Uploads = request.app.state.uploads
        data = [_file(u) for u in uploads.all()]
        ends = (data[0].id, data[-1].id) if data else (None, None)
        return wire.Files(data=data, first_id=ends[0], last_id=ends[1])

    @app.get("/v1/files/{file_id}")
    async def one_file(request: Request, file_id: wire.FileId) -> wire.File:
        """Describe an upload."""
        uploads: Uploads = request.app.state.uploads
        return _file(uploads.get(file_id))

    @app.delete("/v1/files/{file_id}")
    async def delete(request: Request, file_id: wire.FileId) -> wire.Deleted:
        """Delete an upload and everything derived from it."""
        clips: Clips = request.app.state.clips
        clips.forget(file_id)
        return wire.Deleted(id=file_id)


async def _no_query(request: Request) -> None:
    """Refuse query parameters: no route takes any."""
    if request.query_params and request.url.path not in OPEN_PATHS:
        name = next(iter(request.query_params))
        raise Refusal(422, f"'{name[:40]}' is not known: no route takes query parameters")


def _file(upload: Upload) -> wire.File:
    return wire.File(
        id=upload.id, bytes=upload.size, created_at=int(upload.created),
        expires_at=int(upload.expires), filename=upload.name,
    )  # fmt: skip
