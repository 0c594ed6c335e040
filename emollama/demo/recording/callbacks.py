"""Callbacks of the tab for recordings: generators of changes, values by component name."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Concatenate, ParamSpec

import gradio as gr

from emollama.base.errors import EmollamaError
from emollama.demo.recording.desk import RecordingDesk
from emollama.demo.recording.download import zipped
from emollama.demo.recording.shelf import Shelf
from emollama.demo.recording.view import framed, told_answer, told_progress
from emollama.demo.status import Changes, busy, errors_told
from emollama.recording.parts import Analysis
from emollama.recording.result.kept import ANALYSIS, kept_analysis
from emollama.recording.result.naming import merged, renamed
from emollama.recording.result.when import asked
from emollama.serving.jobs import Asked, Job
from emollama.serving.refusal import Refusal

P = ParamSpec("P")

LONGEST_QUESTION = 300
"""Characters."""
_GONE = "the recording was removed, as everything is after an hour; upload it again"
_SHOWN = "shown"  # folder of the recording under its owner's name, for the player


def on_the_tab(
    callback: Callable[Concatenate[Recordings, RecordingDesk, P], Iterator[Changes]],
) -> Callable[Concatenate[Recordings, RecordingDesk, P], Iterator[Changes]]:
    """Every error becomes a line on the tab; internal errors also go to the log."""

    @functools.wraps(callback)
    def wrapped(
        self: Recordings, desk: RecordingDesk, /, *args: P.args, **kwargs: P.kwargs
    ) -> Iterator[Changes]:
        yield from errors_told(callback(self, desk, *args, **kwargs))

    return wrapped


class Recordings:
    """Callbacks of one page's tab; visitors share the shelf, and each has a desk.

    Args:
        shelf: of the recordings.
        folder: private folder for saved files.
    """

    def __init__(self, shelf: Shelf, folder: Path) -> None:
        self.shelf, self.folder = shelf, folder
        self.jobs = shelf.jobs

    # --- the analysis --------------------------------------------------------------------------

    @on_the_tab
    def begin(
        self,
        desk: RecordingDesk,
        path: str | None,
        agreed: bool,
        transcribe: bool,
        explain: bool,
        people: float | None,
    ) -> Iterator[Changes]:
        """Queue the analysis of an uploaded recording; that of an earlier one is removed.

        Args:
            desk: of the page.
            path: of the file; None where none was uploaded.
            agreed: whether everybody in it has agreed.
            transcribe: whether to write down what is said.
            explain: whether to write a reason for each segment.
            people: number of people who speak; None or 0 to find it out.
        """
        if path is None:
            raise EmollamaError("choose a recording first")
        if not agreed:
            raise EmollamaError("tick that everybody in the recording has agreed first")
        count = int(people) if people else None
        if count is not None and not 1 <= count <= 1000:
            raise EmollamaError(f"the number of people who speak is 1 to 1000, not {count}")
        job = self.shelf.begin(Path(path), Asked(transcribe, explain, count))
        self.forget(desk)
        desk.job = job.id
        yield {
            "desk": desk, "outcome": gr.update(visible=False), "upload": None, "found": "",
            "report": "", "state": busy(self._progress(job)), "stop": gr.update(visible=True),
            "timer": gr.Timer(active=True),
        }  # fmt: skip

    @on_the_tab
    def poll(self, desk: RecordingDesk) -> Iterator[Changes]:
        """How the analysis stands; what was found, once it is there."""
        ended: Changes = {"timer": gr.Timer(active=False), "stop": gr.update(visible=False)}
        if desk.job is None or desk.now is not None:
            yield ended
            return
        try:
            job = self._job(desk)
            if job.state == "done":
                desk.found = desk.now = self._found(job)
                yield {**ended, "desk": desk, "outcome": gr.update(visible=True), "state": "",
                       **self._shown(desk)}  # fmt: skip
                return
            if job.state in ("failed", "cancelled"):
                why = (job.error or "it was stopped").removeprefix("recording: ")
                self.forget(desk)
                raise EmollamaError(f"{job.name}: the analysis failed: {why}")
        except EmollamaError:
            yield {**ended, "desk": desk}
            raise
        told = self._progress(job)
        # A line that is there is not read out again; the desk is kept for as long as it is used.
        yield {"desk": desk, "state": gr.skip() if told == desk.told else busy(told)}
        desk.told = told

    @on_the_tab
    def stop(self, desk: RecordingDesk) -> Iterator[Changes]:
        """Stop the analysis and remove the recording."""
        self.forget(desk)
        yield {"desk": desk, "timer": gr.Timer(active=False), "stop": gr.update(visible=False),
               "state": busy("The analysis was stopped; the recording is removed.")}  # fmt: skip

    def forget(self, desk: RecordingDesk) -> None:
        """Remove the recording of a desk, whatever becomes of it."""
        if desk.job is not None:
            with suppress(Refusal):  # it is gone already
                self.jobs.remove(desk.job)
        desk.clear()

    def _progress(self, job: Job) -> str:
        before = [j for j in self.jobs.all() if j.state in ("queued", "running")]
        ahead = sum(j.created < job.created for j in before)
        return told_progress(job, ahead, self.jobs.progress(job))

    def _job(self, desk: RecordingDesk) -> Job:
        if desk.job is None:
            return self.jobs.get("")
        try:
            return self.jobs.get(desk.job)
        except Refusal:
            desk.clear()
            raise EmollamaError(_GONE) from None

    def _found(self, job: Job) -> Analysis:
        media = self.shelf.named(job, self.jobs.folder / job.id / _SHOWN)
        return replace(kept_analysis(self.jobs.files(job)[ANALYSIS]), recording=media)

    # --- what was found ------------------------------------------------------------------------

    @on_the_tab
    def rename(self, desk: RecordingDesk, who: str | None, name: str) -> Iterator[Changes]:
        """Give a person another name."""
        yield from self._changed(desk, lambda now: renamed(now, who or "", name))

    @on_the_tab
    def merge(self, desk: RecordingDesk, who: str | None, into: str | None) -> Iterator[Changes]:
        """Take two people for one."""
        yield from self._changed(desk, lambda now: merged(now, who or "", into or ""))

    @on_the_tab
    def undo(self, desk: RecordingDesk) -> Iterator[Changes]:
        """The people as the analysis found them."""
        yield from self._changed(desk, lambda now: desk.found or now)

    @on_the_tab
    def show_faces(self, desk: RecordingDesk, shown: bool) -> Iterator[Changes]:
        """Show or blur faces."""
        desk.show_faces = shown
        yield from self._changed(desk, lambda now: now)

    @on_the_tab
    def ask(self, desk: RecordingDesk, question: str) -> Iterator[Changes]:
        """When somebody is or gets something."""
        now = self._now(desk)
        yield {"found": ""}
        if len(question) > LONGEST_QUESTION:
            raise EmollamaError(
                f"the question has {len(question)} characters; at most {LONGEST_QUESTION} are "
                "allowed"
            )
        yield {"found": told_answer(asked(now, question)), "state": ""}

    @on_the_tab
    def download(self, desk: RecordingDesk) -> Iterator[Changes]:
        """Everything that was found, as a zip."""
        now = self._now(desk)
        yield {"state": busy("Writing the files …")}
        path = zipped(self.shelf, self._job(desk), now, desk.show_faces, self.folder)
        yield {"saved": str(path), "state": ""}

    def _now(self, desk: RecordingDesk) -> Analysis:
        now = desk.opened
        self._job(desk)
        return now

    def _changed(
        self, desk: RecordingDesk, change: Callable[[Analysis], Analysis]
    ) -> Iterator[Changes]:
        desk.now = change(self._now(desk))
        yield {"desk": desk, "state": "", "name": "", "found": "", **self._shown(desk)}

    def _shown(self, desk: RecordingDesk) -> Changes:
        now = desk.opened
        names: list[Any] = [person.name for person in now.people]
        first, second = (*names[:2], None, None)[:2]
        return {
            "report": framed(now, now.recording, desk.show_faces),
            "who": gr.update(choices=names, value=first),
            "into": gr.update(choices=names, value=second),
        }
