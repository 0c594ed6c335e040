"""`emollama import-vision`: the released vision encoder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from emollama.base.paths import need_file
from emollama.base.quiet import quiet_libraries


def import_vision(
    checkpoint: Annotated[Path, typer.Argument(help="eva_vit_g.pth.")],
    out: Annotated[Path, typer.Option(help="Folder to write.")],
) -> None:
    """Import the weights of EVA's ViT-g (eva_vit_g.pth).

    It is the vision encoder of Emotion-LLaMA.
    """
    need_file(checkpoint)
    quiet_libraries()
    from emollama.encoders.import_eva import convert_eva

    for line in convert_eva(checkpoint, out).lines():
        print(line)
    print(f"weights in {out}; to use them: emollama assets link eva-vit-g {out}")
