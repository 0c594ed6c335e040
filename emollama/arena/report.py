"""Files and tables of an arena: arena.json, arena.md, arena.html and predictions.jsonl."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from emollama.arena.configuration import ArenaConfig
from emollama.arena.diagnosis import LEAST_CLIPS
from emollama.arena.measures import arena_result
from emollama.arena.rows import Asked
from emollama.base.files import write_json, write_text
from emollama.explain.page import STYLE
from emollama.scoring.predictions.predictions import Header, write_predictions
from emollama.scoring.report.cells import Table, difference_text, number, score_text
from emollama.scoring.report.tables import table_markdown

RESULT, PAGE, HTML, PREDICTIONS = "arena.json", "arena.md", "arena.html", "predictions.jsonl"
_LONG = 44  # letters of a cell from which it is broken
REMOVES = {"mute": "no sound", "blank": "no picture", "wordless": "no words"}
_STYLE = """
body { max-width: 84rem; } .wide { overflow-x: auto; } .wide table { font-size: .9rem; }
td { white-space: nowrap; } td.long { white-space: normal; min-width: 22rem; text-align: left; }
th { vertical-align: bottom; }
td.bar { min-width: 9rem; } .bar svg { display: block; width: 9rem; height: 1rem; }
"""


def write_arena(asked: Asked, folder: Path) -> dict[str, Any]:
    """Measure, and write the files of the report; returns what arena.json holds."""
    result = arena_result(asked)
    write_json(folder / RESULT, result)
    write_text(folder / PAGE, page(result))
    write_text(folder / HTML, html(result))
    write_predictions(folder / PREDICTIONS, _header(asked), [
        row
        for name in asked.config.contestants
        for ablation in (None, *asked.config.ablations)
        for row in asked.predictions(name, ablation)
    ])  # fmt: skip
    return result


def _header(asked: Asked) -> Header:
    config: ArenaConfig = asked.config
    manifest = asked.manifest
    return Header(
        labels=manifest.labels, corpus=manifest.corpus, split=config.data.split, seed=config.seed,
        model="arena",
    )  # fmt: skip


def arena_tables(result: Mapping[str, Any]) -> Iterator[Table]:
    """The tables of an arena, the leaderboard first."""
    rows: Sequence[Mapping[str, Any]] = result["contestants"]
    yield leaderboard(result)
    yield _sensitivity(result, rows)
    if any(row["ablations"] for row in rows):
        yield _ablations(result, rows)
    if any(row["follows"] for row in rows):
        yield _follows(rows)
    if result["twins"]:
        found = tuple((name, score_text(score)) for name, score in result["twins"].items())
        yield Table("Twins", ("contestant", "pairs whose answers differ"), found,
                    "Two clips of a pair are the same but for one cue.")  # fmt: skip
    if biases := [(row["name"], one) for row in rows for one in row["biases"] or ()]:
        told = tuple((name, one["bias"], one["why"]) for name, one in biases)
        yield Table("Biases", ("contestant", "bias", "found by"), told)
    yield _cost(rows)


def leaderboard(result: Mapping[str, Any]) -> Table:
    """The contestants by accuracy, with the biases that were found."""
    cells = []
    for place, row in enumerate(result["contestants"], start=1):
        given = row["sends"] or "in this process"
        biases = _biases(row["biases"])
        scores = [score_text(row["scores"][m]) for m in ("accuracy", "weighted_f1")]
        missed = f"{row['questions'] - row['labels']} of {row['questions']}"
        cells.append((f"{place}. {row['name']}", *scores, biases, missed, given, row["answers"]))
    corpus = result["corpus"] or "arena"
    drawn = "whole groups are" if result["by"] == "group" else "clips are"
    return Table(
        f"{corpus}, split {result['split']}: {result['clips']} clips, "
        f"{len(result['labels'])} labels",
        ("contestant", "accuracy", "weighted F1", "bias", "no label", "sent", "form"),
        tuple(cells),
        f"The first question about every clip, [95 % interval, {drawn} drawn "
        f"{result['bootstrap']} times]. An answer without a label is wrong and never becomes one. "
        f"Chance is {1 / len(result['labels']):.3f}.",
    )


def _biases(found: Sequence[Mapping[str, Any]] | None) -> str:
    if found is None:
        return f"fewer than {LEAST_CLIPS} clips"
    return ", ".join(one["bias"] for one in found) or "none found"


def _sensitivity(result: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> Table:
    cells = []
    for row in rows:
        places = row["places"] or {}
        spread = row["by_prompt"].values()
        cells.append((
            row["name"], score_text(row["wording"]), f"{min(spread):.3f} to {max(spread):.3f}",
            score_text(row["order"]), score_text(places.get("first")),
            score_text(places.get("last")),
        ))  # fmt: skip
    return Table(
        "Does it matter how one asks?",
        ("contestant", "answer changes with the wording", "accuracy by wording",
         "answer changes with the order", "first label", "last label"),
        tuple(cells),
        f"Share of clips whose answer is not the same in {len(result['prompts'])} wordings and in "
        f"{result['orders']} orders of the labels, and share of answers in the first and the last "
        f"place ({1 / len(result['labels']):.3f} without a preference).",
    )  # fmt: skip


def _ablations(result: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> Table:
    cells = []
    for row in rows:
        told = []
        for name in result["ablations"]:
            found = row["ablations"].get(name)
            told.append(score_text(found and found["changed"]))
            told.append(difference_text(found and found["difference"]))
        cells.append((row["name"], *told))
    columns = [
        f"{REMOVES[name]}: {what}"
        for name in result["ablations"] for what in ("answer changes", "accuracy")
    ]  # fmt: skip
    return Table(
        "What if something is taken away?",
        ("contestant", *columns),
        tuple(cells),
        "Over the clips that have it; accuracy is the difference from the whole clip. Without "
        "words nobody is told what is said, but the sound is still there.",
    )


def _follows(rows: Sequence[Mapping[str, Any]]) -> Table:
    first = next(row["follows"] for row in rows if row["follows"])
    channels = first["channels"]
    cells = [
        (row["name"], *(score_text((row["follows"] or {"followed": {}})["followed"].get(c))
                        for c in channels))
        for row in rows
    ]  # fmt: skip
    cells.append(("the right answer", *(score_text(first["intended"].get(c)) for c in channels)))
    total = first["none"]["n_scored"]
    return Table(
        "Whom does it follow where channels contradict each other?",
        ("contestant", *channels),
        tuple(cells),
        f"Share of answers that name the channel's own emotion, over {total} clips.",
    )


def _cost(rows: Sequence[Mapping[str, Any]]) -> Table:
    cells = []
    for row in rows:
        asked = row["questions"]
        failures = ", ".join(f"{why}: {n}" for why, n in row["failures"].items()) or "–"
        repeated = [f"{how}: {n}" for how, n in row["attempts"].items() if how != "ok"]
        attempts = ", ".join(repeated) or "–"
        tokens = [f"{row[k] / asked:.0f}" if row[k] else "–" for k in ("tokens_in", "tokens_out")]
        seconds = [number(row["seconds"][k]) for k in ("median", "p95")]
        cells.append((row["name"], str(asked), *tokens, *seconds, failures, attempts))
    return Table(
        "Cost and failures",
        ("contestant", "questions", "tokens in", "tokens out", "s, median", "s, p95",
         "without a label", "attempts that failed"),
        tuple(cells),
        "Tokens a question as the server counts them; seconds of the attempt that succeeded.",
    )  # fmt: skip


def page(result: Mapping[str, Any]) -> str:
    """The report in Markdown."""
    first, *others = arena_tables(result)
    parts = [f"# {first.title}", table_markdown(first), first.note]
    for table in others:
        parts += [f"## {table.title}", table_markdown(table), table.note]
    return "\n\n".join(part for part in [*parts, *_asked(result)] if part) + "\n"


def _asked(result: Mapping[str, Any]) -> list[str]:
    lines = [f"- {name}: {text}" for name, text in result["prompts"].items()]
    return ["## What was asked", "\n".join(lines)]


def html(result: Mapping[str, Any]) -> str:
    """The report as one page that needs nothing else."""
    first, *others = arena_tables(result)
    scores = [row["scores"]["accuracy"] for row in result["contestants"]]
    parts = [f"<h1>{escape(first.title)}</h1>", _table(first, [_bar(score) for score in scores])]
    for table in others:
        parts += [f"<h2>{escape(table.title)}</h2>", _table(table)]
    asked = "".join(
        f"<li>{escape(name)}: {escape(text)}</li>" for name, text in result["prompts"].items()
    )
    parts.append(f"<h2>What was asked</h2><ul>{asked}</ul>")
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(first.title)}</title><style>{STYLE}{_STYLE}</style></head><body>"
        + "\n".join(parts)
        + "</body></html>\n"
    )


def _table(table: Table, bars: Sequence[str] = ()) -> str:
    """A table that scrolls by itself; `bars` stand behind the first column."""
    head = [f"<th>{escape(column)}</th>" for column in table.columns]
    lines = [
        [f"<td{' class=long' * (len(cell) > _LONG)}>{escape(cell)}</td>" for cell in row]
        for row in table.rows
    ]
    if bars:
        head.insert(1, "<th>0 to 1</th>")
        for line, bar in zip(lines, bars, strict=True):
            line.insert(1, f'<td class="bar">{bar}</td>')
    rows = "".join(f"<tr>{''.join(line)}</tr>" for line in [head, *lines])
    note = f'<p class="note">{escape(table.note)}</p>' if table.note else ""
    return f'<div class="wide" tabindex="0"><table>{rows}</table></div>{note}'


def _bar(score: Mapping[str, Any]) -> str:
    """A value and its interval on a line from 0 to 1."""
    if score["value"] is None:
        return ""
    low, high, value = (100 * score[k] for k in ("ci_low", "ci_high", "value"))
    return (
        '<svg viewBox="0 0 100 10" preserveAspectRatio="none" role="img" '
        f'aria-label="{score["value"]:.3f}"><path d="M0 5H100" stroke="#ddd"/>'
        f'<path d="M{low:.1f} 5H{high:.1f}" stroke="#0072b2" stroke-width="2"/>'
        f'<rect x="{value - 0.7:.1f}" y="1" width="1.4" height="8" fill="#0072b2"/></svg>'
    )
