"""Configuration of `emollama bench`: folds, a base configuration, models, strategies, seeds."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from emollama.base.config import Seed, Strict
from emollama.base.errors import did_you_mean
from emollama.base.respelling import respelled, respelled_key
from emollama.fusion.training.config import FusionTrainConfig
from emollama.inputs.config import CorpusSection, DataSection
from emollama.scoring.metrics.bootstrap import RESAMPLES, By

Scheme = Literal["k-fold", "leave-one-group-out", "official", "files", "corpus"]
Way = Literal["corpus", "person"]
Enrol = Literal["none", "all"] | Annotated[int, Field(ge=1)]
Scalar = bool | int | float | str
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]*")


class BenchData(Strict):
    """The corpus: its manifest, and the feature store; or several, as in training."""

    manifest: Path | None = None
    manifests: list[CorpusSection] = Field(default=[])
    labels: str | list[str] | None = None
    store: Path | None = None

    @model_validator(mode="after")
    def _one_or_many(self) -> BenchData:
        if (self.manifest is None) == (not self.manifests):
            raise ValueError("give data.manifest or data.manifests, one of the two")
        if self.labels is not None and not self.manifests:
            raise ValueError("labels is the common label set of data.manifests")
        for place, one in enumerate(self.manifests):
            if one.split_file is not None:
                raise ValueError(
                    f"manifests.{place}.split_file: the bench makes the folds; leave it out"
                )
        return self

    def section(self) -> DataSection:
        """The data section of a training run."""
        if self.manifest is not None:
            return DataSection(manifest=self.manifest, store=self.store)
        return DataSection(manifests=self.manifests, labels=self.labels, store=self.store)


class FoldsSection(Strict):
    """The folds of the bench.

    `scheme`: "k-fold" and "leave-one-group-out" keep the units in `by` whole; "official" uses the
    manifest's own splits as one fold; "files" uses existing split files; "corpus" tests each of
    several corpora on a model of the others. Where a fold has no validation split, it is one of
    `validation` parts of its training groups (of every training corpus). `of` names splits of
    the manifest ("train", "train+val") whose samples take part; all do by default.
    """

    scheme: Scheme = "k-fold"
    folds: int = Field(default=5, ge=2)
    seed: int = 0
    by: Literal["group", "speaker", "none"] = "group"
    validation: int = Field(default=5, ge=2)
    of: str | None = None
    files: list[Path] = Field(default=[])

    @model_validator(mode="after")
    def _files_where_asked(self) -> FoldsSection:
        if (self.scheme == "files") != bool(self.files):
            raise ValueError(
                "scheme: 'files' needs a list of files, and a list needs scheme 'files'"
            )
        if self.of is not None and self.scheme in ("official", "files", "corpus"):
            raise ValueError(
                f"of: scheme {self.scheme} already chooses the samples; leave 'of' out"
            )
        if self.scheme in ("leave-one-group-out", "corpus") and self.by == "none":
            raise ValueError(f"by: {self.scheme} needs by: group or by: speaker")
        return self


class Range(Strict):
    """Numbers from `low` to `high`, drawn uniformly or log-uniformly, optionally integers."""

    low: float
    high: float
    log: bool = False
    whole: bool = False

    @model_validator(mode="after")
    def _in_order(self) -> Range:
        if self.low >= self.high or (self.log and self.low <= 0):
            raise ValueError("a range needs low < high, and low above 0 where log is set")
        return self


class SearchSection(Strict):
    """Random search: `trials` draws from `space`, {dotted key: list of values, or a range}.

    In each fold the trial with the best validation score is run with the bench's seeds. Trials use
    `seed`, which must not be one of these.
    """

    trials: int = Field(default=10, ge=1)
    seed: Seed = 0
    space: dict[str, list[Scalar] | Range] = Field(min_length=1)

    @field_validator("space")
    @classmethod
    def _has_values(cls, space: dict[str, list[Scalar] | Range]) -> Any:
        for key, values in space.items():
            if isinstance(values, list) and not values:
                raise ValueError(f"'{key}' has no values to draw from")
        return space


class BenchModel(Strict):
    """A model, with a row of the table for each of its strategies.

    `base` replaces the bench's own base, `overrides` are applied to it. `modalities` selects from
    the modalities of the base; naming one makes a unimodal row. `strategies` selects from the
    bench's strategies; all by default.
    """

    base: Path | None = None
    overrides: dict[str, Any] = Field(default={})
    modalities: list[str] | None = Field(default=None, min_length=1)
    strategies: list[str] | None = Field(default=None, min_length=1)
    search: SearchSection | None = None


class BenchConfig(Strict):
    """A bench.

    `base` is a training configuration (a file, or its sections), whose data, output and seed the
    bench sets. `strategies` are overrides by name. `llm` lists predictions files of a language
    model, one per fold. `ensembles` are rows by name, each the mean probability over all seeds of
    the rows that it lists. `compare`: the title of a row that all others are compared with, besides
    the baseline. `by`: the unit of the bootstrap; "group" gives the right interval for new
    speakers, given a dozen or more. `keep`: keep the trained models, in models/. `standardise`:
    each model once in each way, over the training corpora or over the person of a clip; as its
    modalities say by default. `enrol`: what a tested person is known by where an input is
    standardised by person: no clip, all their clips without labels, or a number of clips, which are
    then not scored.
    """

    @classmethod
    def translated(
        cls, values: dict[str, Any], dataset: str | None
    ) -> tuple[dict[str, Any], list[str]]:
        """Keys of an earlier release in all parts of training configurations moved to today's."""
        del dataset
        found, notes = copy.deepcopy(values), dict[str, None]()
        for section, key in _training_parts(found):
            section[key], told = respelled(FusionTrainConfig.former_names, section[key])
            notes |= dict.fromkeys(told)
        for search in _searches(found):
            space = {}
            for key, drawn in search["space"].items():
                new, told = respelled_key(FusionTrainConfig.former_names, str(key))
                space[new] = drawn
                notes |= dict.fromkeys(told)
            search["space"] = space
        return found, list(notes)

    output: Path
    data: BenchData
    folds: FoldsSection = FoldsSection()
    base: Path | dict[str, Any]
    strategies: dict[str, dict[str, Any]] = Field(default={"joint": {}}, min_length=1)
    models: dict[str, BenchModel] = Field(min_length=1)
    seeds: list[Seed] = Field(default=[7], min_length=1)
    ensembles: dict[str, Annotated[list[str], Field(min_length=1)]] = Field(default={})
    compare: str | None = None
    standardise: list[Way] = Field(default=[])
    enrol: Enrol = "all"
    metric: str = "auto"
    baseline: bool = True
    llm: list[Path] = Field(default=[])
    by: By = "sample"
    keep: bool = False
    bootstrap: int = Field(default=RESAMPLES, ge=100)

    @model_validator(mode="after")
    def _names(self) -> BenchConfig:
        for kind, names in (("models", self.models), ("strategies", self.strategies)):
            for name in names:
                if not NAME.fullmatch(name):
                    raise ValueError(f"{kind}: '{name}': use only letters, digits and _ . + -")
        if bool(self.data.manifests) != (self.folds.scheme == "corpus"):
            raise ValueError(
                "folds.scheme: 'corpus' needs data.manifests, and data.manifests needs 'corpus'"
            )
        if self.data.manifests and self.llm:
            raise ValueError("llm: scheme corpus compares fusion models only; leave it out")
        if len(set(self.standardise)) != len(self.standardise):
            raise ValueError("standardise: a way occurs twice")
        if len(set(self.seeds)) != len(self.seeds):
            raise ValueError("seeds: a seed occurs twice; seeds must be distinct")
        for name, model in self.models.items():
            for strategy in model.strategies or ():
                if strategy not in self.strategies:
                    near = did_you_mean(strategy, self.strategies)
                    raise ValueError(f"models.{name}: strategy '{strategy}'{near}")
            if model.search and model.search.seed in self.seeds:
                raise ValueError(
                    f"models.{name}.search.seed: {model.search.seed} is also one of the "
                    "bench's seeds; choose another"
                )
        return self


def _training_parts(values: dict[str, Any]) -> Iterator[tuple[dict[str, Any], str]]:
    """Where a bench holds sections of training configurations: (mapping, key)."""
    if isinstance(values.get("base"), dict):
        yield values, "base"
    strategies = values.get("strategies")
    if isinstance(strategies, dict):
        yield from ((strategies, str(name)) for name in list(strategies))
    for model in _mappings(values.get("models")):
        for key in ("base", "overrides"):
            if isinstance(model.get(key), dict):
                yield model, key


def _searches(values: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for model in _mappings(values.get("models")):
        search = model.get("search")
        if isinstance(search, dict) and isinstance(search.get("space"), dict):
            yield search


def _mappings(values: Any) -> list[dict[str, Any]]:
    """The mappings among the values of a mapping."""
    return [v for v in values.values() if isinstance(v, dict)] if isinstance(values, dict) else []
