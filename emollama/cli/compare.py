"""`emollama compare`: whether two models are the same function."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from emollama.assets.hub import artefact_folder
from emollama.base.paths import need_file, need_store
from emollama.base.precision import Precision
from emollama.base.quiet import quiet_libraries


def compare(
    first: Annotated[Path, typer.Argument(help="Folder of a model.")],
    second: Annotated[Path, typer.Argument(help="Folder of another.")],
    manifest: Annotated[Path, typer.Option(help="Manifest of the samples to compare on.")],
    store: Annotated[Path | None, typer.Option(help="Feature store of the manifest.")] = None,
    split: Annotated[str, typer.Option(help="Split of the manifest.")] = "test",
    count: Annotated[int, typer.Option(help="Number of samples.", min=1)] = 8,
    dtype: Annotated[Precision, typer.Option(help="Precision of the language models.")] = "float32",
) -> None:
    """Check that two models give the same logits.

    Where they differ, prints by how much; the exit code is then 1.
    """
    first, second = artefact_folder(first), artefact_folder(second)
    need_file(manifest)
    need_store(store)
    quiet_libraries()
    from emollama.base.device import default_device, resolve_dtype
    from emollama.evaluation.compare import compare as run

    precision = resolve_dtype(dtype, default_device())
    found = run(first, second, manifest, store, split=split, count=count, dtype=precision)
    for line in found.lines():
        print(line)
    if not found.same:
        raise typer.Exit(1)
