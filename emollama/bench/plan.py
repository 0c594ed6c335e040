"""From a bench's YAML to rows and runs: each run is one ordinary training configuration."""

from __future__ import annotations

import copy
import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from emollama.base.config import checked, load_config
from emollama.base.errors import EmollamaError, did_you_mean
from emollama.base.files import read_text
from emollama.base.presets import find_preset
from emollama.base.respelling import former, respelled
from emollama.bench.configuration import BenchConfig, BenchModel, Range, SearchSection, Way
from emollama.fusion.configuration import ModalitySection
from emollama.fusion.training.config import FusionTrainConfig
from emollama.inputs.draws import generator

OWN = ("data", "output", "seed")
"""Keys of a training configuration that the bench sets."""


@dataclass(frozen=True)
class Row:
    """A row of the table: one model with one strategy.

    Attributes:
        name: the model's name, with the strategy's if it has several.
        key: name of folders.
        config: of its runs; seed and output are set later.
        search: search of hyper-parameters, or None.
    """

    name: str
    key: str
    config: FusionTrainConfig
    search: SearchSection | None

    @property
    def modalities(self) -> list[ModalitySection]:
        """Its modalities."""
        return self.config.fusion.modalities

    @property
    def way(self) -> Way:
        """How its features are standardised: "person" where any modality is."""
        ways = [m.standardise for m in self.modalities]
        return "person" if "person" in ways else "corpus"


@dataclass(frozen=True)
class Run:
    """One training run: a row, a fold, and a seed or a trial of the search (if `trial` is set)."""

    row: str
    fold: int
    seed: int
    trial: int | None = None

    @property
    def key(self) -> str:
        """Its path below the bench's folder."""
        what = f"seed-{self.seed}" if self.trial is None else f"trial-{self.trial}"
        return f"{self.row}/fold-{self.fold}/{what}"


def rows_of(bench: BenchConfig) -> list[Row]:
    """All rows, each configuration checked.

    Raises:
        EmollamaError: naming the model and what is wrong with its configuration.
    """
    rows = []
    for name, model in bench.models.items():
        named = model.strategies or list(bench.strategies)
        ways: list[Way | None] = [*bench.standardise] or [None]
        for strategy, way in product(named, ways):
            title = name if len(named) == 1 else f"{name}, {strategy}"
            key = f"{name}--{strategy}"
            if way is not None:
                title, key = f"{title}, {way}", f"{key}--{way}"
            row = Row(title, key, _config(bench, name, model, strategy, way), model.search)
            if row.search:
                for trial in range(row.search.trials):
                    tried(row, trial)
            rows.append(row)
    if len({(r.config.task.kind, r.config.task.values) for r in rows}) > 1:
        raise EmollamaError(
            "models: they have different tasks; one table compares models of one task"
        )
    if rows[0].config.task.kind == "frames":
        raise EmollamaError("task frames: not supported; bench compares answers to whole clips")
    return rows


def tried(row: Row, trial: int) -> tuple[dict[str, Any], FusionTrainConfig]:
    """The values of a trial, drawn from the search's seed and its number, and its configuration."""
    assert row.search is not None
    drawn = {
        key: _draw(row.search.seed, trial, key, values) for key, values in row.search.space.items()
    }
    return drawn, with_values(row, drawn)


def with_values(row: Row, drawn: Mapping[str, Any]) -> FusionTrainConfig:
    """The row's configuration with the values of a search."""
    values = row.config.model_dump(mode="json")
    for key, value in drawn.items():
        _put(values, key, value)
    return checked(FusionTrainConfig, values, f"models: {row.name}: search")


def digest(config: FusionTrainConfig, split_sha256: str) -> str:
    """Identifies a finished run by its configuration and split, not by its path."""
    values = config.model_dump(mode="json", exclude={"output": True, "data": {"split_file"}})
    for key in ("log_every_epochs", "save_every_epochs", "save_every_steps", "resume"):
        values["training"].pop(key)
    # With the names that keys had when the first runs were finished: those are not done again.
    values = former(FusionTrainConfig.former_names, values)
    text = json.dumps([values, split_sha256], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _config(
    bench: BenchConfig, name: str, model: BenchModel, strategy: str, way: Way | None
) -> FusionTrainConfig:
    where = f"models.{name}"
    base = copy.deepcopy(_read(bench.base if model.base is None else model.base))
    for key in OWN:
        base.pop(key, None)
    for part in (bench.strategies[strategy], model.overrides):
        given = [key for key in OWN if key in part]
        if given:
            raise EmollamaError(f"{where}: '{given[0]}' is set by the bench; leave it out")
        _lay_over(base, part)
    if model.modalities is not None:
        try:
            known = {m["name"]: m for m in base["fusion"]["modalities"]}
        except (KeyError, TypeError) as error:
            raise EmollamaError(f"{where}: the base has no fusion.modalities") from error
        for wanted in model.modalities:
            if wanted not in known:
                raise EmollamaError(f"{where}: modality '{wanted}'{did_you_mean(wanted, known)}")
        base["fusion"]["modalities"] = [known[m] for m in model.modalities]
    if way is not None:
        for modality in base.get("fusion", {}).get("modalities", ()):
            if modality.get("standardise", True) is not False:
                modality["standardise"] = True if way == "corpus" else way
    base |= {
        "seed": bench.seeds[0],
        "output": str(bench.output),
        "data": bench.data.section().model_dump(mode="json"),
    }
    return checked(FusionTrainConfig, base, where)


def _read(base: Path | dict[str, Any]) -> dict[str, Any]:
    """The sections of a base, unchecked: only the final configuration is validated."""
    if isinstance(base, dict):
        return base
    base = find_preset("train", base)
    try:
        values = OmegaConf.to_container(OmegaConf.create(read_text(base)), resolve=True)
    except (YAMLError, OmegaConfBaseException) as error:
        raise EmollamaError(f"{base}: is not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(values, dict) or "fusion" not in values:
        raise EmollamaError(
            f"{base}: is not the configuration of a fusion run: it has no section fusion"
        )
    found = {str(key): value for key, value in values.items()}
    return dict(respelled(FusionTrainConfig.former_names, found)[0])


def _lay_over(values: dict[str, Any], part: Mapping[str, Any]) -> None:
    """Merge sections; other values in `part` replace existing ones."""
    for key, value in part.items():
        if isinstance(value, Mapping) and isinstance(values.get(key), dict):
            _lay_over(values[key], value)
        else:
            values[key] = copy.deepcopy(value)


def _put(values: dict[str, Any], key: str, value: Any) -> None:
    *sections, last = key.split(".")
    place = values
    for section in sections:
        place = place.setdefault(section, {})
        if not isinstance(place, dict):
            raise EmollamaError(f"search.space: '{key}': {section} is not a section")
    place[last] = value


def _draw(seed: int, trial: int, key: str, values: list[Any] | Range) -> Any:
    draw = generator(seed, "search", trial, key)
    if isinstance(values, list):
        return values[draw.randrange(len(values))]
    if values.log:
        number = math.exp(draw.uniform(math.log(values.low), math.log(values.high)))
    else:
        number = draw.uniform(values.low, values.high)
    return round(number) if values.whole else float(f"{number:.4g}")


def load_bench(path: Path, overrides: list[str]) -> BenchConfig:
    """Read and check a bench's YAML, every model's configuration included.

    Raises:
        EmollamaError: naming file and key.
    """
    bench = load_config(BenchConfig, path, overrides)
    try:
        rows_of(bench)
    except EmollamaError as error:
        raise EmollamaError(f"{path}: {error}") from error
    return bench
