"""The routes of recordings: an analysis as a job; only where the operator names a folder."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any, Literal

from fastapi import FastAPI, File, Form, Request, UploadFile
from fastapi.responses import FileResponse
from pydantic import BaseModel

from emollama.base.errors import EmollamaError
from emollama.recording.notice import NOTICE
from emollama.serving.jobs import Asked, Job, Jobs, State
from emollama.serving.refusal import Refusal
from emollama.serving.routes.asking import no_other
from emollama.serving.settings import Settings
from emollama.serving.uploads import chunks_of
from emollama.session import Session


class Progress(BaseModel):
    """What a running job does, in minutes of the recording."""

    stage: str
    done: float
    total: float


class Recording(BaseModel):
    """A job: the analysis of a recording."""

    id: str
    object: Literal["recording"] = "recording"
    filename: str
    created_at: int
    status: State
    progress: Progress | None
    error: str | None
    found: dict[str, Any] | None
    files: list[str]
    notice: str = NOTICE


class Recordings(BaseModel):
    """All jobs, oldest first."""

    object: Literal["list"] = "list"
    data: list[Recording]


class Removed(BaseModel):
    """A job of which nothing is left."""

    id: str
    object: Literal["recording"] = "recording"
    deleted: bool = True


def recording_routes(app: FastAPI, session: Session, settings: Settings, jobs: Jobs) -> None:
    """Add the routes of jobs."""

    def shown(job: Job) -> Recording:
        progress = jobs.progress(job)
        return Recording(
            id=job.id, filename=job.name, created_at=int(job.created), status=job.state,
            progress=progress and Progress(stage=progress[0], done=progress[1], total=progress[2]),
            error=job.error, found=jobs.found(job), files=list(jobs.files(job)),
        )  # fmt: skip

    @app.post("/v1/recordings")
    async def begin(
        request: Request,
        file: Annotated[UploadFile, File(description="A recording of any length.")],
        transcribe: Annotated[bool, Form(description="Write down what is said.")] = True,
        explain: Annotated[bool, Form(description="Write a reason for each segment.")] = False,
        people: Annotated[
            int | None, Form(ge=1, le=1000, description="Number of people who speak.")
        ] = None,
        coverage: Annotated[
            float | None, Form(gt=0, lt=1, description="Also sets of labels for this share.")
        ] = None,
    ) -> Recording:
        """Find out who speaks when in a recording, with which emotion; the answer is a job."""
        await no_other(request, "file", "transcribe", "explain", "people", "coverage")
        if explain and not session.writes:
            raise Refusal(400, f"model '{session.name}' writes no reasons", "explain")
        try:
            session.require_calibrated(coverage)
        except EmollamaError as error:
            raise Refusal(400, str(error), "coverage") from None
        asked = Asked(transcribe, explain, people, coverage)
        name = file.filename or "recording"
        chunks = chunks_of(file.file)
        return shown(await asyncio.to_thread(jobs.add, chunks, name, asked, settings.max_bytes))

    @app.get("/v1/recordings")
    async def every() -> Recordings:
        """List all jobs."""
        return Recordings(data=[shown(job) for job in jobs.all()])

    @app.get("/v1/recordings/{job_id}")
    async def one(job_id: str) -> Recording:
        """How a job stands, and what it found."""
        return shown(jobs.get(job_id))

    @app.post("/v1/recordings/{job_id}/cancel")
    async def cancel(job_id: str) -> Recording:
        """Stop a job."""
        return shown(jobs.cancel(job_id))

    @app.delete("/v1/recordings/{job_id}")
    async def delete(job_id: str) -> Removed:
        """Stop a job and remove everything of it."""
        await asyncio.to_thread(jobs.remove, job_id)
        return Removed(id=job_id)

    @app.get("/v1/recordings/{job_id}/files/{name:path}")
    async def result(job_id: str, name: str) -> FileResponse:
        """A file of a finished job, by its name in `files`."""
        job = jobs.get(job_id)
        path = jobs.files(job).get(name)
        if path is None:
            still = "" if job.state == "done" else f"; it is {job.state}"
            raise Refusal(404, f"job '{job_id}' has no file '{name[:80]}'{still}")
        # Never opened as a page of this server.
        return FileResponse(path, filename=path.name, content_disposition_type="attachment")
