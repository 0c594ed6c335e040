"""`emollama score ...`: metrics and reports, a pure function of predictions files."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from emollama.base.errors import EmollamaError, did_you_mean
from emollama.base.paths import need_file, need_files, need_folder
from emollama.base.quiet import quiet_libraries
from emollama.workers.shares import MergeOption, ShardOption, shard_or_merge

if TYPE_CHECKING:
    from emollama.manifest.sample import Manifest
    from emollama.scoring.calibration.set_metrics import Sets
    from emollama.scoring.metrics.context import Context
    from emollama.scoring.predictions.predictions import Predictions
    from emollama.scoring.wheels.wheel_tables import Rules, WheelTables
    from emollama.workers.shares import Share

Format = Literal["table", "json", "markdown"]


def score(
    predictions: Annotated[
        list[Path], typer.Argument(help="Predictions files; several are folds, scored together.")
    ],
    out: Annotated[
        Path | None, typer.Option(help="Folder of report.json, report.md and figures.")
    ] = None,
    baseline: Annotated[Path | None, typer.Option(help="Predictions of a baseline.")] = None,
    metric: Annotated[
        list[str] | None,
        typer.Option(help="Metric, e.g. weighted_f1; may be repeated. `list` prints all names."),
    ] = None,
    bootstrap: Annotated[int, typer.Option(help="Resamples for the intervals.", min=100)] = 1000,
    by: Annotated[
        Literal["sample", "group"] | None,
        typer.Option(
            help="Unit of the bootstrap.",
            show_default="sample; with --calibration group, where all rows have one",
        ),
    ] = None,
    calibration: Annotated[
        Path | None,
        typer.Option(help="calibration.json of other people, to score sets of labels with."),
    ] = None,
    coverage: Annotated[
        float | None,
        typer.Option(help="Share of clips that the sets are for.", show_default="0.9"),
    ] = None,
    compare: Annotated[
        list[Path] | None,
        typer.Option(help="Other predictions, for paired differences; one per fold."),
    ] = None,
    format: Annotated[Format, typer.Option(help="Format of what is printed.")] = "table",
    reader: Annotated[
        str | None,
        typer.Option(
            help="Public system whose output this is: emotion-llama, emotion-llama-v2, mertools, "
            "openset, preference; or predict.",
            show_default="recognised by what is in the file",
        ),
    ] = None,
    labels: Annotated[
        str | None,
        typer.Option(
            help="Label set of a public system.",
            show_default="mer2023, or the words of the file's true answers",
        ),
    ] = None,
    split: Annotated[
        str | None, typer.Option(help="Only rows of this mode, of Emotion-LLaMA-v2's output.")
    ] = None,
    reference: Annotated[
        Path | None, typer.Option(help="True values for a public system: csv, or a published npz.")
    ] = None,
    manifest: Annotated[
        Path | None, typer.Option(help="Clips that must be answered, with their true values.")
    ] = None,
    split_file: Annotated[
        list[Path] | None,
        typer.Option(help="Split file of the predictions; one per fold."),
    ] = None,
    parser: Annotated[
        str | None,
        typer.Option(help="Parse the labels from the answers again: words, upstream or exact."),
    ] = None,
    swapped: Annotated[
        Path | None, typer.Option(help="Predictions of the same preferences in the opposite order.")
    ] = None,
    synonyms: Annotated[
        Path | None, typer.Option(help="Folder of synonym groups, for MER2024-OV.")
    ] = None,
    wheel: Annotated[Path | None, typer.Option(help="Folder of the emotion-wheel tables.")] = None,
    wheel_rules: Annotated[
        Literal["mer2025", "mer2026"] | None,
        typer.Option(help="Conventions of the wheel.", show_default="those of the tables' year"),
    ] = None,
    validation: Annotated[
        Path | None,
        typer.Option(help="Predictions of other samples, to fit offsets or thresholds on."),
    ] = None,
    compare_validation: Annotated[
        Path | None, typer.Option(help="Like --validation, for the predictions in --compare.")
    ] = None,
    judge_url: Annotated[
        str | None, typer.Option(help="OpenAI-compatible server of the judge.")
    ] = None,
    judge_model: Annotated[
        str | None, typer.Option(help="Name of the judge on the server.")
    ] = None,
    judge_key_env: Annotated[
        str | None, typer.Option(help="Environment variable that holds the key.")
    ] = None,
    judge_folder: Annotated[
        Path | None, typer.Option(help="Folder of a local model to use as judge.")
    ] = None,
    judge_cache: Annotated[
        Path | None, typer.Option(help="File that keeps the judge's answers.")
    ] = None,
    shard: ShardOption = None,
    merge: MergeOption = False,
) -> None:
    """Compute metrics and reports from predictions.

    With --metric those metrics; with --out also the whole report, in one report.json. With --shard
    a judge is asked about a share of the clips, and its answers are kept; the same command with
    --merge scores all of them.
    """
    share = shard_or_merge(shard, merge)
    for files in (predictions, compare, split_file):
        need_files(files)
    for path in (
        baseline,
        manifest,
        swapped,
        validation,
        compare_validation,
        calibration,
        reference,
    ):
        need_file(path)
    need_folder(synonyms)
    need_folder(wheel)
    need_folder(judge_folder)
    from emollama.endpoints.judge import open_judge
    from emollama.manifest.labels import get_label_set
    from emollama.manifest.sample import read_manifest
    from emollama.manifest.split_file import read_split_file
    from emollama.scoring.metrics.context import Context
    from emollama.scoring.metrics.preference import order_averaged
    from emollama.scoring.metrics.registry import COMPARED, JUDGED, METRICS
    from emollama.scoring.metrics.synonyms import read_groups
    from emollama.scoring.predictions.against import against_manifest, with_its_splits
    from emollama.scoring.predictions.parsing import parse_again
    from emollama.scoring.predictions.pooling import pooled
    from emollama.scoring.predictions.predictions import read_predictions
    from emollama.scoring.readers.predict_rows import PREDICT
    from emollama.scoring.readers.public import read_public
    from emollama.scoring.readers.recognise import recognise
    from emollama.scoring.report.tables import print_report

    if judge_folder is not None:
        quiet_libraries()
    names = metric or []
    if names == ["list"]:
        print("\n".join(METRICS))
        return
    for name in names:
        if name not in METRICS:
            raise EmollamaError(f"metric '{name}' is unknown{did_you_mean(name, METRICS)}")
    if split_file and manifest is None:
        raise EmollamaError("--split-file needs --manifest, whose clips it assigns to splits")

    clips = read_manifest(manifest) if manifest else None
    splits = [read_split_file(path) for path in split_file or ()]

    public: list[str] = []

    def read(path: Path) -> Predictions:
        name = reader or recognise(path)
        if name is not None and reader is None:
            print(f"note: {path}: read as the output of {name} (--reader)", file=sys.stderr)
        if name is None:
            found = read_predictions(path)
        else:
            public.append(name)
            told = get_label_set(labels) if labels is not None else None
            found = read_public(path, name, told, reference, split)
        if name == PREDICT and clips is None and reference is None:
            raise EmollamaError(
                f"{path}: holds the answers of `emollama predict` without true values; give the "
                "manifest that was asked about: --manifest FILE"
            )
        if parser is not None:
            try:
                rows = parse_again(found.rows, found.header.labels, parser)
            except EmollamaError as error:
                raise EmollamaError(f"{path}: {error}") from error
            found = replace(found, rows=tuple(rows))
        if clips is None:
            return found
        if name == PREDICT:
            return _of_predict(found, clips)
        return against_manifest(found, with_its_splits(found, clips, splits))

    found = pooled([read(path) for path in predictions])
    if by is None:
        apart = calibration is not None and all(row.group for row in found.rows)
        by = "group" if apart else "sample"
    if swapped is not None:
        found = order_averaged(found, read(swapped))
    other = pooled([read(path) for path in compare]) if compare else None
    if not public and any(x is not None for x in (reference, labels, split)):
        raise EmollamaError(
            f"{predictions[0]}: --reference, --labels and --split are for the output of a public "
            "system; predictions already hold their true values"
        )
    changed = (manifest, parser, swapped, validation, calibration)
    whole = len(predictions) == 1 and not public and all(x is None for x in changed)
    whole = whole and any(r.reference is not None for r in found.rows)
    if baseline is not None and (out is None or not whole):
        raise EmollamaError(
            "--baseline is for the report, which needs --out and the labels of one unchanged "
            "predictions file; to compare two files use --compare"
        )
    report = None
    if whole and out is not None and share is None:
        metric_of_report = next((n for n in names if n in COMPARED), "weighted_f1")
        report = _report(predictions[0], baseline, out, metric_of_report, bootstrap, by, found)
        asked = (other, synonyms, wheel, judge_url, judge_folder)
        in_report = len(names) <= 1 and set(names) <= set(COMPARED)
        if in_report and format == "table" and all(x is None for x in asked):
            print_report(report)
            return
    thresholds = None
    if validation is not None:
        found, thresholds = _fitted(validation, found)
        if other is not None and thresholds is None:
            if compare_validation is None:
                raise EmollamaError(
                    "--validation with --compare also needs --compare-validation, so "
                    "that both sets are decided with offsets"
                )
            other, _ = _fitted(compare_validation, other)
    judge = open_judge(judge_url, judge_model, judge_key_env, judge_folder, judge_cache)
    if share is not None or merge:
        if judge is None or not set(names) & set(JUDGED):
            raise EmollamaError(
                f"{'--merge' if merge else '--shard'} is for what a judge is asked: give a judge "
                f"and --metric {' or '.join(JUDGED)}; other metrics are one pass over all rows"
            )
        judge.asks = not merge
    context = Context(
        found.header.labels,
        _wheel(wheel, wheel_rules),
        thresholds,
        judge,
        read_groups(synonyms) if synonyms else None,
        _sets(calibration, coverage, found),
    )
    if share is not None:
        _judged([found, *([other] if other else [])], context, set(names) & set(JUDGED), share)
        return
    _metrics(found, context, names, other, out, bootstrap, by, format, report)


def _of_predict(found: Predictions, clips: Manifest) -> Predictions:
    """Answers of `emollama predict` with their truths, in the labels that the model knows."""
    from emollama.inputs.common_labels import counted, translated
    from emollama.scoring.predictions.against import against_manifest

    labels = found.header.labels if found.header.labels.labels else clips.labels
    held = translated(clips, {}, labels, str(clips.path))
    if held.dropped:
        print(f"note: {clips.path}: clips whose label the model does not know are left out: "
              f"{counted(held.dropped)}", file=sys.stderr)  # fmt: skip
    known = tuple(s for s in held.samples if s.id not in held.dropped)
    return against_manifest(
        replace(found, header=found.header.model_copy(update={"labels": labels}),
                rows=tuple(r for r in found.rows if r.id not in held.dropped)),
        replace(clips, labels=labels, samples=known),
    )  # fmt: skip


def _judged(
    scored: list[Predictions], context: Context, names: set[str], share: Share
) -> None:  # fmt: skip
    """Have the judge answer about a share of the clips; the answers stay in its cache."""
    from emollama.scoring.metrics.registry import METRICS

    count = 0
    for one in scored:
        rows = one.select(one.headline()[1], one.headline()[0])[share.part :: share.of]
        for name in sorted(names):
            METRICS[name].within(context)(rows)
        count += len(rows)
    print(f"shard {share} is done: {count} clips judged; when all are: the same command with "
          "--merge")  # fmt: skip


def _report(
    predictions: Path, baseline: Path | None, out: Path, metric: str, bootstrap: int,
    by: Literal["sample", "group"], found: Predictions,
) -> dict[str, Any]:  # fmt: skip
    from emollama.evaluation.known_clues import vocabulary_of
    from emollama.scoring.report.report import report_from_files

    return report_from_files(
        predictions, baseline, out, metric=metric, resamples=bootstrap, by=by,
        vocabulary=vocabulary_of(found.header.corpus),
    )  # fmt: skip


def _metrics(
    found: Predictions, context: Context, names: list[str], other: Predictions | None,
    out: Path | None, bootstrap: int, by: Literal["sample", "group"], format: Format,
    report: dict[str, Any] | None,
) -> None:  # fmt: skip
    from emollama.scoring.report.score_figures import draw_score_figures
    from emollama.scoring.report.scoring import (
        score_page,
        score_predictions,
        score_tables,
        write_scores,
    )
    from emollama.scoring.report.tables import print_tables

    result = score_predictions(found, context, names, other, resamples=bootstrap, by=by)
    if out is not None:
        options = {k: v for k, v in result["bootstrap"].items() if k != "level"}
        write_scores(out, result, draw_score_figures(found, context, out, **options), report)
    if format == "json":
        print(json.dumps(result, indent=2, ensure_ascii=False))
    elif format == "markdown":
        print(score_page(result), end="")
    else:
        print_tables(score_tables(result))


def _sets(calibration: Path | None, coverage: float | None, found: Predictions) -> Sets | None:
    from emollama.scoring.calibration.calibration import read_calibration
    from emollama.scoring.calibration.conformal import COVERAGE, require_coverage
    from emollama.scoring.calibration.set_metrics import Sets

    if calibration is None:
        if coverage is not None:
            raise EmollamaError(
                "--coverage needs --calibration FILE, which `emollama calibrate` writes"
            )
        return None
    wanted = require_coverage(COVERAGE if coverage is None else coverage)
    held = read_calibration(calibration, found.header.labels.labels)
    if held.predictions in {p.sha256 for p in (found, *found.parts)} - {None}:
        raise EmollamaError(
            f"{calibration}: was fitted on these predictions; score it on those of other people"
        )
    try:
        return Sets(held.require(found.headline()[1]), wanted)
    except EmollamaError as error:
        raise EmollamaError(f"{calibration}: {error}") from error


def _wheel(folder: Path | None, rules: Rules | None) -> WheelTables | None:
    from emollama.scoring.wheels.wheel_tables import read_wheel_tables

    if folder is None:
        if rules is not None:
            raise EmollamaError("--wheel-rules needs --wheel DIR")
        return None
    return read_wheel_tables(folder, rules)


def _fitted(validation: Path, found: Predictions) -> tuple[Predictions, dict[str, float] | None]:
    """Answers decided anew with offsets where a sample has one label; thresholds where several."""
    from emollama.scoring.metrics.multilabel import fit_thresholds
    from emollama.scoring.metrics.offsets import with_offsets
    from emollama.scoring.predictions.predictions import read_predictions

    held = read_predictions(validation)
    if held.header.labels.labels != found.header.labels.labels:
        raise EmollamaError(f"{validation}: its labels differ from those of the predictions")
    both = {r.id for r in held.rows} & {r.id for r in found.rows}
    if both:
        raise EmollamaError(
            f"{validation}: '{min(both)}' is also among the predictions; fit thresholds "
            "and offsets on other samples than those scored"
        )
    try:
        if any(r.reference_labels is not None for r in found.rows):
            return found, fit_thresholds(held.rows, held.header.labels)
        return with_offsets(found, held), None
    except EmollamaError as error:
        raise EmollamaError(f"{validation}: {error}") from error
