"""Configurations: YAML files, checked key by key, with `a.b=c` overrides on top.

A schema is a pydantic model that lives beside the code it configures. A preset in `train_configs/`
or `eval_configs/` names only what differs from the defaults; the effective configuration is saved
beside the result.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar, TypeVar, get_args

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from yaml import YAMLError

from emollama.base import torchrun
from emollama.base.errors import EmollamaError, did_you_mean
from emollama.base.files import read_text
from emollama.base.paths import need_file, need_store
from emollama.base.respelling import respelled, respelled_key

Seed = Annotated[int, Field(ge=0, lt=2**32)]


def without_unused(values: dict[str, Any], unused: Mapping[str, Any]) -> dict[str, Any]:
    """A section's values without those keys of a later release that change nothing as they are.

    So the configuration of an earlier run or evaluation stays the same, and is gone on with.
    """
    return {k: v for k, v in values.items() if k not in unused or v != unused[k]}


class Strict(BaseModel):
    """A section of a configuration: unknown keys are errors.

    `former_names` of a whole configuration are keys of an earlier release (`base.respelling`).
    """

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)
    former_names: ClassVar[Mapping[str, str]] = {}

    @classmethod
    def translated(
        cls, values: dict[str, Any], dataset: str | None
    ) -> tuple[dict[str, Any], list[str]]:
        """Translate another system's keys into ours, with a note on each key that has no effect.

        `dataset` chooses one where the values list several data sets.
        """
        del dataset
        return values, []


C = TypeVar("C", bound=Strict)


def load_config(
    schema: type[C], path: Path, overrides: Sequence[str] = (), dataset: str | None = None
) -> C:
    """Read a YAML configuration and apply `a.b=c` overrides.

    Keys of an earlier release and of the released Emotion-LLaMA are translated into ours; `dataset`
    picks one of the latter's `evaluation_datasets`.

    Raises:
        EmollamaError: naming the file (or the override), the key, and the nearest known key.
    """
    plain = read_values(path, overrides, schema.former_names)
    ours = _in_our_words(schema, path, plain, dataset)  # its errors begin with the path
    try:
        return schema.model_validate(ours)
    except ValidationError as error:
        raise EmollamaError(f"{path}: {_first_problem(schema, error)}") from error
    except EmollamaError as error:
        # A section that another part of the program checks, by the name that stands in it.
        raise EmollamaError(f"{path}: {error}") from error


def read_values(
    path: Path, overrides: Sequence[str] = (), former_names: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """The keys and values of a YAML file with `a.b=c` overrides, before any schema checks them.

    `former_names` are moved to today's (`base.respelling`), in file and overrides.

    Raises:
        EmollamaError: naming the file, or the override.
    """
    former_names = former_names or {}
    text = read_text(path)
    try:
        values: Any = OmegaConf.create(text)
    except (YAMLError, OmegaConfBaseException) as error:
        raise EmollamaError(f"{path}: is not valid YAML: {' '.join(str(error).split())}") from error
    if not OmegaConf.is_dict(values):
        raise EmollamaError(f"{path}: must be a mapping of keys to values")
    try:
        renamed, notes = respelled(former_names, OmegaConf.to_container(values))
    except EmollamaError as error:
        raise EmollamaError(f"{path}: {error}") from error
    if notes:
        values = OmegaConf.create(renamed)
    _tell(f"{path}: ", notes)
    for override in overrides:
        given, separator, value = override.partition("=")
        if not separator or not given:
            raise EmollamaError(f"'{override}': an override must have the form key=value")
        key, notes = respelled_key(former_names, given)
        _tell("", notes)
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
    """Refuse a configuration whose manifest, split file or feature store cannot be read.

    Raises:
        EmollamaError: naming the file, or what is wrong with the configuration's YAML.
    """
    data = read_values(path, overrides).get("data")
    if not isinstance(data, dict):
        return
    many = data.get("manifests")
    sections = [data, *(many if isinstance(many, list) else ())]
    for section in sections:
        if not isinstance(section, dict):
            continue
        for key in ("manifest", "split_file"):
            if isinstance(section.get(key), str):
                need_file(Path(section[key]))
        if isinstance(section.get("store"), str):
            need_store(Path(section["store"]))


def checked(schema: type[C], values: dict[str, Any], where: str) -> C:
    """Check a section whose schema is found by name; errors begin with `where`."""
    try:
        return schema.model_validate(values)
    except ValidationError as error:
        raise EmollamaError(f"{where}: {_first_problem(schema, error)}") from error


def _in_our_words(
    schema: type[Strict], path: Path, plain: Any, dataset: str | None
) -> dict[str, Any]:
    """Translate the released system's keys into ours; note once each key that has no effect."""
    try:
        values, notes = schema.translated(plain, dataset)
    except (TypeError, ValueError, EmollamaError) as error:
        raise EmollamaError(f"{path}: {error}") from error
    _tell(f"{path}: ", notes)
    return values


def _tell(where: str, notes: Sequence[str]) -> None:
    if torchrun.rank() == 0:
        for note in notes:
            print(f"note: {where}{note}", file=sys.stderr, flush=True)


def _first_problem(schema: type[BaseModel], error: ValidationError) -> str:
    """One line for the first problem; unknown keys come first."""
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
