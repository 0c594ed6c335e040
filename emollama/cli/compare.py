"""`emollama compare`: whether two models are the same function."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, get_args

import typer

from emollama.assets.hub import artefact_folder
from emollama.base.errors import EmollamaError, require_known
from emollama.base.paths import need_file, need_store
from emollama.base.precision import Precision, Quantisation
from emollama.base.quiet import quiet_libraries


def compare(
    first: Annotated[Path, typer.Argument(help="Folder of a model.")],
    second: Annotated[Path, typer.Argument(help="Folder of another.")],
    manifest: Annotated[Path, typer.Option(help="Manifest of the samples to compare on.")],
    store: Annotated[Path | None, typer.Option(help="Feature store of the manifest.")] = None,
    split: Annotated[str, typer.Option(help="Split of the manifest.")] = "test",
    count: Annotated[int, typer.Option(help="Number of samples.", min=1)] = 8,
    dtype: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="Precision of the language models; given twice, of the first and of the second.",
            show_default="as stored",
        ),
    ] = None,
    quantise: Annotated[
        list[str] | None,
        typer.Option(
            metavar="8bit|4bit|none",
            help="Hold the language models in 8 or 4 bits; given twice, the first and the second.",
            show_default="as in training",
        ),
    ] = None,
) -> None:
    """Check that two models give the same logits.

    Where they differ, prints by how much; the exit code is then 1. What 4 bits cost a model:
    compare it with itself, --quantise none --quantise 4bit.
    """
    first, second = artefact_folder(first), artefact_folder(second)
    need_file(manifest)
    need_store(store)
    dtypes = _two("--dtype", dtype, get_args(Precision))
    held = _two("--quantise", quantise, get_args(Quantisation))
    from emollama.manifest.split_file import need_split

    need_split(manifest, split)
    quiet_libraries()
    from emollama.evaluation.compare import Way
    from emollama.evaluation.compare import compare as run

    ways = Way(dtypes[0], held[0]), Way(dtypes[1], held[1])
    found = run(first, second, manifest, store, split=split, count=count, ways=ways)
    for line in found.lines():
        print(line)
    if not found.same:
        raise typer.Exit(1)


def _two(option: str, given: list[str] | None, known: Sequence[str]) -> tuple[Any, Any]:
    """What an option says of the first and of the second model."""
    if not given:
        return None, None
    for word in given:
        require_known(option, word, known)
    if len(given) > 2:
        raise EmollamaError(f"{option}: given {len(given)} times; once for both models, or twice")
    return given[0], given[-1]
