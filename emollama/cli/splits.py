"""`emollama splits`: reports of several splits in one table."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from emollama.base.errors import EmollamaError
from emollama.base.paths import need_files


def splits(
    reports: Annotated[list[Path], typer.Argument(help="The report.json of each split.")],
) -> None:
    """Show the reports of several splits side by side, with their mean.

    The table is Markdown.
    """
    need_files(reports)
    from emollama.base.files import read_json
    from emollama.scoring.report.tables import splits_table, table_markdown

    try:
        print(table_markdown(splits_table([read_json(path) for path in reports])))
    except EmollamaError as error:
        raise EmollamaError(f"{', '.join(map(str, reports))}: {error}") from error
