"""`emollama score --metric`: metrics of a predictions file as JSON, Markdown or a table."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Unpack

from emollama.base.errors import EmollamaError
from emollama.base.files import write_json, write_text
from emollama.scoring.metrics.bootstrap import LEVEL, RESAMPLES, Draws
from emollama.scoring.metrics.choosing import chosen, fitting
from emollama.scoring.metrics.context import Context
from emollama.scoring.metrics.measure import NO_DIFFERENCE, Score, paired, scored
from emollama.scoring.metrics.offsets import DECISION
from emollama.scoring.metrics.registry import METRICS, NEEDS
from emollama.scoring.predictions.prediction import Prediction, set_name
from emollama.scoring.predictions.predictions import Predictions
from emollama.scoring.report.cells import Table
from emollama.scoring.report.tables import markdown, table_markdown

SCORES_VERSION = 1
REPORT_FILE, METRICS_FILE = "report.json", "metrics.json"


def score_predictions(
    predictions: Predictions,
    context: Context,
    names: Sequence[str] = (),
    compare: Predictions | None = None,
    **draws: Unpack[Draws],
) -> dict[str, Any]:
    """Everything that the metrics of a file say, as plain JSON values.

    A pure function of the files and the context: no time and no path goes in.

    Args:
        predictions: the first system's rows with its largest set of channels are scored.
        context: label set, tables, thresholds, judge.
        names: keys of `METRICS`; those that the rows have the truth for when empty.
        compare: another file; the result holds "this minus the other" for each metric.
        draws: see `Draws`; the seed is by default the one of the header.

    Raises:
        EmollamaError: an unknown metric, or one that the rows hold no truth for. Where they hold
            it and the metric leaves all of it out, its value is None and its note says why.
    """
    wanted = chosen(names)
    system, channels, rows = _rows(predictions)
    where = predictions.path or "the predictions"
    wanted = wanted or fitting(rows, context)
    if not wanted:
        raise EmollamaError(f"{where}: no row has a reference to score against")
    draws = {"resamples": RESAMPLES, "seed": predictions.header.seed, "by": "sample", **draws}
    other = _rows(compare)[2] if compare else None
    results, differences = [], []
    for name in wanted:
        metric = METRICS[name]
        build = metric.within(context)
        try:
            measure = build(rows)
            nothing = not measure.rows and measure.empty is None
            if nothing and not measure.failures and not measure.nothing:
                raise EmollamaError(f"{name} needs {NEEDS[metric.needs]}; no row can be scored")
            results.append(_result(name, scored(measure, **draws)))
            if other is not None:
                difference = NO_DIFFERENCE if nothing else paired(build, rows, other, **draws)
                differences.append({"metric": name, **difference.to_dict()})
        except EmollamaError as error:
            # A metric knows rows, not the file they are from.
            raise EmollamaError(f"{where}: {error}") from error
    header = predictions.header
    result = {
        "scores": SCORES_VERSION,
        "corpus": header.corpus,
        "split": header.split,
        "model": header.model,
        "config_hash": header.config_hash,
        "label_set": header.labels.name,
        "system": system,
        "channels": channels,
        "file": _file(predictions),
        "compared_with": _file(compare) if compare else None,
        "bootstrap": {**draws, "level": LEVEL},
        "results": results,
        "differences": differences,
    }
    plain: dict[str, Any] = json.loads(json.dumps(result, allow_nan=False))
    return plain


def _result(name: str, score: Score) -> dict[str, Any]:
    return {
        "title": METRICS[name].title, "metric": name, "value": score.value,
        "ci_low": score.ci_low, "ci_high": score.ci_high, "n_scored": score.n_scored,
        "n_total": score.n_total, "failures": score.failures, "detail": score.detail,
        "note": score.note,
    }  # fmt: skip


def write_scores(
    out_dir: Path,
    result: dict[str, Any],
    figures: Sequence[str] = (),
    report: dict[str, Any] | None = None,
) -> None:
    """Write a result below `metrics` of report.json, and to the end of report.md.

    metrics.json and metrics.md are copies that the release before wrote in their place.

    Args:
        out_dir: folder of both files.
        result: of `score_predictions`.
        figures: names of those that lie beside the files.
        report: what `write_report` has just written there; None where there is none.
    """
    whole = {**result, "figures": list(figures)}
    write_json(out_dir / REPORT_FILE, {**(report or {}), "metrics": whole})
    page = score_page(result, figures)
    before = markdown(report) + "\n" if report is not None else ""
    write_text(out_dir / "report.md", before + (score_page(result) if before else page))
    write_json(out_dir / METRICS_FILE, whole)
    write_text(out_dir / "metrics.md", page)


def score_page(result: dict[str, Any], figures: Sequence[str] = ()) -> str:
    """A result as a Markdown page."""
    parts = [f"## {t.title}\n\n{table_markdown(t)}" for t in score_tables(result)]
    parts += [_sources(result)]
    parts += [f"![{name.removesuffix('.png')}]({name})" for name in figures]
    return "\n\n".join(parts) + "\n"


def _sources(result: dict[str, Any]) -> str:
    """A list of the files, with the hashes that tell them and their splits apart."""
    lines = []
    for whole in (result["file"], result["compared_with"]):
        for file in (whole or {}).get("folds", [whole] if whole else []):
            line = f"- `{file['name'] or 'predictions'}`: SHA-256 `{file['sha256']}`"
            if file["split_sha256"]:
                line += f", split file `{file['split_sha256']}`"
            if file["decision"]:
                line += f"; decided by {file['decision']}"
            lines.append(line)
    return "\n".join(lines)


def _rows(predictions: Predictions) -> tuple[str, tuple[str, ...], list[Prediction]]:
    system, channels = predictions.headline()
    return system, channels, predictions.select(channels, system)


def _file(predictions: Predictions) -> dict[str, Any]:
    """Name, hash and split file's hash of what was scored; of each fold where files were pooled."""
    name = predictions.path.name if predictions.path else None
    found: dict[str, Any] = {
        "name": name,
        "sha256": predictions.sha256,
        "split_sha256": predictions.header.split_sha256,
        "decision": predictions.header.settings.get(DECISION),
    }
    if predictions.parts:
        # The first fold's split file is not that of all of them.
        found |= {"split_sha256": None, "folds": [_file(p) for p in predictions.parts]}
    return found


