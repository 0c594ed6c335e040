"""`emollama export`: a model as one plain transformers folder."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from emollama.assets.hub import artefact_folder
from emollama.base.quiet import quiet_libraries


def export(
    model: Annotated[Path, typer.Option("--model", help="Folder of a tuned language model.")],
    out: Annotated[Path, typer.Option(help="Folder to write.")],
    form: Annotated[
        Literal["emollama", "llm"],
        typer.Option("--as", help="A model with its streams, or a plain language model."),
    ] = "emollama",
    dtype: Annotated[
        Literal["float32", "bfloat16", "float16"] | None,
        typer.Option(help="Format of the weights.", show_default="that of the base"),
    ] = None,
    max_shard: Annotated[str, typer.Option(help="Largest file of weights.")] = "5GB",
    merge: Annotated[bool, typer.Option("--merge", hidden=True)] = False,
) -> None:
    """Merge the adapter into the weights, as one transformers folder.

    The folder needs no other files. With --as llm it holds a causal language model of its own
    family, for any engine, and in emollama/ what turns a clip into prompt embeddings for it.
    """
    if merge:
        print("note: --merge has no effect: export always merges", file=sys.stderr)
    model = artefact_folder(model)
    quiet_libraries()
    from emollama.base.device import default_device, resolve_dtype
    from emollama.llm.interop.export import export as run

    wanted = None if dtype is None else resolve_dtype(dtype, default_device())
    run(model, out, wanted, max_shard, form)
    print(f"merged model in {out}" if form == "emollama" else f"language model in {out}")
