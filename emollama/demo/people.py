"""Callbacks that say who is in the clip: other clips of the person, or somebody stored.

The page stores nobody. What it knows of a person is kept with the page and goes with it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path

from emollama.base.errors import EmollamaError
from emollama.demo.callbacks import Callbacks
from emollama.demo.desk import View
from emollama.demo.status import Changes, busy, on_the_page
from emollama.inputs.person import Person
from emollama.inputs.stored_people import load_person
from emollama.serving.refusal import Refusal
from emollama.session import ClipView
from emollama.session.enrolling import require_same_model

MOST_ENROLLED = 32
"""Largest number of clips that one person is known by."""
NOBODY = "nobody: measure against the training clips"
"""The first choice of the stored people."""


class People:
    """Callbacks of the part of the page that is about the person.

    Args:
        callbacks: of the page.
        stored: names of the stored people that visitors may choose.
    """

    def __init__(self, callbacks: Callbacks, stored: Sequence[str] = ()) -> None:
        self.callbacks, self.stored = callbacks, tuple(stored)
        self.session = callbacks.session

    @on_the_page
    def enrol(self, view: View, paths: list[str] | None, neutral: bool) -> Iterator[Changes]:
        """Measure the page's clips against the person of these clips.

        Args:
            view: of the page.
            paths: of uploaded clips of one person.
            neutral: whether all of them are.
        """
        if not paths:
            raise EmollamaError("choose other clips of the person first")
        if len(paths) > MOST_ENROLLED:
            raise EmollamaError(f"at most {MOST_ENROLLED} clips of a person can be enrolled")
        desk = view.desk
        desk.enrolments += 1
        mine = desk.enrolments
        looks: list[ClipView] = []
        names = [Path(path).name for path in paths]
        for i, (path, name) in enumerate(zip(paths, names, strict=True), start=1):
            yield {"state": busy(f"Reading clip {i} of {len(paths)} of the person …")}
            looks.append(self._look(Path(path), name))
        person = self.session.enrol(looks, neutral, names)
        warnings = self.session.enrolment_warnings(looks, neutral, names)
        if mine == desk.enrolments:
            yield from self._known(view, person, None, warnings)

    @on_the_page
    def choose(self, view: View, name: str | None) -> Iterator[Changes]:
        """Measure the page's clips against a stored person, or against nobody."""
        view.desk.enrolments += 1
        if name is None or name == NOBODY:
            yield from self._known(view, None, None, [])
            return
        if name not in self.stored:
            raise EmollamaError(f"no person '{name[:80]}' can be chosen on this page")
        try:
            person = load_person(name)
        except EmollamaError:  # it names a path of this machine
            raise EmollamaError(f"person '{name}' was removed, or their file is damaged") from None
        require_same_model(self.session.person_prior, person, name)
        yield from self._known(view, person, name, [])

    @on_the_page
    def forget(self, view: View) -> Iterator[Changes]:
        """Measure the page's clips against nobody."""
        view.desk.enrolments += 1
        yield from self._known(view, None, None, [])

    def _look(self, path: Path, name: str) -> ClipView:
        words = "words" in self.session.person_channels.values()
        try:
            self.callbacks.decoders.inspect(path)
            observation = self.callbacks.decoders.watch(path, words)
        except Refusal as refusal:
            raise EmollamaError(f"{name}: {refusal.message}") from None
        except EmollamaError as error:
            raise EmollamaError(f"{name}: {str(error).replace(f'{path}: ', '')}") from None
        return self.session.look_at(observation, None if words else "", name)

    def _known(
        self, view: View, person: Person | None, name: str | None, warnings: Sequence[str]
    ) -> Iterator[Changes]:
        desk = view.desk
        desk.person, desk.person_name = person, name
        # The clip may have changed while the person's clips were read.
        view.visit = visit = desk.visit
        said: Changes = {"person": told(person, name, warnings), "state": ""}
        if person is None:
            said["stored"] = NOBODY
        elif name is None and self.stored:
            said["stored"] = None
        yield said
        if visit is None:
            return
        visit.known_as(self.session, person, name)
        yield from self.callbacks.asked_again(visit)


def told(person: Person | None, name: str | None, warnings: Sequence[str]) -> str:
    """Who the page's clips are measured against, as HTML."""
    if person is None:
        return ""
    who = "these clips of the person" if name is None else f"'{name}'"
    clips = f"{person.clips} clip{'s' if person.clips > 1 else ''}"
    lines = [f"Every clip of this page is measured against {who} ({clips})."]
    lines += warnings
    return "".join(f"<p class='small'>{escape(line)}</p>" for line in lines)
