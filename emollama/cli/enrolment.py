"""`emollama enrolment`: what a model gains by knowing a person's own clips."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from emollama.base.quiet import quiet_libraries
from emollama.cli.grammar import Config, Overrides, configuration

ANSWERS_FILE, FIGURE_FILE = "enrolment.jsonl", "enrolment.png"


def enrolment(
    config: Config = None,
    overrides: Overrides = None,
    draws: Annotated[int, typer.Option(help="Draws of enrolled clips a point.", min=1)] = 10,
    baseline: Annotated[
        bool, typer.Option(help="Fit the regression on the same inputs beside the model.")
    ] = True,
    scored: Annotated[
        int,
        typer.Option(
            help="Clips of each person that a draw scores at most, spread over the labels; 0 for "
            "all that are not enrolled.",
            min=0,
        ),
    ] = 0,
    score: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Show the curve of a finished run's enrolment.jsonl.",
                     show_default="none"),
    ] = None,
) -> None:  # fmt: skip
    """Answer a split with 0 to 16 enrolled clips of each person, and print the curve.

    CONFIG is that of an evaluation, of a model trained with `standardise: person`. Writes
    enrolment.jsonl and enrolment.png into its output.
    """
    if score is not None:
        _show(score, None)
        return
    path, values = configuration("enrolment", "evaluate", config, overrides, None, None)
    from emollama.assets.hub import artefact_folder
    from emollama.base.config import load_config
    from emollama.base.paths import need_file, need_store
    from emollama.evaluation.config import EvalConfig
    from emollama.manifest.split_file import need_split

    settings = load_config(EvalConfig, path, values)
    artefact_folder(settings.model)
    need_file(settings.data.manifest)
    need_store(settings.data.store)
    need_split(settings.data.manifest, settings.data.split, settings.data.split_file)
    quiet_libraries()
    from emollama.evaluation.enrolment import enrolment_curve
    from emollama.scoring.enrolment.curve import write_curve

    curve = enrolment_curve(settings, draws, baseline, scored)
    out = settings.output / ANSWERS_FILE
    write_curve(curve, out)
    _show(out, settings.output / FIGURE_FILE)
    print(f"answers in {out}")


def _show(answers: Path, figure: Path | None) -> None:
    """Print the curve of a file of answers, and draw it."""
    from emollama.base.paths import need_file

    need_file(answers)
    from emollama.scoring.enrolment.curve import curve_table, points, read_curve
    from emollama.scoring.report.tables import print_tables

    curve = read_curve(answers)
    found = points(curve)
    print_tables([curve_table(found, curve.about)])
    if figure is not None:
        from emollama.scoring.enrolment.figure import draw_curve

        draw_curve(found, figure)
