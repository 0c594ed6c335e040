"""A table of the clips without features, by reason."""

from __future__ import annotations

from rich.table import Table
from rich.text import Text

from emollama.features.report import ExtractReport


def failure_table(report: ExtractReport, shown: int = 8) -> Table:
    """Failures by reason and encoder, with ids and one message each."""
    rows: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for sample_id, by_encoder in report.failures.items():
        # A clip that cannot be decoded fails for every encoder: that is reported once.
        same = len({f.detail for f in by_encoder.values()}) == 1 and len(by_encoder) > 1
        some = list(by_encoder.items())[:1] if same else list(by_encoder.items())
        for key, failure in some:
            row = rows.setdefault((failure.reason, "all" if same else key), [])
            row.append((sample_id, failure.detail))
    table = Table(title="clips without features", title_justify="left")
    for column in ("reason", "encoder", "clips", "ids", "for example"):
        table.add_column(column, justify="right" if column == "clips" else "left", overflow="fold")
    for (reason, key), items in sorted(rows.items(), key=lambda row: (-len(row[1]), row[0])):
        ids = ", ".join(i for i, _ in items[:shown])
        more = f" and {len(items) - shown} more" if len(items) > shown else ""
        # Text, not str: rich would read square brackets in an id as markup.
        cells = (reason, key, str(len(items)), ids + more, items[0][1])
        table.add_row(*(Text(cell) for cell in cells))
    return table
