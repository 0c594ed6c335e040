"""Asks a model about many things concurrently; stops when the server does not answer."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import closing
from dataclasses import dataclass
from typing import Any, TypeVar

from emollama.base.errors import EmollamaError
from emollama.endpoints.client import NoReplyError

REFUSED = "refused by the model"
_AHEAD = 2  # clips handed out for each thread
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
    """

    concurrency: int
    where: str
    url: str
    answered: bool = False

    def rows(
        self, todo: Iterable[tuple[str, Item]], one: Callable[[Item], Row]
    ) -> Generator[tuple[str, Row], None, None]:
        """Rows of clips as they are answered.

        A clip that the server refuses is rejected, one that it never answers has failed. If
        `concurrency` clips fail in a row, the server is down; if it refuses as many without any
        answer, the settings are wrong, and no clip is rejected.

        Raises:
            EmollamaError: the server does not answer, or refuses everything; answers so far are
                kept.
        """
        enough = max(self.concurrency, 4)
        lost, answered = 0, self.answered
        held: list[tuple[str, Row]] = []
        with closing(self._asked(todo, one)) as asked:
            for key, row in asked:
                lost = lost + 1 if row["status"] == "failed" else 0
                if lost >= enough:
                    raise EmollamaError(
                        f"{self.where}.url: {self.url} does not answer "
                        f"({row['detail']}); all answers so far are kept; run the same command "
                        "again to continue"
                    )
                if row.get("reason") == REFUSED and not answered:
                    held.append((key, row))
                    if len(held) >= enough:
                        raise self._refuses_all(row["detail"])
                    continue
                if row["status"] != "failed":
                    answered = True
                    yield from held
                    held.clear()
                yield key, row
            yield from held

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

    def _refuses_all(self, message: str) -> EmollamaError:
        return EmollamaError(
            f"{self.where}.url: {self.url} refuses every question ({message}); check the server, "
            f"{self.where}.model and {self.where}.key_env, then run the same command again"
        )


def _done(open_: dict[Future[Row], str]) -> list[tuple[str, Row]]:
    done, _ = wait(open_, return_when=FIRST_COMPLETED)
    return [(open_.pop(future), future.result()) for future in done]
