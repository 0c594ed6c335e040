"""Who is in a clip: by uploads of the same person, or by the name of a stored one."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace

from emollama.base.errors import EmollamaError
from emollama.inputs.stored_people import load_person, require_person_name, stored_people
from emollama.serving.clips import Clips
from emollama.serving.refusal import Refusal
from emollama.session import ClipView

MOST_ENROLLED = 32
"""Largest number of uploads that one person is known by."""


@dataclass(frozen=True)
class Wanted:
    """Whom a clip is to be measured against, as a request says.

    Attributes:
        enrol: ids of uploads of the person.
        neutral: whether all of them are neutral.
        person: name of a stored person; None for none.
    """

    enrol: tuple[str, ...] = ()
    neutral: bool = False
    person: str | None = None

    @classmethod
    def of(cls, enrol: Sequence[str] | None, neutral: bool, person: str | None) -> Wanted:
        """From the fields of a request.

        Raises:
            Refusal: they contradict each other.
        """
        if enrol and person is not None:
            raise Refusal(400, "give enrol or person, not both", "person")
        if neutral and not enrol:
            raise Refusal(400, "enrol_neutral is about uploads given by enrol", "enrol_neutral")
        return cls(tuple(dict.fromkeys(enrol or ())), neutral, person)

    def require(self, clips: Clips) -> None:
        """Refuse what cannot be had, before the clip is read.

        Raises:
            Refusal: the model measures nobody, stored people are not served, or nobody is stored
                by that name.
        """
        if not self.enrol and self.person is None:
            return
        field = "enrol" if self.enrol else "person"
        try:
            _ = clips.engine.session.person_prior
        except EmollamaError as error:
            raise Refusal(400, str(error), field) from None
        for file_id in self.enrol:
            clips.uploads.get(file_id)
        if self.person is None:
            return
        if not clips.uploads.settings.people:
            raise Refusal(
                403, "stored people are not served; start the server with --people", "person"
            )
        try:
            require_person_name(self.person)
        except EmollamaError as error:
            raise Refusal(400, str(error), "person") from None
        if self.person not in stored_people():
            # Nobody is told who else is stored.
            raise Refusal(404, f"no person '{self.person}' is stored", "person")

    async def measured(self, clips: Clips, look: ClipView) -> ClipView:
        """A clip measured against the person; the clip itself without one.

        Raises:
            Refusal: an upload cannot be read or shows nothing of a person, or a stored person is
                of another model.
        """
        session = clips.engine.session
        if self.person is not None:
            try:
                person = await asyncio.to_thread(load_person, self.person)
            except EmollamaError:  # it names a path of this machine
                message = f"person '{self.person}' is stored in a damaged file; enrol again"
                raise Refusal(422, message, "person") from None
            try:
                return session.known_as(look, person, self.person)
            except EmollamaError as error:
                raise Refusal(422, str(error), "person") from None
        if not self.enrol:
            return look
        words = "words" in session.person_channels.values()
        looks = [await _enrolled(clips, file_id, words) for file_id in self.enrol]

        def enrol() -> ClipView:
            person = session.enrol(looks, self.neutral, self.enrol)
            warnings = session.enrolment_warnings(looks, self.neutral, self.enrol)
            known = session.known_as(look, person)
            return replace(known, notes=(*known.notes, *warnings))

        try:
            found: ClipView = await clips.engine.call(enrol)
        except EmollamaError as error:
            raise Refusal(422, str(error), "enrol") from None
        return found


async def _enrolled(clips: Clips, file_id: str, words: bool) -> ClipView:
    try:
        return await clips.look(file_id, None, words, ())
    except Refusal as refusal:
        raise Refusal(refusal.status, f"{file_id}: {refusal.message}", "enrol") from None
