"""The tables of a report, for the page (Markdown) and for the terminal (rich)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table as RichTable

from emollama.base.errors import EmollamaError
from emollama.scoring.metrics.registry import COMPARED, METRICS, REPORTED
from emollama.scoring.predictions.prediction import set_name
from emollama.scoring.report.cells import Table, difference_text, number, score_text
from emollama.scoring.report.reason_tables import reason_tables

METRIC_NAMES = {name: METRICS[name].title for name in REPORTED}


def report_title(report: dict[str, Any]) -> str:
    """'ravdess, split test, n = 232'."""
    parts = [report["corpus"] or "evaluation"]
    if report["split"]:
        parts.append(f"split {report['split']}")
    return ", ".join([*parts, f"n = {_n(report)}"])


def report_tables(report: dict[str, Any]) -> Iterator[Table]:
    """The tables of a report, in reading order."""
    yield _scores(report)
    yield _modality(report)
    if report["others"]:
        yield _systems(report)
    yield from _conflicts(report)
    if "referee" in report:
        yield _referee(report["referee"])
    yield _classes(report)
    yield _confusion(report)
    yield from reason_tables(report)
    if report["failures"]:
        rows = tuple((kind, str(n)) for kind, n in report["failures"].items())
        yield Table("Answers without a label, by reason", ("reason", "n"), rows)


def _scores(report: dict[str, Any]) -> Table:
    rows = []
    for name, title in METRIC_NAMES.items():
        score = report["scores"][name]
        if score["value"] is not None:
            interval = f"{score['ci_low']:.3f} to {score['ci_high']:.3f}"
            scored = f"{score['n_scored']} of {score['n_total']}"
            row = (title, number(score["value"]), interval, scored, str(score["parse_failures"]))
            rows.append(row)
    return Table(
        f"Scores with {set_name(report['channels'])}",
        ("metric", "value", "95 % interval", "scored", "parse failures"),
        tuple(rows),
        "A parse failure counts as wrong and is never replaced by a label.",
    )


def _modality(report: dict[str, Any]) -> Table:
    modality = report["modality"]
    systems = list(dict.fromkeys(s for row in modality["rows"] for s in row["scores"]))
    # A gain is the model minus the first baseline; without a baseline there is none.
    gains = any(row["gain"] for row in modality["rows"])
    rows = []
    for row in modality["rows"]:
        cells = [score_text(row["scores"].get(s)) for s in systems]
        gain = [difference_text(row["gain"])] if gains else []
        rows.append((set_name(row["channels"]), *cells, *gain))
    fusion = [
        f"{system}: {gain['a']} minus best single channel ({gain['b']}) = "
        f"{difference_text(gain['difference'])}"
        for system, gain in modality["fusion_gain"].items()
    ]
    last = (f"{systems[0]} minus {systems[1]}",) if gains else ()
    return Table(
        f"Channels present: {METRIC_NAMES[report['metric']]}",
        ("channels", *systems, *last),
        tuple(rows),
        ". ".join(fusion) + "." if fusion else "",
    )


def _systems(report: dict[str, Any]) -> Table:
    def cells(scores: dict[str, Any]) -> tuple[str, ...]:
        return tuple(score_text(scores[m]) for m in COMPARED)

    rows = [(report["system"], *cells(report["scores"]), "")]
    rows += [
        (o["system"], *cells(o["scores"]), difference_text(o["difference"]))
        for o in report["others"]
    ]
    return Table(
        "The model and its baselines, each with all its channels",
        (
            "system",
            *(METRIC_NAMES[m] for m in COMPARED),
            f"{report['system']} minus system ({METRIC_NAMES[report['metric']]})",
        ),
        tuple(rows),
    )


def _conflicts(report: dict[str, Any]) -> Iterator[Table]:
    found = report["modality"]["conflicts"]
    if not found:
        return
    channels = list(dict.fromkeys(c for clash in found for c in clash["channels"]))
    rows = [
        (
            clash["system"],
            *(score_text(clash["followed"].get(c)) for c in channels),
            score_text(clash["none"]),
            str(clash["none"]["n_scored"]),
        )
        for clash in found
    ]
    intended = found[0]["intended"]
    rows.append(("(the reference)", *(score_text(intended.get(c)) for c in channels), "", ""))
    yield Table(
        "Where the channels of a clip disagree: share of answers that follow each channel",
        ("system", *channels, "none of them", "n"),
        tuple(rows),
        "Two channels may agree against a third, so a row can add up to more than 1. "
        "The last row says which channel the right answer follows.",
    )
    lone = [
        (clash["system"], one["channel"], score_text(one["followed_it"]),
         score_text(one["followed_others"]), str(one["followed_it"]["n_scored"]))
        for clash in found
        for one in clash["lone"]
    ]  # fmt: skip
    if lone:
        yield Table(
            "One channel against the other two, which agree",
            ("system", "lone channel", "followed it", "followed the others", "n"),
            tuple(lone),
        )


def _classes(report: dict[str, Any]) -> Table:
    rows = [
        (
            c["label"], number(c["precision"]), number(c["recall"]),
            score_text({"value": c["f1"], "ci_low": c["f1_low"], "ci_high": c["f1_high"]}),
            str(c["support"]), str(c["predicted"]),
        )
        for c in report["per_class"]
    ]  # fmt: skip
    columns = ("label", "precision", "recall", "F1", "support", "predicted")
    return Table("Per class", columns, tuple(rows))


def _confusion(report: dict[str, Any]) -> Table:
    confusion = report["confusion"]
    # The last column stands only where it holds something.
    width = len(confusion["columns"]) - (0 if report["failures"] else 1)
    rows = [
        (label, *(str(n) for n in counts[:width]))
        for label, counts in zip(confusion["rows"], confusion["counts"], strict=True)
    ]
    return Table(
        "Confusion: rows are references, columns answers",
        ("reference", *confusion["columns"][:width]),
        tuple(rows),
    )


def _referee(found: dict[str, Any]) -> Table:
    columns = ("detection", "agreeing", "conflicting", "all", "covered")
    return Table(
        "Channels that contradict each other, from what each says alone",
        ("system", "AUROC of noticing it", "accuracy: channels agree", "they conflict", "all",
         "the surest 80 %"),
        tuple((s, *(score_text(its[c]) for c in columns)) for s, its in found.items()),
    )  # fmt: skip


_CONVENTIONS = """\
Intervals are {level:.0%} percentile bootstrap intervals over {units} ({resamples} resamples, \
seed {seed}); differences are paired over the same {units}, p is two-sided. UAR and macro F1 \
average over the labels that the references hold; weighted F1 weights by reference support."""


def splits_table(reports: Sequence[dict[str, Any]]) -> Table:
    """Several splits side by side: each channel set and system, its score a split, their mean.

    The mean is over splits, each with the same weight, as the field averages folds; "–" where a
    split lacks the pass.

    Raises:
        EmollamaError: no report, or reports that compare by different metrics.
    """
    for report in reports:
        if not isinstance(report, dict) or not report.keys() >= {"metric", "modality", "scores"}:
            raise EmollamaError("not a report.json that `emollama score` wrote with channel sets")
    metrics = sorted({r["metric"] for r in reports})
    if len(metrics) != 1:
        found = ", ".join(metrics) or "none"
        raise EmollamaError(f"splits are compared by one metric; the reports have: {found}")
    found_scores = [
        {
            (set_name(row["channels"]), system): score
            for row in report["modality"]["rows"]
            for system, score in row["scores"].items()
        }
        for report in reports
    ]
    rows = []
    for key in dict.fromkeys(k for scores in found_scores for k in scores):
        cells = [scores.get(key) for scores in found_scores]
        values = [c["value"] for c in cells if c is not None and c["value"] is not None]
        mean = sum(values) / len(values) if len(values) == len(cells) else None
        rows.append((*key, *(score_text(c) for c in cells), number(mean)))
    return Table(
        METRIC_NAMES[metrics[0]],
        ("channels", "system", *(f"{r['split']} (n = {_n(r)})" for r in reports), "mean"),
        tuple(rows),
    )


def _n(report: dict[str, Any]) -> int:
    return int(report["scores"]["accuracy"]["n_scored"])


def conventions(report: dict[str, Any]) -> str:
    """How the numbers of this report were computed, in one paragraph."""
    options = report["bootstrap"]
    return _CONVENTIONS.format(**options, units=f"{options['by']}s")


def markdown(report: dict[str, Any]) -> str:
    """The report as a Markdown page."""
    parts = [f"# {report_title(report)}", ""]
    facts = [("model", report["model"]), ("configuration", report["config_hash"])]
    if report.get("split_sha256"):
        facts.append(("split file", f"SHA-256 {report['split_sha256']}"))
    facts += [
        (f"{f['role']} predictions", f"{f['name']}, SHA-256 {f['sha256']}")
        for f in report["files"]
        if f["sha256"]
    ]
    if report["latency_ms"] is not None:
        time = report["latency_ms"]
        text = f"median {time['median']:.0f} ms, 95th percentile {time['p95']:.0f} ms"
        facts.append(("latency", text))
    parts += [f"- {name}: {value}" for name, value in facts if value]
    parts += ["", *(f"- **{sentence}**" for sentence in report["findings"]), ""]
    for table in report_tables(report):
        parts += [f"## {table.title}", "", table_markdown(table), ""]
        parts += [table.note, ""] if table.note else []
    for name in report.get("figures", []):
        parts += [f"![{name.removesuffix('.png')}]({name})", ""]
    parts += ["## How the numbers were computed", "", conventions(report), ""]
    parts += [f"- {name}: {text}" for name, text in report["settings"].items()]
    return "\n".join(parts).rstrip("\n") + "\n"


def table_markdown(table: Table) -> str:
    """The table itself in Markdown, without title and note."""
    rule = "|---|" + "---:|" * (len(table.columns) - 1)
    return "\n".join([_row(table.columns), rule, *(_row(row) for row in table.rows)])


def _row(cells: tuple[str, ...]) -> str:
    return "| " + " | ".join(c.replace("|", "\\|").replace("\n", " ") for c in cells) + " |"


def table_rich(table: Table) -> RichTable:
    """A table for the terminal."""
    shown = RichTable(
        title=escape(table.title),
        title_justify="left",
        caption=escape(table.note) or None,
        caption_justify="left",
    )
    for k, column in enumerate(table.columns):
        shown.add_column(escape(column), justify="right" if k else "left", overflow="fold")
    for row in table.rows:
        shown.add_row(*(escape(cell) for cell in row))
    return shown


def print_tables(tables: Sequence[Table], console: Console | None = None) -> None:
    """Print tables to the terminal."""
    console = console or Console()
    for table in tables:
        console.print(table_rich(table))


def print_report(report: dict[str, Any], console: Console | None = None) -> None:
    """Print a report (as `report_from_files` returns it, or read from report.json)."""
    console = console or Console()
    console.print(f"[bold]{escape(report_title(report))}[/bold]")
    print_tables(list(report_tables(report)), console)
    for sentence in report["findings"]:
        console.print(f"• {escape(sentence)}")
