"""`emollama split`: which sample is in which split, as a file of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer


def split(
    manifest: Path,
    out: Annotated[Path, typer.Option(help="Split file to write.")],
    scheme: Annotated[
        str,
        typer.Option(
            help="official, k-fold, leave-one-group-out, random-80-10-10, id-hash, or a published "
            "one: amst-crema-d, amst-iemocap, amst-mvsa, amst-ur-funny."
        ),
    ],
    fold: Annotated[
        int | None, typer.Option(help="k-fold, id-hash: which is tested, from 0.")
    ] = None,
    folds: Annotated[int | None, typer.Option(help="k-fold, id-hash: how many; 5.")] = None,
    val: Annotated[
        bool | None, typer.Option("--val/--no-val", help="k-fold: the next fold is val; it is.")
    ] = None,
    group: Annotated[str | None, typer.Option(help="leave-one-group-out: tested group.")] = None,
    val_group: Annotated[
        str | None, typer.Option(help="leave-one-group-out: group to validate on; none.")
    ] = None,
    by: Annotated[
        Literal["group", "speaker", "none"] | None,
        typer.Option(help="What is never cut: group; 'none' cuts through anything."),
    ] = None,
    seed: Annotated[int | None, typer.Option(help="k-fold, random-80-10-10: seed; 0.")] = None,
    lists: Annotated[
        Path | None, typer.Option(help="Published: folder with its authors' lists.")
    ] = None,
) -> None:
    """Split a manifest's samples; `data.split_file` of a configuration takes the file."""
    from emollama.corpora.split_schemes import write_split
    from emollama.manifest.sample import read_manifest

    given = {
        "fold": fold, "folds": folds, "val": val, "group": group, "val_group": val_group,
        "by": by, "seed": seed, "lists": lists,
    }  # fmt: skip
    for line in write_split(read_manifest(manifest), out, scheme, given).lines():
        print(line)
