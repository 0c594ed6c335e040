"""`emollama frames ...`: what is done with predictions over time once they are stored."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from emollama.base.errors import EmollamaError
from emollama.base.paths import need_file, need_files, need_folder

frames_app = typer.Typer(
    help="Smooth, average, draw and submit predictions over time.",
    no_args_is_help=True,
    add_completion=False,
)


@frames_app.command("smooth")
def smooth(
    out: Annotated[Path, typer.Option(help="Folder to write.")],
    val: Annotated[Path | None, typer.Option(help="Predictions of the validation set.")] = None,
    test: Annotated[Path | None, typer.Option(help="Predictions of the test set.")] = None,
    window: Annotated[
        list[str] | None,
        typer.Option(
            help="NAME=W: mean over 2W+1 frames; may be repeated.",
            show_default="valence=50, arousal=20",
        ),
    ] = None,
    search: Annotated[
        bool, typer.Option(help="Choose the windows from 0, 5, ... 95 by the CCC on --val.")
    ] = False,
) -> None:
    """Smooth predictions and clip them to -1..1.

    Writes val_pred_*, tst_pred_* and *_smooth.jsonl.
    """
    if val is None and test is None:
        raise EmollamaError("give --val, --test or both")
    if search and val is None:
        raise EmollamaError("--search chooses on the validation set; give --val")
    need_file(val)
    need_file(test)
    from emollama.scoring.frames import workflow as flow
    from emollama.scoring.predictions.predictions import read_predictions, write_predictions

    given = {**flow.WINDOWS, **_windows(window or [])}
    read = {s: read_predictions(p) for s, p in (("val", val), ("tst", test)) if p is not None}
    rows = {split: flow.rows_of(found) for split, found in read.items()}
    targets = flow.targets_of([row for found in rows.values() for row in found])
    chosen = {}
    for target in targets:
        if search:
            chosen[target] = flow.choose_window(rows["val"], target)
        elif target in given:
            chosen[target] = given[target]
        else:
            raise EmollamaError(f"no window for {target}; give --window {target}=W or --search")
        if "val" in rows:
            print(flow.write_validation(out, rows["val"], target, chosen[target]).line())
        if "tst" in rows:
            flow.write_test(out, rows["tst"], target, chosen[target])
    if search:
        print("the windows were chosen on the validation set: its smoothed CCC flatters")
    told = {f"window.{name}": str(w) for name, w in chosen.items()}
    for split, found in read.items():
        header = found.header.model_copy(update={"settings": {**found.header.settings, **told}})
        write_predictions(
            out / f"{split}_smooth.jsonl", header, flow.with_windows(rows[split], chosen)
        )
    print(f"files in {out}")


@frames_app.command("ensemble")
def ensemble(
    predictions: Annotated[list[Path], typer.Argument(help="Two or more predictions files.")],
    out: Annotated[Path, typer.Option(help="Predictions file to write.")],
) -> None:
    """Average the predictions of several models, frame by frame."""
    need_files(predictions)
    from emollama.scoring.frames.workflow import ensemble as run
    from emollama.scoring.predictions.predictions import read_predictions, write_predictions

    members = [read_predictions(path) for path in predictions]
    rows = run(members)
    told = {"ensemble": ", ".join(map(str, predictions))}
    write_predictions(
        out, members[0].header.model_copy(update={"model": "", "settings": told}), rows
    )
    print(f"mean of {len(members)} files over {len(rows)} videos in {out}")


@frames_app.command("submit")
def submit(
    predictions: Annotated[Path, typer.Argument(help="Predictions file, e.g. tst_smooth.jsonl.")],
    out: Annotated[Path, typer.Option(help="Folder to write.")],
    abaw: Annotated[
        bool,
        typer.Option("--abaw", help="Write VIDEO.txt with valence,arousal (the official form)."),
    ] = False,
) -> None:
    """Write predictions as TARGET/VIDEO.txt: the target's name, then one number per frame."""
    need_file(predictions)
    from emollama.scoring.frames.workflow import rows_of, write_submission
    from emollama.scoring.predictions.predictions import read_predictions

    rows = rows_of(read_predictions(predictions))
    count = write_submission(out, rows, "abaw" if abaw else "column")
    print(f"{count} files in {out}")


@frames_app.command("table")
def table(
    folders: Annotated[
        list[Path], typer.Argument(help="Folders that hold val.jsonl and test.jsonl.")
    ],
    against: Annotated[
        Path | None, typer.Option(help="Folder to compare with, e.g. of a baseline.")
    ] = None,
    window: Annotated[
        list[str] | None,
        typer.Option(
            help="NAME=W: mean over 2W+1 frames; may be repeated.",
            show_default="valence=50, arousal=20",
        ),
    ] = None,
    by: Annotated[
        Literal["sample", "group"], typer.Option(help="Unit of the bootstrap.")
    ] = "sample",
    bootstrap: Annotated[int, typer.Option(help="Resamples for the intervals.", min=100)] = 1000,
    out: Annotated[Path | None, typer.Option(help="Markdown file to write.")] = None,
) -> None:
    """Tabulate the CCC of several systems on validation and test, before and after smoothing."""
    for folder in folders:
        need_folder(folder)
    need_folder(against)
    from emollama.base.files import write_text
    from emollama.scoring.frames.table import frame_table
    from emollama.scoring.frames.workflow import WINDOWS
    from emollama.scoring.report.tables import print_tables, table_markdown

    given = {**WINDOWS, **_windows(window or [])}
    made = frame_table(folders, given, against, bootstrap, by)
    print_tables([made])
    if out is not None:
        write_text(out, f"# {made.title}\n\n{table_markdown(made)}\n\n{made.note}\n")


@frames_app.command("draw")
def draw(
    predictions: Annotated[list[Path], typer.Argument(help="Predictions files, one curve each.")],
    video: Annotated[str, typer.Option(help="Id of the video.")],
    out: Annotated[Path, typer.Option(help="PNG to write.")],
) -> None:
    """Draw the true values of a video over time and the predictions of each file."""
    need_files(predictions)
    from emollama.scoring.frames.figures import draw_frames
    from emollama.scoring.predictions.predictions import read_predictions

    draw_frames([read_predictions(path) for path in predictions], video, out)
    print(out)


def _windows(given: list[str]) -> dict[str, int]:
    found = {}
    for item in given:
        name, _, width = item.partition("=")
        if not (name and width.isdecimal()):
            raise EmollamaError(f"--window '{item}': must be NAME=W, e.g. valence=50")
        found[name] = int(width)
    return found
