"""`emollama frames ...`: what is done with predictions over time once they are stored."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from emollama.base.errors import EmollamaError

frames_app = typer.Typer(
    help="Predictions over time: smoothing, ensembles, files to hand in.", no_args_is_help=True
)


@frames_app.command("smooth")
def smooth(
    out: Annotated[Path, typer.Option(help="Folder to write.")],
    val: Annotated[Path | None, typer.Option(help="Predictions of the validation set.")] = None,
    test: Annotated[Path | None, typer.Option(help="Predictions of the test set.")] = None,
    window: Annotated[
        list[str] | None,
        typer.Option(help="NAME=W: mean over 2W+1 frames; valence=50 and arousal=20."),
    ] = None,
    search: Annotated[
        bool, typer.Option(help="Choose windows from 0, 5, ... 95 by CCC on --val.")
    ] = False,
) -> None:
    """Smooth, clip to -1..1 and write val_pred_* and tst_pred_* files and *_smooth.jsonl."""
    from emollama.scoring.frames import workflow as flow
    from emollama.scoring.predictions.predictions import read_predictions, write_predictions

    if val is None and test is None:
        raise EmollamaError("give --val, --test or both")
    if search and val is None:
        raise EmollamaError("--search chooses on the validation set; give --val")
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
    predictions: Annotated[list[Path], typer.Argument(help="Two predictions files or more.")],
    out: Annotated[Path, typer.Option(help="Predictions file to write.")],
) -> None:
    """The plain mean of several models' predictions, frame by frame."""
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
        bool, typer.Option("--abaw", help="VIDEO.txt with valence,arousal (official form).")
    ] = False,
) -> None:
    """Write TARGET/VIDEO.txt, one number a frame below the target's name."""
    from emollama.scoring.frames.workflow import rows_of, write_submission
    from emollama.scoring.predictions.predictions import read_predictions

    rows = rows_of(read_predictions(predictions))
    count = write_submission(out, rows, "abaw" if abaw else "column")
    print(f"{count} files in {out}")


@frames_app.command("table")
def table(
    folders: Annotated[list[Path], typer.Argument(help="Each with val.jsonl and test.jsonl.")],
    against: Annotated[
        Path | None, typer.Option(help="Another such folder, e.g. of a baseline.")
    ] = None,
    window: Annotated[
        list[str] | None,
        typer.Option(help="NAME=W: mean over 2W+1 frames; valence=50 and arousal=20."),
    ] = None,
    by: Annotated[
        Literal["sample", "group"], typer.Option(help="What a resample draws.")
    ] = "sample",
    bootstrap: Annotated[int, typer.Option(help="Resamples of the intervals.", min=100)] = 1000,
    out: Annotated[Path | None, typer.Option(help="Markdown file to write.")] = None,
) -> None:
    """CCC of several systems on validation and test, before and after smoothing."""
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
    predictions: Annotated[list[Path], typer.Argument(help="Predictions files, a line each.")],
    video: Annotated[str, typer.Option(help="Id of the video.")],
    out: Annotated[Path, typer.Option(help="PNG to write.")],
) -> None:
    """Draw what is true of a video over time and what each file answers."""
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
