"""`emollama import-checkpoint`: released weights into an artefact."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from emollama.base.paths import need_file, need_folder
from emollama.base.precision import Quantisation
from emollama.base.quiet import quiet_libraries


def import_checkpoint(
    checkpoint: Annotated[Path, typer.Argument(help="The released .pth file.")],
    llm: Annotated[
        str, typer.Option(help="Language model it was trained on: a folder or an asset's name.")
    ],
    out: Annotated[Path, typer.Option(help="Folder of the model to write.")],
    layout: Annotated[str, typer.Option(help="Prompt layout.")] = "emotion-llama-v1",
    labels: Annotated[str, typer.Option(help="Name of the label set.")] = "mer2023",
    quantise: Annotated[
        Quantisation, typer.Option(help="How the language model is held when the model is opened.")
    ] = "none",
    features: Annotated[
        Path | None,
        typer.Option(
            help="Folder that holds mae_340_UTT, maeV_399_UTT and HL-UTT, or MER2024's of them."
        ),
    ] = None,
) -> None:
    """Import a released Emotion-LLaMA or MiniGPT-v2 checkpoint."""
    from emollama.assets.registry import need_llm

    need_file(checkpoint)
    need_llm(llm)
    need_folder(features)
    quiet_libraries()
    from emollama.features.store import relocated_sources
    from emollama.llm.released import emotion_llama_v1 as v1
    from emollama.llm.released.import_checkpoint import import_checkpoint as run
    from emollama.manifest.labels import get_label_set

    found = relocated_sources(list(v1.SOURCES.values()), features)
    sources = dict(zip(v1.SOURCES, found, strict=True))
    report = run(checkpoint, llm, layout, get_label_set(labels), out,
                 sources=sources, quantise=quantise)  # fmt: skip
    for line in report.lines():
        print(line)
    print(f"model in {out}")
