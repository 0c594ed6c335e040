"""`emollama predict`: clips to label probabilities and reasons."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from emollama.assets.hub import artefact_folder
from emollama.assets.people import model_or_shipped
from emollama.base.errors import EmollamaError
from emollama.base.files import sole_writer
from emollama.base.paths import need_calibration, need_describing
from emollama.base.precision import Precision, Quantise
from emollama.base.progress import bar
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
from emollama.media.whispers import WHISPER, LanguageCode, TranscriberName, chosen
from emollama.workers.shares import MergeOption, ShardOption, shard_or_merge

if TYPE_CHECKING:
    from emollama.session import Answer, ClipView, Session
    from emollama.session.answers_table import AnswersTable
    from emollama.session.asked import AskedClip
    from emollama.workers.shares import Share


def predict(
    clips: Annotated[
        list[Path],
        typer.Argument(help="Video, audio or picture files, folders of them, manifests (.jsonl)."),
    ],
    model: Annotated[
        Path | None,
        typer.Option("--model", help="Folder of a trained model.", show_default="models/people"),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Table to write, .csv or .jsonl; the same command resumes it.",
            show_default="printed",
        ),
    ] = None,
    text: Annotated[
        str | None, typer.Option(help="What the person says, in a single clip.")
    ] = None,
    texts: Annotated[
        Path | None,
        typer.Option(help="Table of what is said in each clip, with columns 'file' and 'text'."),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object per clip.")
    ] = False,
    explain: Annotated[bool, typer.Option(help="Also write a reason.")] = True,
    describe: Annotated[
        bool, typer.Option("--describe", help="Also list emotion words of any vocabulary.")
    ] = False,
    transcribe: Annotated[bool, typer.Option(help="Without --text, transcribe the clip.")] = True,
    transcriber: TranscriberName = WHISPER,
    language: LanguageCode = None,
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
    quantise: Quantise = None,
    shard: ShardOption = None,
    merge: MergeOption = False,
) -> None:
    """Answer clips with label probabilities and a reason.

    The reason cites clues that were measured in the clip. With --enrol or --person the clips are
    measured against the person in them. With --shard several commands share the clips of a table,
    on any machines that see it; then the same command with --merge.
    """
    from emollama.session.answers_table import need_table
    from emollama.session.asked import asked_clips

    share = shard_or_merge(shard, merge)
    if out is not None:
        need_table(out, clips)
    elif share or merge:
        raise EmollamaError(f"{'--merge' if merge else '--shard'} is for a table: give --out")
    whisper = chosen(transcriber, language, transcribe)
    if text is not None and texts is not None:
        raise EmollamaError("give --text for one clip or --texts for a table, not both")
    asked = asked_clips(clips, text, start, end)
    if texts is not None:
        from emollama.session.texts import with_texts

        asked, notes = with_texts(asked, texts)
        for note in notes:
            print(f"note: {note}", file=sys.stderr)
    model = model_or_shipped(model)
    if coverage is not None:
        from emollama.scoring.calibration.conformal import require_coverage

        require_coverage(coverage)
        need_calibration(model)
    if describe:
        need_describing(artefact_folder(model))
    wish = wanted(model, enrol, enrol_neutral, person, save_person)
    run = {
        "explain": explain, "transcribe": transcribe, "transcriber": [transcriber, language],
        "coverage": coverage, "dtype": dtype, "person": wish.name,
        "enrolled": [str(path) for path in wish.clips],
    } | ({} if quantise is None else {"quantise": quantise})  # fmt: skip
    run |= {"describe": True} if describe else {}
    if merge and out is not None:
        from emollama.session.answers_table import merged, model_signature

        table = merged(out, {"model": model_signature(model), **run}, asked)
        _tell(table, asked, table.failures(asked), 0)
        return
    if len(asked) == 1 and asked[0].video is not None:
        from emollama.media.decode import need_media

        need_media(asked[0].video)  # no media file is told before the model is loaded
    quiet_libraries()
    from emollama.session import open_session
    from emollama.session.describing import with_description

    session = open_session(model, dtype, describe=False, whisper=whisper, quantise=quantise)
    if not whisper.embedded and not session.listens(None):
        print(f"note: model '{session.name}' reads no words: none are transcribed", file=sys.stderr)
    session.require_calibrated(coverage)
    read: dict[Path, ClipView] = {}
    whole = {
        clip.video.resolve(): clip
        for clip in asked
        if clip.video is not None and (clip.start, clip.end, clip.view) == (None, None, None)
    }

    def enrolled(path: Path) -> ClipView:
        # A clip that is also asked about is decoded once.
        clip = whole.get(path.resolve())
        if clip is None or clip.audio is not None:
            return enrolled_look(session, path)
        look = session.look(path, clip.text, transcribe=transcribe)
        return read.setdefault(path.resolve(), look)

    known, name = person_of(session, wish, enrolled)

    def answered(clip: AskedClip) -> Answer:
        look = None if clip.video is None else read.pop(clip.video.resolve(), None)
        look = session.known_as(look or _look(session, clip, transcribe), known, name)
        answer = session.answer(look, explain, coverage=coverage)
        return with_description(session.artefact, look, answer) if describe else answer

    if out is not None:
        from emollama.session.answers_table import AnswersTable, model_signature, shard_table

        run = {"model": model_signature(model), **run}
        if share is None:
            _write(asked, AnswersTable(out, session.labels, run), answered)
            return
        own = shard_table(out, share)
        with sole_writer(own.with_suffix(""), f"{out}: shard {share} is running"):
            mine = asked[share.part :: share.of]
            _write(mine, AnswersTable(own, session.labels, run), answered, share)
        return
    failed = 0
    for clip in asked:
        try:
            answer = answered(clip)
        except EmollamaError as error:
            # One bad file of many is told and counted; a single one ends the command as usual.
            if len(asked) == 1:
                raise
            failed += 1
            print(f"error: {error}", file=sys.stderr)
            continue
        if as_json:
            named = {"clip": clip.name, "file": clip.video and str(clip.video)}
            print(json.dumps({**named, **answer.to_dict()}, ensure_ascii=False))
        else:
            show_answer(Path(clip.name), answer)
    if failed:
        raise EmollamaError(f"{failed} of {len(asked)} clips could not be answered")


def _look(session: Session, clip: AskedClip, transcribe: bool) -> ClipView:
    if clip.video is None:
        if not clip.text:
            raise EmollamaError(f"{clip.name}: names no file and no text")
        from emollama.session.observation import nothing_seen

        return session.look_at(nothing_seen(), clip.text, clip.name)
    return session.look(
        clip.video, clip.text, clip.start, clip.end, transcribe, clip.audio, clip.view, clip.mute
    )


def _write(
    asked: list[AskedClip], table: AnswersTable, answered: Callable[[AskedClip], Answer],
    share: Share | None = None,
) -> None:  # fmt: skip
    """Answer the clips that the table lacks; the table is in their order at the end."""
    wanted = list({clip.key: clip for clip in asked if clip not in table}.values())
    table.start()
    with bar("clips") as advance:
        advance(0, len(wanted))
        for done, clip in enumerate(wanted, start=1):
            try:
                table.add(clip, answered(clip))
            except EmollamaError as error:
                table.add(clip, None, str(error))
            advance(done, len(wanted))
    table.finish(asked)
    if share is None:
        _tell(table, asked, table.failures(asked), len(asked) - len(wanted))
        return
    # What cannot be answered is told by the merge: a scheduler would only repeat the shard.
    failed = table.failures(asked)
    print(f"shard {share} is done: {len(asked) - failed} of {len(asked)} clips answered; when all "
          "are: the same command with --merge")  # fmt: skip


def _tell(table: AnswersTable, asked: list[AskedClip], failed: int, kept: int) -> None:
    """Count the answered clips of a finished table.

    Raises:
        EmollamaError: some could not be answered.
    """
    before = f", {kept} of them before" if kept else ""
    print(f"{table.path}: {len(asked) - failed} of {len(asked)} clips answered{before}")
    if failed:
        raise EmollamaError(
            f"{failed} of {len(asked)} clips could not be answered; column 'error' of {table.path} "
            "says why"
        )