def score_tables(result: dict[str, Any]) -> list[Table]:
    """The tables of a result, for Markdown and for the terminal."""
    tables = [_values(result)]
    if result["differences"]:
        tables.append(_differences(result))
    return tables


def _system(result: dict[str, Any]) -> str:
    """Who answered; with which channels, where the file says."""
    channels = f" with {set_name(result['channels'])}" if result["channels"] else ""
    return f"{result['system']}{channels}"


def _values(result: dict[str, Any]) -> Table:
    rows = []
    for r in result["results"]:
        value, interval = "–", "–"
        if r["value"] is not None:
            value = f"{r['value']:.4f}"
        if r["ci_low"] is not None:
            interval = f"{r['ci_low']:.4f} to {r['ci_high']:.4f}"
        failures = ", ".join(f"{n} {kind}" for kind, n in r["failures"].items())
        of = f"{r['n_scored']} of {r['n_total']}"
        rows.append((r["title"], value, interval, of, failures or "0", r["note"]))
    title = ", ".join(p for p in (result["corpus"], result["split"]) if p) or "Scores"
    return Table(
        f"{title}: {_system(result)}{_decided(result['file'])}",
        ("metric", "value", "95 % interval", "scored", "without an answer", "note"),
        tuple(rows),
    )


def _decided(file: dict[str, Any]) -> str:
    return f" (decided by {file['decision']})" if file["decision"] else ""


def _differences(result: dict[str, Any]) -> Table:
    titles = {r["metric"]: r["title"] for r in result["results"]}
    rows = []
    for d in result["differences"]:
        cells = ("–", "–", "–")
        if d["value"] is not None:
            interval = f"{d['ci_low']:+.4f} to {d['ci_high']:+.4f}"
            cells = (f"{d['value']:+.4f}", interval, f"{d['p']:.3f}")
        rows.append((titles[d["metric"]], *cells, str(d["n"])))
    return Table(
        f"{result['file']['name']}{_decided(result['file'])} minus "
        f"{result['compared_with']['name']}{_decided(result['compared_with'])}, paired",
        ("metric", "difference", "95 % interval", "p", "n"),
        tuple(rows),
    )
