"""One thread that runs the model for all requests.

Waiting label questions are answered in one batch; between two batches the open answers get their
next token, so that a long one delays no label. Answers that wait are written side by side once
those before them are done, the oldest requests' first.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from emollama.llm.decoding import write_together
from emollama.serving.admission import Place
from emollama.serving.settings import Settings
from emollama.session import Answer, ClipView, Reply, Sampling, Session, Turn


@dataclass
class _Task:
    """A question for the model, and the future for its outcome."""

    loop: asyncio.AbstractEventLoop
    outcomes: asyncio.Queue[Any] = field(default_factory=asyncio.Queue)
    given_up: bool = False

    def put(self, value: Any) -> None:
        if not self.loop.is_closed():
            self.loop.call_soon_threadsafe(self.outcomes.put_nowait, value)


@dataclass
class _LabelTask(_Task):
    look: ClipView = None  # type: ignore[assignment]
    labels: tuple[str, ...] | None = None


@dataclass
class _CallTask(_Task):
    call: Callable[[], Any] = lambda: None


@dataclass
class _ReplyTask(_Task):
    begin: Callable[[], Reply] = None  # type: ignore[assignment]
    place: Place | None = None
    pieces: Any = None
    reply: Reply | None = None

    def served(self) -> None:
        """The answer is written, if not yet read: the next one's turn has come."""
        if self.place is not None and not self.loop.is_closed():
            self.loop.call_soon_threadsafe(self.place.leave, True)


class _End:
    """The final outcome of a reply."""


class Pieces:
    """The pieces of an answer in progress; closing them stops the writing."""

    def __init__(self, task: _ReplyTask) -> None:
        self._task = task

    def __aiter__(self) -> Pieces:
        return self

    async def __anext__(self) -> str:
        piece = _raised(await self._task.outcomes.get())
        if isinstance(piece, _End):
            raise StopAsyncIteration
        return str(piece)

    async def text(self) -> str:
        """All pieces joined and stripped; always closed."""
        try:
            return "".join([piece async for piece in self]).strip()
        finally:
            self.close()

    def close(self) -> None:
        """Stop writing."""
        self._task.given_up = True


