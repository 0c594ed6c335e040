"""`CONFIG a.b=c d=e`: what every command that takes a configuration is given."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from emollama.base import torchrun
from emollama.base.errors import EmollamaError
from emollama.base.presets import Kind, find_preset

Config = Annotated[
    str | None,
    typer.Argument(metavar="CONFIG", help="YAML file, or the name of a preset, e.g. quickstart."),
]
Overrides = Annotated[
    list[str] | None,
    typer.Argument(metavar="KEY=VALUE", help="Values that replace those in CONFIG: a.b=c."),
]
OldConfig = Annotated[str | None, typer.Option("--cfg-path", hidden=True)]
OldOptions = Annotated[list[str] | None, typer.Option("--options", hidden=True)]


def configuration(
    command: str,
    kind: Kind,
    config: str | None,
    overrides: list[str] | None,
    cfg_path: str | None,
    options: list[str] | None,
) -> tuple[Path, list[str]]:
    """The configuration's file and its overrides, from the words of a command.

    Args:
        command: for the line that says how the old spelling is written now.
        kind: of presets.
        config: the first word.
        overrides: the words after it.
        cfg_path: the file in the old spelling, `--cfg-path FILE --options a=b`.
        options: the overrides in the old spelling.

    Raises:
        EmollamaError: no configuration is named, two are, or it is not found.
    """
    words = [*(options or []), *(overrides or [])]
    if cfg_path is not None and config is not None:
        if "=" not in config:
            raise EmollamaError(f"CONFIG is given twice: {config}, and --cfg-path {cfg_path}")
        words = [*(options or []), config, *(overrides or [])]
        config = None
    given = config if cfg_path is None else cfg_path
    if given is None:
        raise EmollamaError(
            f"CONFIG is missing: emollama {command} CONFIG [KEY=VALUE]..., where CONFIG is a YAML "
            f"file or a preset, e.g. emollama {command} {_EXAMPLES[kind]}"
        )
    if (cfg_path is not None or options) and torchrun.rank() == 0:
        now = shlex.join(["emollama", command, given, *words])
        print(f"note: --cfg-path and --options are the old spelling of: {now}", file=sys.stderr)
    return find_preset(kind, given), words


_EXAMPLES: dict[Kind, str] = {
    "train": "quickstart", "evaluate": "quickstart", "bench": "probe", "arena": "people",
}  # fmt: skip
