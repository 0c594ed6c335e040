"""Asking a model about many clips at once: bounded, in any order, stopped when nobody answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass

from emollama.errors import EmollamaError
from merr.build import Item
from merr.fill import Todo
from merr.models.endpoint import NoReplyError
from merr.stagefile import Row

_AHEAD = 2  # clips handed out for each thread


@dataclass(frozen=True)
class Many:
    """Asks about clips side by side.

    Attributes:
        concurrency: questions at a time, which the endpoint sees to; half as many clips more are
            being prepared or written meanwhile, so that the server need not wait for a disk.
        where: key of the settings, for messages.
        url: for messages.
    """

    concurrency: int
    where: str
    url: str

    def rows(self, todo: Todo, one: Callable[[Item], Row]) -> Iterator[tuple[str, Row]]:
        """Rows of clips as they are answered.

        A clip that the server refuses is rejected, one that it never answers has failed. Where
        as many as are asked at a time fail one after the other, the server is down.

        Raises:
            EmollamaError: the server does not answer; what was answered is kept.
        """
        down = max(self.concurrency, 4)
        lost = 0
        threads = self.concurrency + max(self.concurrency // 2, 1)
        with ThreadPoolExecutor(threads) as pool:
            open_: dict[Future[Row], str] = {}
            try:
                for key, item in todo:
                    open_[pool.submit(_guarded, one, item)] = key
                    while len(open_) >= threads * _AHEAD:
                        for answered, row in _done(open_):
                            lost = lost + 1 if row["status"] == "failed" else 0
                            self._check(lost, down, row)
                            yield answered, row
                while open_:
                    for answered, row in _done(open_):
                        lost = lost + 1 if row["status"] == "failed" else 0
                        self._check(lost, down, row)
                        yield answered, row
            finally:
                # Also on Ctrl-C: what is being asked is finished, what waits is not begun.
                for future in open_:
                    future.cancel()

    def _check(self, lost: int, down: int, row: Row) -> None:
        if lost >= down:
            raise EmollamaError(
                f"{self.where}.url: {self.url} does not answer ({row['detail']}); all answers so "
                "far are kept, run the same command again to go on"
            )


def _done(open_: dict[Future[Row], str]) -> list[tuple[str, Row]]:
    done, _ = wait(open_, return_when=FIRST_COMPLETED)
    return [(open_.pop(future), future.result()) for future in done]


def _guarded(one: Callable[[Item], Row], item: Item) -> Row:
    try:
        return one(item)
    except NoReplyError as error:
        if error.refused:
            return {"status": "rejected", "reason": "refused by the model", "detail": str(error)}
        return {"status": "failed", "reason": "no answer", "detail": str(error)}