class Engine:
    """Runs a session for many requests; all methods are for the event loop's thread."""

    def __init__(self, session: Session, settings: Settings) -> None:
        self.session, self.settings = session, settings
        self.batches: deque[int] = deque(maxlen=1000)
        self._waiting: deque[_Task] = deque()
        self._wake = threading.Condition()
        self._stopping = False
        self._thread = threading.Thread(target=self._work, name="engine", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Finish open work and stop."""
        with self._wake:
            self._stopping = True
            self._wake.notify()
        self._thread.join()

    async def answer(self, look: ClipView, labels: Sequence[str] | None = None) -> Answer:
        """Label scores or values, in a batch with concurrent requests."""
        return (await self.answers([look], labels))[0]

    async def answers(
        self, looks: Sequence[ClipView], labels: Sequence[str] | None = None
    ) -> list[Answer]:
        """The same of several views, which wait together and so are in one batch."""
        loop, chosen = asyncio.get_running_loop(), None if labels is None else tuple(labels)
        tasks = [_LabelTask(loop, look=look, labels=chosen) for look in looks]
        self._add(*tasks)
        try:
            return [_raised(await task.outcomes.get()) for task in tasks]
        finally:
            for task in tasks:
                task.given_up = True

    async def call(self, call: Callable[[], Any]) -> Any:
        """Run any other function that needs the model."""
        return await self._outcome(_CallTask(asyncio.get_running_loop(), call=call))

    async def reply(
        self,
        look: ClipView,
        turns: Sequence[Turn],
        sampling: Sampling,
        place: Place | None,
        answer: Answer | None = None,
    ) -> tuple[Reply, Pieces]:
        """An answer, once its writing has begun, with its pieces as they come.

        Args:
            look: the clip.
            turns: of the conversation.
            sampling: how the answer is written.
            place: in the line of those that are answered in words; left when all is written.
            answer: that whose label a reason has to explain; None asks for it.
        """
        task = _ReplyTask(asyncio.get_running_loop(), place=place)
        task.begin = lambda: self.session.ask(look, turns, sampling, lambda: task.given_up, answer)
        self._add(task)
        try:
            first = _raised(await task.outcomes.get())
        except BaseException:
            task.given_up = True
            raise
        assert isinstance(first, Reply)
        return first, Pieces(task)

    async def _outcome(self, task: _Task) -> Any:
        self._add(task)
        try:
            return _raised(await task.outcomes.get())
        finally:
            task.given_up = True

    def _add(self, *tasks: _Task) -> None:
        with self._wake:
            self._waiting.extend(tasks)
            self._wake.notify()

    # --- in the engine's thread ----------------------------------------------------------------

    def _work(self) -> None:
        writing: deque[_ReplyTask] = deque()
        while True:
            with self._wake:
                while not self._waiting and not writing:
                    if self._stopping:
                        return
                    self._wake.wait()
                taken = self._take(len(writing))
            begun = [t for t in taken if isinstance(t, _ReplyTask) and self._begin(t)]
            write_together([task.reply for task in begun if task.reply is not None])
            writing.extend(begun)
            for task in taken:
                if isinstance(task, _CallTask):
                    self._finish([task], lambda task=task: [task.call()])  # type: ignore[misc]
            labels = [t for t in taken if isinstance(t, _LabelTask)]
            if labels:
                self.batches.append(len(labels))
                self._finish(labels, lambda labels=labels: self._answers(labels))  # type: ignore[misc]
            for _ in range(len(writing)):
                task = writing.popleft()
                if self._advance(task):
                    writing.append(task)

    def _take(self, writing: int) -> list[_Task]:
        """The next work: all compatible label questions, one call, and replies."""
        taken: list[_Task] = []
        left: deque[_Task] = deque()
        alike: tuple[str, ...] | None = None
        labels = calls = 0
        artefact = self.session.artefact
        room = artefact.at_once - writing if artefact.joining or not writing else 0
        for task in sorted(self._waiting, key=_since):
            if task.given_up:
                continue
            if isinstance(task, _LabelTask):
                fits = labels == 0 or (labels < self.settings.batch and task.labels == alike)
                if fits:
                    alike, labels = task.labels, labels + 1
            elif isinstance(task, _ReplyTask):
                fits = room > 0
                room -= fits
            else:
                fits = calls == 0
                calls += 1
            (taken if fits else left).append(task)
        self._waiting = left
        return taken

    def _answers(self, tasks: Sequence[_LabelTask]) -> list[Answer]:
        # The same clip asked about by several is asked about once.
        looks = {t.look.cache_key: t.look for t in tasks}
        found = self.session.answers(list(looks.values()), tasks[0].labels)
        by_key = dict(zip(looks, found, strict=True))
        return [by_key[t.look.cache_key] for t in tasks]

    def _finish(self, tasks: Sequence[_Task], make: Callable[[], Sequence[Any]]) -> None:
        try:
            outcomes = make()
        except Exception as error:
            outcomes = [error] * len(tasks)
        for task, outcome in zip(tasks, outcomes, strict=True):
            task.put(outcome)

    def _begin(self, task: _ReplyTask) -> bool:
        try:
            task.reply = task.begin()
            task.pieces = iter(task.reply)
        except Exception as error:
            task.put(error)
            return False
        task.put(task.reply)
        return True

    def _advance(self, task: _ReplyTask) -> bool:
        """Let a reply write its next piece; False if it has ended."""
        try:
            piece = next(task.pieces, None)
        except Exception as error:
            task.put(error)
            return False
        if piece is None:
            # Before the end is told: whoever has read it gives the task up.
            if not task.given_up:
                task.served()
            task.put(_End())
        else:
            task.put(piece)
        return piece is not None


def _since(task: _Task) -> float:
    """When a request took its place; 0 for what keeps the order in which it came."""
    return task.place.since if isinstance(task, _ReplyTask) and task.place is not None else 0.0


def _raised(outcome: Any) -> Any:
    if isinstance(outcome, Exception):
        raise outcome
    return outcome
