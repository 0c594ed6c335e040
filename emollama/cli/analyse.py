"""`emollama analyse`: from recordings to who, when, which emotion, and why."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from emollama.assets.hub import artefact_folder
from emollama.assets.people import model_or_shipped
from emollama.base.errors import EmollamaError
from emollama.base.paths import need_calibration
from emollama.base.precision import Precision, Quantise
from emollama.base.quiet import quiet_libraries
from emollama.media.whispers import WHISPER, LanguageCode, TranscriberName, chosen
from emollama.recording.notice import NOTICE
from emollama.workers.shares import ShardOption, shard_of

if TYPE_CHECKING:
    from emollama.recording.analysis import Analyst
    from emollama.recording.table import Named, RecordingsTable


def analyse(
    recordings: Annotated[
        list[Path], typer.Argument(help="Video or sound files of any length, or folders of them.")
    ],
    out: Annotated[
        Path,
        typer.Option(help="Folder for what is found; the same command resumes a run that ended."),
    ],
    model: Annotated[
        Path | None,
        typer.Option("--model", help="Folder of a trained model.", show_default="models/people"),
    ] = None,
    values: Annotated[
        Path | None,
        typer.Option(help="Folder of a model of values: valence and arousal over time."),
    ] = None,
    transcribe: Annotated[bool, typer.Option(help="Write down what is said.")] = True,
    transcriber: TranscriberName = WHISPER,
    language: LanguageCode = None,
    explain: Annotated[
        bool, typer.Option("--explain", help="Also write a reason for each segment.")
    ] = False,
    coverage: Annotated[
        float | None,
        typer.Option(
            help="Also name the labels that hold the true one in this share of segments, e.g. 0.9.",
            show_default=False,
        ),
    ] = None,
    people: Annotated[
        int | None,
        typer.Option(help="Number of people who speak.", min=1, show_default="found out"),
    ] = None,
    shard: ShardOption = None,
    formats: Annotated[
        str | None,
        typer.Option(help="Files to write, separated by commas.", show_default="all"),
    ] = None,
    show_faces: Annotated[
        bool, typer.Option("--show-faces", help="Do not blur faces in the report.")
    ] = False,
    keep_vectors: Annotated[
        bool,
        typer.Option(
            "--keep-vectors", help="Also write the vectors that faces and voices are told apart by."
        ),
    ] = False,
    dtype: Annotated[Precision, typer.Option(help="Precision of a language model.")] = "auto",
    quantise: Quantise = None,
) -> None:
    """Find out who speaks when in a recording, with which emotion, and why.

    Writes segments, timelines, subtitles, tiers for ELAN and Praat, a manifest and a report.
    """
    from emollama.recording.table import RecordingsTable, find_recordings

    whisper = chosen(transcriber, language, transcribe)
    share = shard_of(shard)
    single = len(recordings) == 1 and not recordings[0].is_dir()
    if single and shard is not None:
        raise EmollamaError("--shard is for several recordings or a folder of them")
    found = find_recordings(recordings)
    if single:
        from emollama.media.decode import need_media

        need_media(found[0].path)
    model = model_or_shipped(model)
    if values is not None:
        values = artefact_folder(values)
    if coverage is not None:
        from emollama.scoring.calibration.conformal import require_coverage

        require_coverage(coverage)
        need_calibration(model)
    print(f"note: {NOTICE}", file=sys.stderr, flush=True)
    if keep_vectors:
        print(
            "warning: --keep-vectors writes vectors that people can be recognised by; they are "
            "biometric data: keep vectors.npz as you keep the recording",
            file=sys.stderr,
        )
    quiet_libraries()
    from emollama.recording.analysis import Analyst, Options, formats_of

    options = Options(
        model, whisper, transcribe, explain, coverage, people, values, formats_of(formats),
        show_faces, keep_vectors, dtype, quantise,
    )  # fmt: skip
    analyst = Analyst(options)
    if single:
        analyst.analyse(found[0].path, out, found[0].path.stem)
        return
    mine = [one for i, one in enumerate(found) if share.has(i)]
    if not mine:
        print(f"note: no recording falls to --shard {shard}: there are {len(found)}",
              file=sys.stderr)  # fmt: skip
        return
    _all(analyst, mine, out, RecordingsTable(out, found))


def _all(analyst: Analyst, recordings: list[Named], out: Path, table: RecordingsTable) -> None:
    """Analyse recordings one by one; one that fails is told and counted, the others go on."""
    failed = 0
    for i, one in enumerate(recordings, start=1):
        print(f"{i}/{len(recordings)}: {one.path}", file=sys.stderr, flush=True)
        try:
            row = analyst.analyse(one.path, out / one.name, one.name)
        except EmollamaError as error:
            failed += 1
            row = {"error": str(error)}
            print(f"error: {' '.join(str(error).split())}", file=sys.stderr, flush=True)
        table.add(one, row)
    print(f"{table.path}: {len(recordings) - failed} of {len(recordings)} recordings analysed")
    if failed:
        raise EmollamaError(
            f"{failed} of {len(recordings)} recordings could not be analysed; column 'error' of "
            f"{table.path} says why"
        )
