"""The readable quality report: Markdown, and one HTML page with embedded pictures."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from textwrap import shorten
from typing import Any

from emollama.explain.page import STYLE

_SHEET = """
.sheet { display: grid; grid-template-columns: repeat(auto-fill, minmax(15rem, 1fr)); gap: 1rem; }
.sheet > div { border: 1px solid #ddd; padding: .6rem; font-size: .85rem; }
.sheet img { width: 100%; } .against { color: #a33; }
"""
Table = tuple[str, Sequence[str], list[Sequence[Any]]]


def markdown(report: Mapping[str, Any]) -> str:
    """The tables, and the worst clips as a list."""
    first, *rest = report["may one train on this"]
    parts = ["# Quality report", f"**{first}** {' '.join(rest)}".strip(), _summary(report)]
    for title, header, rows in _tables(report):
        parts.append(f"## {title}")
        parts.append(
            "\n".join([
                "| " + " | ".join(header) + " |",
                "|" + "---|" * len(header),
                *("| " + " | ".join(_cell(c).replace("|", "\\|") for c in row) + " |"
                  for row in rows),
            ])
        )  # fmt: skip
    parts.append("## Worst clips")
    parts += [f"- `{r['id']}` {r['label']} ({r['confidence']:.2f}): {'; '.join(r['against'])}"
              for r in report["worst"]]  # fmt: skip
    return "\n\n".join(parts) + "\n"


def page(report: Mapping[str, Any], pictures: Mapping[str, bytes | None]) -> str:
    """The same as a page, with a sheet of the worst clips and their peak frames."""
    first, *rest = map(escape, report["may one train on this"])
    parts = [
        f"<h1>Quality report</h1><p><b>{first}</b> {' '.join(rest)}</p>",
        f"<p>{escape(_summary(report))}</p>",
    ]
    for title, header, rows in _tables(report):
        head = "".join(f"<th>{escape(h)}</th>" for h in header)
        body = "".join(
            "<tr>" + "".join(f"<td>{escape(_cell(c))}</td>" for c in row) + "</tr>" for row in rows
        )
        parts.append(f"<h2>{escape(title)}</h2><table><tr>{head}</tr>{body}</table>")
    parts.append('<h2>Worst clips</h2><div class="sheet">')
    for row in report["worst"]:
        data = pictures.get(str(row["id"]))
        image = ""
        if data:
            coded = base64.b64encode(data).decode("ascii")
            image = f'<img alt="peak frame" src="data:image/jpeg;base64,{coded}">'
        against = "; ".join(row["against"])
        parts.append(
            f"<div>{image}<b>{escape(str(row['id']))}</b>: {escape(str(row['label']))} "
            f'({row["confidence"]:.2f})<p class="against">{escape(against)}</p>'
            f"<p>{escape(shorten(str(row['reason']), 400, placeholder=' …'))}</p></div>"
        )
    parts.append("</div>")
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>Quality report</title>'
        f"<style>{STYLE}{_SHEET}</style></head>\n<body>" + "\n".join(parts) + "</body></html>\n"
    )


def _summary(report: Mapping[str, Any]) -> str:
    told = f"{report['clips described']} clips described, faces by {report['faces by']}."
    if report["faces by"] == "expression":
        told += (
            " No action units were measured: a classifier's expressions are used for "
            "the face, so no reason can faithfully name a unit."
        )
    if report["clips measured here"] < report["clips described"]:
        told += f" Text measures use {report['clips measured here']} of them."
    return told


def _tables(report: Mapping[str, Any]) -> list[Table]:
    labels = report["labels"]
    pseudo = report["pseudo-labels of the face"]
    names = sorted({*labels, *pseudo}, key=lambda n: (-labels.get(n, 0), n))
    tables: list[Table] = [
        ("Labels", ("label", "final", "face alone"),
         [(n, labels.get(n, 0), pseudo.get(n, 0)) for n in names]),
    ]  # fmt: skip
    if report["agreement"]:
        header = tuple(report["agreement"][0])
        tables.append(
            ("Agreement", header, [tuple(row[h] for h in header) for row in report["agreement"]])
        )
    for name, title in (
        ("faithfulness", "Clues in reasons against clues measured"),
        ("refinement", "Refinement"),
        ("diversity of reasons", "Diversity of reasons"),
        ("diversity of captions", "Diversity of captions"),
        ("selection", "Selection"),
        ("ledger", "Models asked"),
        ("against the truth", "Against the truth"),
    ):
        if report.get(name):
            tables.append((title, ("measure", "value"), list(_flat(report[name]))))
    tables.append(
        ("Stages", ("stage", "in", "out", "left out"),
         [(n, c["in"], c["out"], ", ".join(f"{k} {why}" for why, k in c["rejected"].items()))
          for n, c in report["stages"].items()])
    )  # fmt: skip
    return tables


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterable[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}: ")
        else:
            yield prefix + name, value


def _cell(value: Any) -> str:
    if isinstance(value, list) and len(value) == 3:
        return "{:.3f} [{:.3f}, {:.3f}]".format(*value)
    if isinstance(value, float):
        return f"{value:.3f}"
    return "–" if value is None else str(value)
