"""The state of one page. Several events may run at once; clips never mix."""

from __future__ import annotations

from dataclasses import dataclass

from emollama.base.errors import EmollamaError
from emollama.demo.source import Source
from emollama.demo.visit import Visit
from emollama.inputs.person import Person
from emollama.session import ClipView, Session

NO_CLIP = "choose a clip first"


@dataclass
class Desk:
    """One page in one browser.

    Attributes:
        visit: the clip that the page shows; None before the first.
        chosen: what was chosen last, whether or not it could be read.
        openings: number of clips chosen so far; only the last one is shown.
        person: whom its clips are measured against; None for nobody.
        person_name: of a stored person.
        enrolments: number of choices of a person so far; only the last one counts.
    """

    visit: Visit | None = None
    chosen: Source | None = None
    openings: int = 0
    person: Person | None = None
    person_name: str | None = None
    enrolments: int = 0

    def known(self, session: Session, look: ClipView) -> ClipView:
        """A clip measured against the page's person; itself without one."""
        return session.known_as(look, self.person, self.person_name)

    def view(self) -> View:
        """A snapshot of the page for one event."""
        return View(self, self.visit)


@dataclass
class View:
    """A snapshot of the page for one event.

    Attributes:
        desk: the page.
        visit: the clip of the event.
        opening: number of a clip being read; None for events about the clip shown.
    """

    desk: Desk
    visit: Visit | None
    opening: int | None = None

    @property
    def current(self) -> bool:
        """Whether the event's result is still relevant to the page."""
        if self.opening is not None:
            return self.opening == self.desk.openings
        return self.visit is self.desk.visit

    @property
    def opened(self) -> Visit:
        """The clip; an `EmollamaError` if there is none."""
        if self.visit is None:
            raise EmollamaError(NO_CLIP)
        return self.visit

    def open(self) -> None:
        """Begin to read a clip; a clip still being read is dropped."""
        self.desk.openings += 1
        self.opening = self.desk.openings

    def put(self, visit: Visit) -> bool:
        """Show this clip, and stop any answer about the previous one. Returns whether the clip was
        still relevant.
        """
        if not self.current:
            return False
        before, self.desk.visit = self.desk.visit, visit
        self.visit, self.opening = visit, None
        if before is not None:
            before.stop.set()
        return True
