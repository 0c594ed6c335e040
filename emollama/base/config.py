"""Configurations: YAML files, checked key by key, with `a.b=c` overrides on top.

A schema is a pydantic model that stands with the code it configures. A preset in `train_configs/`
or `eval_configs/` names only what differs from the defaults; the effective configuration is saved
beside the result.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_args

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from yaml import YAMLError

from emollama.base import torchrun
from emollama.base.errors import EmollamaError, did_you_mean
from emollama.base.files import read_text
from emollama.base.paths import need_file

Seed = Annotated[int, Field(ge=0, lt=2**32)]


class Strict(BaseModel):
    """A section of a configuration: unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    @classmethod
    def translated(
        cls, values: dict[str, Any], dataset: str | None
    ) -> tuple[dict[str, Any], list[str]]:
        """The values with another system's keys as ours, and a note on each that has no effect.

        `dataset`: which of several data sets the values list is meant.
        """
        del dataset
        return values, []


C = TypeVar("C", bound=Strict)


def load_config(
    schema: type[C], path: Path, overrides: Sequence[str] = (), dataset: str | None = None
) -> C:
    """Read a YAML configuration and apply `a.b=c` overrides.

    Keys of the released Emotion-LLaMA are moved to ours; `dataset` picks one of its
    `evaluation_datasets`.

    Raises:
        EmollamaError: naming the file (or the override), the key, and the nearest known key.
    """
    plain = read_values(path, overrides)
    try:
        return schema.model_validate(_in_our_words(schema, path, plain, dataset))
    except ValidationError as error:
        raise EmollamaError(f"{path}: {_first_problem(schema, error)}") from error
    except EmollamaError as error:
        # A section that another part of the program checks, by the name that stands in it.
        raise EmollamaError(f"{path}: {error}") from error


def read_values(path: Path, overrides: Sequence[str] = ()) -> dict[str, Any]:
    """The keys and values of a YAML file with `a.b=c` overrides, before any schema checks them.

    Raises:
        EmollamaError: naming the file, or the override.
    """
    text = read_text(path)
    try:
        values: Any = OmegaConf.create(text)
    except (YAMLError, OmegaConfBaseException) as error:
        raise EmollamaError(f"{path}: is not YAML: {' '.join(str(error).split())}") from error
    if not OmegaConf.is_dict(values):
        raise EmollamaError(f"{path}: must hold keys and values")
    for override in overrides:
        key, separator, value = override.partition("=")
        if not separator or not key:
            raise EmollamaError(f"'{override}': an override must have the form key=value")
        try:
            parsed = OmegaConf.from_dotlist([f"value={value}"])["value"]
            OmegaConf.update(values, key, parsed, force_add=True)
        except (OmegaConfBaseException, YAMLError, TypeError, ValueError, IndexError) as error:
            raise EmollamaError(f"override '{override}': {' '.join(str(error).split())}") from error
    try:
        plain: Any = OmegaConf.to_container(values, resolve=True)
    except OmegaConfBaseException as error:
        raise EmollamaError(f"{path}: {' '.join(str(error).split())}") from error
    return {} if plain is None else dict(plain)


def need_data(path: Path, overrides: Sequence[str]) -> None:
    """Refuse a configuration whose manifest or split file cannot be read.

    Raises:
        EmollamaError: naming the file, or what is wrong with the configuration's YAML.
    """
    data = read_values(path, overrides).get("data")
    for key in ("manifest", "split_file"):
        if isinstance(data, dict) and isinstance(data.get(key), str):
            need_file(Path(data[key]))


def checked(schema: type[C], values: dict[str, Any], where: str) -> C:
    """A section whose schema is found by a name; one line beginning with `where` if it is wrong."""
    try:
        return schema.model_validate(values)
    except ValidationError as error:
        raise EmollamaError(f"{where}: {_first_problem(schema, error)}") from error


def _in_our_words(
    schema: type[Strict], path: Path, plain: Any, dataset: str | None
) -> dict[str, Any]:
    """The values with the released system's keys moved to ours, what has no effect told once."""
    try:
        values, notes = schema.translated(plain, dataset)
    except (TypeError, ValueError, EmollamaError) as error:
        raise EmollamaError(f"{path}: {error}") from error
    if torchrun.rank() == 0:
        for note in notes:
            print(f"note: {path}: {note}", file=sys.stderr, flush=True)
    return values


def _first_problem(schema: type[BaseModel], error: ValidationError) -> str:
    """One line for the first problem, unknown keys before all else."""
    problems = sorted(error.errors(), key=lambda e: e["type"] != "extra_forbidden")
    first = problems[0]
    key = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        section = _section(schema, first["loc"][:-1])
        known = list(section.model_fields) if section else []
        return f"unknown key '{key}'{did_you_mean(str(first['loc'][-1]), known)}"
    if first["type"] == "missing":
        return f"key '{key}' is missing"
    message = str(first["msg"]).removeprefix("Value error, ")
    return f"key '{key}': {message}" if key else message


def _section(schema: type[BaseModel], location: tuple[Any, ...]) -> type[BaseModel] | None:
    """The model that describes the section at `location`."""
    current: Any = schema
    for part in location:
        if isinstance(part, int) or part not in current.model_fields:
            continue  # an item of a list, or a name of the user's own
        annotation = current.model_fields[part].annotation
        for candidate in (annotation, *get_args(annotation)):
            if isinstance(candidate, type) and issubclass(candidate, BaseModel):
                current = candidate
                break
        else:
            return None
    return current
