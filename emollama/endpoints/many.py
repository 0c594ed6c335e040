"""Asks a model about many things concurrently; stops when the server does not answer."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import closing
from dataclasses import dataclass
from typing import Any, TypeVar

from emollama.base.errors import EmollamaError
from emollama.endpoints.client import NoReplyError

REFUSED = "refused by the model"
_AHEAD = 2  # clips handed out for each thread
_CLIPS = 3  # that a server has to fail at: what is wrong with one or two clips is not the server
Item = TypeVar("Item")
Row = dict[str, Any]
"""What becomes of a question: "status" is "ok", "rejected" or "failed", the latter two with
"reason" and "detail"; the rest is the asker's."""


@dataclass(frozen=True)
class Many:
    """Asks about clips concurrently.

    Attributes:
        concurrency: number of open questions, enforced by the endpoint; half as many more clips are
            prepared or written meanwhile, so that the server never waits for a disk.
        where: key of the settings, for messages.
        url: for messages.
        answered: whether the server has ever answered; later refusals then concern clips.
        clip_of: the clip that a key is about, where several questions are asked about one.
    """

    concurrency: int
    where: str
    url: str
    answered: bool = False
    clip_of: Callable[[str], str] = str

    def rows(
        self, todo: Iterable[tuple[str, Item]], one: Callable[[Item], Row]
    ) -> Generator[tuple[str, Row], None, None]:
        """Rows of clips as they are answered.

        What the server refuses is rejected, what it never answers has failed. If
        `concurrency` questions about several clips fail in a row, the server is down; if it refuses
        as many without any answer, the settings are wrong, and no clip is rejected.

        Raises:
            EmollamaError: the server does not answer, or refuses everything; answers so far are
                kept.
        """
        lost: list[str] = []
        held: list[tuple[str, Row]] = []
        answered = self.answered
        with closing(self._asked(todo, one)) as asked:
            for key, row in asked:
                lost = [*lost, key] if row["status"] == "failed" else []
                if self._enough(lost):
                    raise self._no_answer(row["detail"])
                if row.get("reason") == REFUSED and not answered:
                    held.append((key, row))
                    if self._enough([key for key, _ in held]):
                        raise self._refuses_all(row["detail"])
                    continue
                if row["status"] != "failed":
                    answered = True
                    yield from held
                    held.clear()
                yield key, row
        # All there was to ask may be about one clip.
        if not answered and self._enough(lost, clips=1):
            raise self._no_answer(row["detail"])
        if not answered and self._enough([key for key, _ in held], clips=1):
            raise self._refuses_all(row["detail"])
        yield from held

    def _enough(self, keys: Sequence[str], clips: int = _CLIPS) -> bool:
        """Whether so many questions went wrong, about so many clips, that it is the server."""
        about = {self.clip_of(key) for key in keys}
        return len(keys) >= max(self.concurrency, 4) and len(about) >= clips

    def _asked(
        self, todo: Iterable[tuple[str, Item]], one: Callable[[Item], Row]
    ) -> Generator[tuple[str, Row], None, None]:
        threads = self.concurrency + max(self.concurrency // 2, 1)
        with ThreadPoolExecutor(threads) as pool:
            open_: dict[Future[Row], str] = {}
            try:
                for key, item in todo:
                    open_[pool.submit(self._guarded, one, item)] = key
                    while len(open_) >= threads * _AHEAD:
                        yield from _done(open_)
                while open_:
                    yield from _done(open_)
            finally:
                # Also on Ctrl-C: what is being asked is finished, what waits is not begun.
                for future in open_:
                    future.cancel()

    def _guarded(self, one: Callable[[Item], Row], item: Item) -> Row:
        try:
            return one(item)
        except NoReplyError as error:
            if error.everyone:
                raise self._refuses_all(str(error)) from error
            if error.refused:
                return {"status": "rejected", "reason": REFUSED, "detail": str(error)}
            return {"status": "failed", "reason": "no answer", "detail": str(error)}

    def _no_answer(self, detail: str) -> EmollamaError:
        return EmollamaError(
            f"{self.where}.url: {self.url} does not answer ({detail}); all answers so far are "
            "kept; run the same command again to continue"
        )

    def _refuses_all(self, message: str) -> EmollamaError:
        return EmollamaError(
            f"{self.where}.url: {self.url} refuses every question ({message}); check the server, "
            f"{self.where}.model and {self.where}.key_env, then run the same command again"
        )


def _done(open_: dict[Future[Row], str]) -> Iterator[tuple[str, Row]]:
    """What is done by now: answers first, so that an error loses none of them."""
    done, _ = wait(open_, return_when=FIRST_COMPLETED)
    for future in sorted(done, key=lambda one: one.exception() is not None):
        yield open_.pop(future), future.result()
