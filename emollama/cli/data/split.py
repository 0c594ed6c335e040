"""`emollama split`: which sample is in which split, as a file of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from emollama.base.paths import need_file, need_files, need_folder


def split(
    manifest: Annotated[Path, typer.Argument(help="Manifest of the samples.")],
    out: Annotated[Path, typer.Option(help="Split file to write.")],
    scheme: Annotated[
        str,
        typer.Option(
            help="official, k-fold, leave-one-group-out, random-80-10-10, id-hash, lists, or a "
            "published one: amst-crema-d, amst-iemocap, amst-mvsa, amst-ur-funny."
        ),
    ],
    fold: Annotated[
        int | None,
        typer.Option(help="k-fold, id-hash: number of the tested fold.", show_default="0"),
    ] = None,
    folds: Annotated[
        int | None, typer.Option(help="k-fold, id-hash: number of folds.", show_default="5")
    ] = None,
    no_val: Annotated[
        bool, typer.Option("--no-val", help="k-fold: train on the next fold, which is else val.")
    ] = False,
    group: Annotated[
        str | None, typer.Option(help="leave-one-group-out: group to test on.")
    ] = None,
    val_group: Annotated[
        str | None,
        typer.Option(help="leave-one-group-out: group to validate on.", show_default="none"),
    ] = None,
    by: Annotated[
        Literal["group", "speaker", "none"] | None,
        typer.Option(
            help="Unit that is kept in one split; 'none' splits sample by sample.",
            show_default="group",
        ),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="k-fold, random-80-10-10: seed.", show_default="0")
    ] = None,
    lists: Annotated[
        Path | None, typer.Option(help="A published split: folder with its authors' lists.")
    ] = None,
    train: Annotated[
        Path | None, typer.Option(help="lists: text, CSV or JSON Lines that names the clips.")
    ] = None,
    val: Annotated[Path | None, typer.Option(help="lists: the same for validation.")] = None,
    test: Annotated[Path | None, typer.Option(help="lists: the same for test.")] = None,
    column: Annotated[
        str | None,
        typer.Option(help="lists: column or key of the names.", show_default="the first"),
    ] = None,
) -> None:
    """Split the samples of a manifest.

    Name the file in data.split_file of a configuration.
    """
    need_file(manifest)
    need_folder(lists)
    need_files([path for path in (train, val, test) if path])
    from emollama.corpora.split_schemes import write_split
    from emollama.manifest.sample import read_manifest

    given = {
        "fold": fold, "folds": folds, "val": False if no_val else val, "group": group,
        "val_group": val_group, "by": by, "seed": seed, "lists": lists, "train": train,
        "test": test, "column": column,
    }  # fmt: skip
    for line in write_split(read_manifest(manifest), out, scheme, given).lines():
        print(line)
