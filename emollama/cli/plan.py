"""`emollama plan`: what tuning a language model will cost, before it is started."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from emollama.base.errors import EmollamaError
from emollama.base.quiet import quiet_libraries
from emollama.cli.grammar import Config, OldConfig, OldOptions, Overrides, configuration, need_data


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
    quiet_libraries()
    from emollama.base.config import load_config
    from emollama.evaluation.kinds import is_fusion
    from emollama.llm.training.config import TrainConfig
    from emollama.llm.training.plan import plan as run
    from emollama.llm.training.plan_tables import print_plan

    if is_fusion(path):
        raise EmollamaError(
            f"{path}: is of a fusion model (fusion:); plan is for tuning a language model "
            "(model:). A fusion run prints its parameters, steps and time left as it goes: "
            f"emollama train {path}"
        )
    need_data(path, values)
    found = run(load_config(TrainConfig, path, values), gpus)
    if as_json:
        print(json.dumps(found.to_dict(), indent=2))
    else:
        print_plan(found, memory)
