"""`emollama predict`: clips to label probabilities and reasons."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from emollama.assets.people import model_or_shipped
from emollama.base.errors import EmollamaError
from emollama.base.paths import need_calibration, need_clip
from emollama.base.precision import Precision
from emollama.base.quiet import quiet_libraries
from emollama.cli.enrolling import (
    Enrol,
    EnrolNeutral,
    PersonName,
    SavePerson,
    enrolled_look,
    person_of,
    wanted,
)
from emollama.cli.show import show_answer

if TYPE_CHECKING:
    from emollama.session import ClipView


def predict(
    clips: Annotated[list[Path], typer.Argument(help="Video, audio or picture files.")],
    model: Annotated[
        Path | None,
        typer.Option("--model", help="Folder of a trained model.", show_default="models/people"),
    ] = None,
    text: Annotated[str | None, typer.Option(help="What the person says.")] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object per clip.")
    ] = False,
    explain: Annotated[bool, typer.Option(help="Also write a reason.")] = True,
    transcribe: Annotated[
        bool, typer.Option(help="Without --text, transcribe the clip with Whisper (English).")
    ] = True,
    start: Annotated[
        float | None, typer.Option(help="Start of the span, in seconds.", show_default="its start")
    ] = None,
    end: Annotated[
        float | None, typer.Option(help="End of the span, in seconds.", show_default="its end")
    ] = None,
    coverage: Annotated[
        float | None,
        typer.Option(
            help="Also name the labels that hold the true one in this share of clips, e.g. 0.9.",
            show_default=False,
        ),
    ] = None,
    enrol: Enrol = None,
    enrol_neutral: EnrolNeutral = False,
    person: PersonName = None,
    save_person: SavePerson = None,
    dtype: Annotated[Precision, typer.Option(help="Precision of a language model.")] = "auto",
) -> None:
    """Answer clips with label probabilities and a reason.

    The reason cites clues that were measured in the clip. With --enrol or --person the clips are
    measured against the person in them.
    """
    if len(clips) == 1:
        need_clip(clips[0])
    model = model_or_shipped(model)
    if coverage is not None:
        from emollama.scoring.calibration.conformal import require_coverage

        require_coverage(coverage)
        need_calibration(model)
    wish = wanted(model, enrol, enrol_neutral, person, save_person)
    quiet_libraries()
    if len(clips) == 1:
        from emollama.media.decode import need_media

        need_media(clips[0])  # no media file is told before the model is loaded
    from emollama.session import open_session

    session = open_session(model, dtype, describe=False)
    session.require_calibrated(coverage)
    read: dict[Path, ClipView] = {}
    asked = {clip.resolve() for clip in clips} if start is None and end is None else set()

    def enrolled(clip: Path) -> ClipView:
        # A clip that is also asked about is decoded once.
        if clip.resolve() not in asked:
            return enrolled_look(session, clip)
        return read.setdefault(clip.resolve(), session.look(clip, text, transcribe=transcribe))

    known, name = person_of(session, wish, enrolled)
    failed = 0
    for clip in clips:
        try:
            look = read.pop(clip.resolve(), None) or session.look(
                clip, text, start, end, transcribe
            )
            look = session.known_as(look, known, name)
            answer = session.answer(look, explain, coverage=coverage)
        except EmollamaError as error:
            # One bad file of many is told and counted; a single one ends the command as usual.
            if len(clips) == 1:
                raise
            failed += 1
            print(f"error: {error}", file=sys.stderr)
            continue
        if as_json:
            print(json.dumps({"clip": str(clip), **answer.to_dict()}, ensure_ascii=False))
        else:
            show_answer(clip, answer)
    if failed:
        raise EmollamaError(f"{failed} of {len(clips)} clips could not be answered")
