"""The recording of one page: its job, and what was found under the names that people have now."""

from __future__ import annotations

from dataclasses import dataclass

from emollama.base.errors import EmollamaError
from emollama.recording.parts import Analysis

NO_RECORDING = "analyse a recording first"


@dataclass
class RecordingDesk:
    """One page in one browser.

    Attributes:
        job: id of the recording's analysis; None before the first.
        found: the analysis as it was made; None until it is.
        now: the same with the people as the visitor named and merged them.
        show_faces: whether faces that can be recognised are shown.
        told: of the progress, so that nothing is told twice.
    """

    job: str | None = None
    found: Analysis | None = None
    now: Analysis | None = None
    show_faces: bool = False
    told: str = ""

    @property
    def opened(self) -> Analysis:
        """The analysis; an `EmollamaError` if there is none."""
        if self.now is None:
            raise EmollamaError(NO_RECORDING)
        return self.now

    def clear(self) -> None:
        """Forget the recording."""
        self.job = self.found = self.now = None
        self.told = ""
