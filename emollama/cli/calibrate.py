"""`emollama calibrate`: temperature and sets of labels from predictions of validation people."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from emollama.base.errors import EmollamaError
from emollama.base.paths import (
    CALIBRATION_FILE,
    FAMILIARITY_FILE,
    RECORD_FILE,
    need_artefact,
    need_file,
)

if TYPE_CHECKING:
    from emollama.scoring.calibration.calibration import Calibration
    from emollama.scoring.predictions.predictions import Predictions
    from emollama.scoring.report.cells import Table


def calibrate(
    predictions: Annotated[
        Path | None,
        typer.Option(help="The model's predictions of validation people.", show_default=False),
    ] = None,
    model: Annotated[
        Path | None, typer.Argument(help="Folder of the model.", show_default=False)
    ] = None,
    manifest: Annotated[
        Path | None, typer.Option(help="Manifest that names the people, for rows without group.")
    ] = None,
    coverage: Annotated[
        float, typer.Option(help="Share of clips for which the smaller sets are chosen.")
    ] = 0.9,
    out: Annotated[
        Path | None,
        typer.Option(help="File to write.", show_default="calibration.json in the model's folder"),
    ] = None,
    familiarity: Annotated[
        bool,
        typer.Option(
            "--familiarity",
            help="Instead: measure anew how far clips lie from the training clips.",
        ),
    ] = False,
) -> None:
    """Calibrate a model's probabilities, and sets of labels, on validation people.

    Use people that the model was neither trained nor tested on. The result lies beside the model as
    calibration.json, where predict, chat, serve and the page find it. With --familiarity the model
    learns instead which clips are unlike its training clips, whose features its record names;
    training does the same at its end.
    """
    if familiarity:
        if model is None or predictions is not None:
            raise EmollamaError("--familiarity takes the folder of a MODEL and no --predictions")
        need_artefact(model)
        _measure_familiarity(model, out)
        return
    if predictions is None:
        raise EmollamaError("give --predictions of validation people, or --familiarity")
    if model is None and out is None:
        raise EmollamaError("give the folder of the MODEL to calibrate, or --out FILE")
    if model is not None:
        need_artefact(model)
    need_file(predictions)
    need_file(manifest)
    from emollama.scoring.calibration.calibration import write_calibration
    from emollama.scoring.calibration.conformal import require_coverage
    from emollama.scoring.calibration.fitting import fit_calibration
    from emollama.scoring.predictions.predictions import read_predictions
    from emollama.scoring.report.tables import print_tables

    require_coverage(coverage)
    held = read_predictions(predictions)
    if model is not None:
        _check_model(model, held, predictions)
    try:
        found = fit_calibration(held, _people(manifest), coverage)
    except EmollamaError as error:
        raise EmollamaError(f"{predictions}: {error}") from error
    path = out if out is not None else (model or Path()) / CALIBRATION_FILE
    write_calibration(path, found)
    print_tables([_table(found)])
    whole = found.sets[-1]
    print(whole.promise(coverage))
    if whole.unseen:
        print(f"no clip of {', '.join(whole.unseen)} was calibrated on")
    print(f"calibration in {path}")


def _measure_familiarity(model: Path, out: Path | None) -> None:
    """Write the measure of a finished model, and say what it is."""
    from emollama.inputs.familiarity import write_familiarity
    from emollama.inputs.familiarity_fit import familiarity_of_record
    from emollama.session.family import open_artefact

    artefact = open_artefact(model)
    try:
        found = familiarity_of_record(artefact.record, artefact.inputs, artefact.prior)
    except EmollamaError as error:
        raise EmollamaError(f"{model / RECORD_FILE}: {error}") from error
    path = out if out is not None else model / FAMILIARITY_FILE
    write_familiarity(found, path)
    for channel, yardsticks in found.yardsticks.items():
        for against, one in yardsticks.items():
            print(f"{channel} against the {against}: familiar up to {one.limit:.2f} times the "
                  "usual distance")  # fmt: skip
    print(f"{found.clips} training clips of {found.people or 'unknown'} people; {path}")


def _people(manifest: Path | None) -> dict[str, str] | None:
    """The person of each sample that has one."""
    from emollama.manifest.sample import read_manifest

    if manifest is None:
        return None
    named = {s.id: s.group or s.speaker for s in read_manifest(manifest).samples}
    return {name: person for name, person in named.items() if person is not None}


def _check_model(model: Path, held: Predictions, path: Path) -> None:
    """Refuse predictions of other labels or of training people; remark on another model's."""
    from emollama.base.files import read_json
    from emollama.session.family import stored_labels

    labels, theirs = stored_labels(model), held.header.labels.labels
    if set(labels) != set(theirs):
        raise EmollamaError(
            f"{path}: has the labels {', '.join(theirs)}, {model} has {', '.join(labels)}"
        )
    record = read_json(model / RECORD_FILE) if (model / RECORD_FILE).is_file() else {}
    data = (record.get("config") or {}).get("data") or {}
    trained = str(data.get("train_split") or "train")
    if held.header.split and held.header.split in trained.split("+"):
        raise EmollamaError(
            f"{path}: is of split '{held.header.split}', which the model was trained on; "
            "calibrate on people that it has never seen"
        )
    named = held.header.model
    if named and Path(named).resolve() != model.resolve():
        print(f"note: {path}: says that it is of the model {named}", file=sys.stderr)


def _table(found: Calibration) -> Table:
    from emollama.scoring.calibration.conformal import percent
    from emollama.scoring.predictions.prediction import set_name
    from emollama.scoring.report.cells import Table, number

    rows = []
    for one in found.sets:
        out = one.left_out
        cells = ["–"] * 5
        if out is not None:
            cells = [
                f"{number(out.nll[0])} → {number(out.nll[1])}",
                f"{number(out.ece[0])} → {number(out.ece[1])}",
                number(out.coverage), number(out.lowest), number(out.size, 2),
            ]  # fmt: skip
        counts = (str(one.clips), str(len(one.people)), f"{one.temperature:.2f}", one.oddness)
        rows.append((set_name(one.channels), *counts, *cells))
    return Table(
        f"Calibration for {percent(found.coverage)} coverage; measured on people left out in turn",
        ("channels", "clips", "people", "temperature", "sets", "log loss", "ECE", "coverage",
         "lowest person", "labels in a set"),
        tuple(rows),
    )  # fmt: skip
