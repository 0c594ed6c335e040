"""What is asked about a clip's emotion: the fields that /v1/emotion and /v1/batch share."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Annotated

from fastapi import Form, UploadFile
from pydantic import StringConstraints

from emollama.inputs.stored_people import LONGEST_NAME
from emollama.serving import wire
from emollama.serving.admission import Admission
from emollama.serving.clips import Clips
from emollama.serving.emotion import emotion
from emollama.serving.people import MOST_ENROLLED, Wanted
from emollama.serving.refusal import Refusal
from emollama.serving.uploads import chunks_of

# Spelled out, since engines of patterns do not agree on what a blank is.
_BLANKS = r"\x00-\x20\x7f-\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
LabelWord = Annotated[
    str,
    StringConstraints(min_length=1, max_length=40, pattern=f"^[^,{_BLANKS}]+( [^,{_BLANKS}]+)*$"),
]


@dataclass(frozen=True)
class Question:
    """What is asked about a clip.

    Attributes:
        transcribe: whether to write down what is said.
        drop: channels to leave out.
        labels: words to choose from; None for the model's own.
        reason: whether to explain.
        weights: whether to weigh the channels.
        describe: whether to list emotion words of any vocabulary.
        coverage: share of clips that a set of labels is for.
        wanted: whom the clip is measured against.
    """

    transcribe: bool
    drop: list[wire.ChannelName]
    labels: list[str] | None
    reason: bool
    weights: bool
    describe: bool
    coverage: float | None
    wanted: Wanted

    async def answered(
        self, clips: Clips, admission: Admission, ends: float, clip: UploadFile | str,
        text: str | None,
    ) -> wire.EmotionAnswer:  # fmt: skip
        """The answer about a clip.

        Args:
            clips: analyses clips.
            admission: the door.
            ends: deadline on the event loop's clock.
            clip: the clip, or the id of an upload.
            text: what is said in it; None if that is to be found out.

        Raises:
            Refusal: the question or the clip is not accepted, or nothing is known in time.
        """
        reads = not isinstance(clip, str) or clips.unread(clip, text, self.transcribe)
        writes = self.reason and clips.engine.session.writes

        async def told() -> wire.EmotionAnswer:
            if isinstance(clip, str):
                look = await clips.look(clip, text, self.transcribe, self.drop)
            else:
                look = await clips.look_once(
                    chunks_of(clip.file), clip.filename or "clip", text, self.transcribe, self.drop
                )
            admitted.read()
            try:
                look = await self.wanted.measured(clips, look)
                return await emotion(
                    clips.engine, look, self.labels, self.reason, self.weights, self.coverage,
                    admitted, self.describe,
                )  # fmt: skip
            finally:
                if not isinstance(clip, str):
                    clips.engine.session.forget(look)

        with admission.admit(ends, reads, writes) as admitted:
            return await admission.in_time(admitted, told())


def question(
    transcribe: Annotated[bool, Form(description="Transcribe the clip.")] = True,
    drop: Annotated[
        list[wire.ChannelName], Form(max_length=2, description="Channels to leave out.")
    ] = [],  # noqa: B006
    labels: Annotated[
        list[LabelWord] | None,
        Form(min_length=2, max_length=50, description="Labels to choose from."),
    ] = None,
    reason: Annotated[bool, Form(description="Also explain.")] = True,
    weights: Annotated[bool, Form(description="Weigh each channel's share in the answer.")] = True,
    describe: Annotated[
        bool, Form(description="Also list emotion words of any vocabulary.")
    ] = False,
    coverage: Annotated[
        float | None,
        Form(gt=0, lt=1, description="Also the set of labels for this share of clips."),
    ] = None,
    enrol: Annotated[
        list[wire.FileId] | None,
        Form(
            min_length=1,
            max_length=MOST_ENROLLED,
            description="Ids of uploads of the same person, to measure the clip against.",
        ),
    ] = None,
    enrol_neutral: Annotated[bool, Form(description="All enrolled uploads are neutral.")] = False,
    person: Annotated[
        str | None, Form(max_length=LONGEST_NAME, description="Name of a stored person.")
    ] = None,
) -> Question:
    """A question from the fields of a form.

    Raises:
        Refusal: fields contradict each other.
    """
    if labels is not None and len({w.lower() for w in labels}) != len(labels):
        raise Refusal(400, "labels must be distinct", "labels")
    wanted = Wanted.of(enrol, enrol_neutral, person)
    return Question(transcribe, drop, labels, reason, weights, describe, coverage, wanted)


FIELDS = frozenset(inspect.signature(question).parameters)
"""Names of the fields of a question."""
