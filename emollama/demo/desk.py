"""What one page shows at a time. Several of its events may run side by side; clips do not mix."""

from __future__ import annotations

from dataclasses import dataclass

from emollama.base.errors import EmollamaError
from emollama.demo.visit import Visit

NO_CLIP = "choose a clip first"


@dataclass
class Desk:
    """One page in one browser.

    Attributes:
        visit: the clip that the page shows; None before the first.
        openings: how many clips have been chosen; only the last of them comes to be shown.
    """

    visit: Visit | None = None
    openings: int = 0

    def view(self) -> View:
        """The page as it is at this moment, for one event."""
        return View(self, self.visit)


@dataclass
class View:
    """What one event knows of the page.

    Attributes:
        desk: the page.
        visit: the clip that the event is about.
        opening: of a clip that is being read; None for what is about the one that is shown.
    """

    desk: Desk
    visit: Visit | None
    opening: int | None = None

    @property
    def current(self) -> bool:
        """Whether the page still wants what this event finds."""
        if self.opening is not None:
            return self.opening == self.desk.openings
        return self.visit is self.desk.visit

    @property
    def opened(self) -> Visit:
        """The clip; an `EmollamaError` where there is none."""
        if self.visit is None:
            raise EmollamaError(NO_CLIP)
        return self.visit

    def open(self) -> None:
        """Begin to read a clip; one that was being read is not wanted any more."""
        self.desk.openings += 1
        self.opening = self.desk.openings

    def put(self, visit: Visit) -> bool:
        """Show this clip, and end what is being written about the one before.

        Returns whether the page still wanted it.
        """
        if not self.current:
            return False
        before, self.desk.visit = self.desk.visit, visit
        self.visit, self.opening = visit, None
        if before is not None:
            before.stop.set()
        return True
