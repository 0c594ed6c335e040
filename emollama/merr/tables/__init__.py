"""Rules, words and templates as data: YAML files in this folder, or the user's own file."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import yaml

from emollama.base.errors import EmollamaError, did_you_mean
from emollama.base.files import read_text

FOLDER = Path(__file__).parent


@cache
def read_table(name: str) -> dict[str, Any]:
    """The table called `name`, or the YAML file at that path.

    Raises:
        EmollamaError: no such table or file, or it is not a YAML mapping.
    """
    path = FOLDER / f"{name}.yaml"
    if not path.is_file():
        path = Path(name)
    if not path.is_file():
        known = [p.stem for p in FOLDER.glob("*.yaml")]
        raise EmollamaError(
            f"table '{name}' is neither a known table nor a file{did_you_mean(name, known)}"
        )
    try:
        values = yaml.safe_load(read_text(path))
    except yaml.YAMLError as error:
        raise EmollamaError(f"{path}: is not valid YAML: {' '.join(str(error).split())}") from error
    if not isinstance(values, dict):
        raise EmollamaError(f"{path}: must be a mapping of keys to values")
    return values
