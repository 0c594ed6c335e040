"""Who is let in: a request is refused where the wait for its turn would outlast its deadline.

Two things are scarce: reading a clip and writing text. For each there is a line; its speed is the
mean time between two that leave it served while others wait, so that whatever else the machine does
is counted.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from emollama.serving.refusal import Refusal
from emollama.serving.settings import Settings

_BEFORE = 0.05  # share of the deadline that is kept for sending the answer
T = TypeVar("T")
_MEMORY = 10  # answers that the mean of a line goes back, roughly


class Line:
    """Requests that wait for the same thing or have it; for the event loop's thread.

    Attributes:
        seconds: running mean of the time that one takes; None before the first.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.seconds: float | None = None
        self._clock = clock
        self._places: set[Place] = set()
        self._served = 0
        self._last = -math.inf

    def __len__(self) -> int:
        return len(self._places)

    @property
    def wait(self) -> float:
        """Seconds until one who comes now has its turn; 0 while nothing is known."""
        return len(self._places) * (self.seconds or 0.0)

    def join(self) -> Place:
        """A place at the end."""
        place = Place(self, self._clock(), len(self._places))
        self._places.add(place)
        return place

    def leave(self, place: Place, served: bool) -> None:
        """Give up a place; of one that was `served` the time counts."""
        if place not in self._places:
            return
        self._places.remove(place)
        if not served:
            return
        now = self._clock()
        took = now - max(place.since, self._last)
        self._last, self._served = now, self._served + 1
        share = 1 / min(self._served, _MEMORY)
        self.seconds = took if self.seconds is None else self.seconds + share * (
            took - self.seconds
        )  # fmt: skip


@dataclass(eq=False, frozen=True)
class Place:
    """A request's place in a line.

    Attributes:
        since: when it was taken, on the line's clock; the older one goes first.
        ahead: how many there were before it.
    """

    line: Line
    since: float
    ahead: int

    def leave(self, served: bool = False) -> None:
        """Give it up; the second time does nothing."""
        self.line.leave(self, served)


@dataclass(frozen=True)
class Admitted:
    """What a request was let in for.

    Attributes:
        until: time on the event loop's clock at which what is known goes out.
        last: time at which it is refused where nothing is known.
        reading: its place among those whose clip is to be read; None where that is done.
        writing: its place among those that are answered in words; None for labels alone.
    """

    until: float
    last: float
    reading: Place | None = None
    writing: Place | None = None

    def read(self) -> None:
        """The clip has been read."""
        if self.reading is not None:
            self.reading.leave(served=True)


class Admission:
    """The door: two lines and the deadline.

    Args:
        settings: with the seconds that a request may take.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.reading, self.writing = Line(), Line()

    @contextmanager
    def admit(self, ends: float, reads: bool, writes: bool) -> Iterator[Admitted]:
        """Let a request in for the time that it takes.

        Args:
            ends: its deadline, as a time on the event loop's clock.
            reads: whether its clip has yet to be read.
            writes: whether it is answered in words.

        Raises:
            Refusal: its turn would come after the deadline (429).
        """
        for line, wanted in ((self.reading, reads), (self.writing, writes)):
            if wanted and line.wait > self.settings.deadline:
                raise self._full(line)
        admitted = Admitted(
            ends - self.settings.deadline * _BEFORE,
            ends - self.settings.deadline * _BEFORE / 2,
            self.reading.join() if reads else None,
            self.writing.join() if writes else None,
        )
        try:
            yield admitted
        finally:
            for place in (admitted.reading, admitted.writing):
                if place is not None:
                    place.leave()

    async def in_time(self, admitted: Admitted, work: Coroutine[Any, Any, T]) -> T:
        """The result of some work.

        Raises:
            Refusal: it was not done in time, because others were before it (429) or not (504).
        """
        try:
            async with asyncio.timeout_at(admitted.last):
                return await work
        except TimeoutError:
            raise self._too_late(admitted) from None

    def _too_late(self, admitted: Admitted) -> Refusal:
        places = [p for p in (admitted.reading, admitted.writing) if p is not None]
        place = max(places, key=lambda p: p.ahead, default=None)
        if place is None or not place.ahead:
            return Refusal(504, f"not done after {self.settings.deadline:g} s")
        return Refusal(
            429,
            f"its turn did not come within {self.settings.deadline:g} s, since {place.ahead} "
            "others were before it; try again later",
            retry_after=max(1, math.ceil(place.line.wait)),
        )

    def _full(self, line: Line) -> Refusal:
        return Refusal(
            429,
            f"{len(line)} requests wait, and the turn of another would come in about "
            f"{line.wait:.0f} s, after the deadline of {self.settings.deadline:g} s; try again "
            "later",
            retry_after=max(1, math.ceil(line.wait - self.settings.deadline)),
        )
