"""`emollama plan`: what tuning a language model will cost, before it is started."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from emollama.cli.grammar import Config, OldConfig, OldOptions, Overrides, configuration


def plan(
    config: Config = None,
    overrides: Overrides = None,
    gpus: Annotated[int, typer.Option(help="GPUs that share a step.", min=1)] = 1,
    memory: Annotated[
        float | None,
        typer.Option(help="Memory of one GPU in GB.", min=0.1, show_default="this machine's"),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    cfg_path: OldConfig = None,
    options: OldOptions = None,
) -> None:
    """Estimate memory and time before a training run.

    For language models; nothing is trained.
    """
    path, values = configuration("plan", "train", config, overrides, cfg_path, options)
    from emollama.session.family import kind_of_training

    found = kind_of_training(path).plan(path, values, gpus)
    if as_json:
        print(json.dumps(found.to_dict(), indent=2))
        return
    from emollama.llm.training.plan_tables import print_plan

    print_plan(found, memory)
