"""Copy what `making` made to where it is committed: weights with their checksums, predictions.

python -m benchmarks.people.collecting
"""

from __future__ import annotations

import shutil
from collections.abc import Collection
from pathlib import Path

from benchmarks.people.making import (
    RAVDESS,
    TRAINING,
    VALIDATED,
    evaluated,
    manifest,
)
from benchmarks.people.results import (
    CORPORA,
    CORPORA_FILE,
    KNOWN,
    MODELS,
    RESULTS,
    SHIPPED,
    baseline_file,
    curve_file,
    predictions_file,
)
from emollama.assets.people import pin, write_sums
from emollama.base.errors import one_line_errors
from emollama.base.files import write_json, written_whole
from emollama.cli.calibrate import calibrate
from emollama.evaluation.results import BASELINE_FILE, PREDICTIONS_FILE
from emollama.manifest.sample import Manifest, read_manifest
from emollama.scoring.predictions.predictions import read_predictions, write_predictions

KEPT = {"id", "channels", "system", "reference", "label", "parse_failure", "scores", "group"}
"""What is committed of a prediction: no words of a corpus, and no timing."""


def collect_predictions(results: Path) -> list[str]:
    """Copy the predictions of every evaluation that there is; the names of their files."""
    made = []
    for model in MODELS:
        for corpus in CORPORA:
            for known in KNOWN:
                folder = evaluated(model, corpus, known)
                for source, name in (
                    (PREDICTIONS_FILE, predictions_file(model, corpus.name, known)),
                    (BASELINE_FILE, baseline_file(model, corpus.name, known)),
                ):
                    if (folder / source).is_file():
                        copy_predictions(
                            folder / source, results / name, (SHIPPED / model).as_posix()
                        )
                        made.append(name)
            curve = evaluated(model, corpus, "enrolment") / "enrolment.jsonl"
            if curve.is_file():
                shutil.copyfile(curve, results / curve_file(model, corpus.name))
                made.append(curve_file(model, corpus.name))
        validated = evaluated(model, RAVDESS, VALIDATED) / PREDICTIONS_FILE
        if validated.is_file():
            name = predictions_file(model, RAVDESS.name, VALIDATED)
            copy_predictions(validated, results / name, (SHIPPED / model).as_posix())
            made.append(name)
    return made


def copy_predictions(
    source: Path, target: Path, model: str, systems: Collection[str] | None = None
) -> None:
    """Copy what is committed of predictions, of these systems or of all, as those of `model`."""
    found = read_predictions(source)
    rows = [
        row.model_validate(row.model_dump(include=KEPT))
        for row in found.rows
        if systems is None or row.system in systems
    ]
    header = found.header.model_copy(update={"model": model})
    write_predictions(target, header, rows)


def counted(corpus: Manifest) -> dict[str, dict[str, int]]:
    """Clips and people of each split."""
    found = {}
    for split in ("train", "val", "test"):
        own = [sample for sample in corpus.samples if sample.split == split]
        found[split] = {"clips": len(own), "people": len({s.group or s.speaker for s in own})}
    return found


def collect_weights(shipped: Path) -> None:
    """Copy the trained models, and write their checksums."""
    for model, (run, _) in TRAINING.items():
        with written_whole(shipped / model) as draft:
            shutil.copytree(run / "model", draft, dirs_exist_ok=True)


def calibrate_weights(results: Path, shipped: Path) -> None:
    """Calibrate both models on RAVDESS's validation people, then pin all files."""
    for model in MODELS:
        predictions = results / predictions_file(model, RAVDESS.name, VALIDATED)
        if predictions.is_file():
            calibrate(predictions, shipped / model)
    write_sums(shipped)


@one_line_errors
def main() -> None:
    """Entry point."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    people = {c.name: counted(read_manifest(manifest(c))) for c in CORPORA}
    write_json(RESULTS / CORPORA_FILE, people)
    print(f"{len(collect_predictions(RESULTS))} files in {RESULTS}")
    collect_weights(SHIPPED)
    calibrate_weights(RESULTS, SHIPPED)
    pin(SHIPPED)
    print(f"weights in {SHIPPED}")


if __name__ == "__main__":
    main()
