"""The workshop of a bench: reads the corpus once, then does one training run after another.

A finished run is one JSON file; a killed run resumes from its own checkpoint. Trials of a search
validate and never see a test sample.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from emollama.base.errors import EmollamaError
from emollama.base.files import read_json, write_json
from emollama.bench.configuration import BenchConfig
from emollama.bench.ensembles import members
from emollama.bench.folds import ENROLLED, TEST, TRAIN, VALIDATION, Fold, make_folds
from emollama.bench.plan import Row, Run, digest, rows_of, tried, with_values
from emollama.bench.regression import regression
from emollama.bench.tested_people import known_in_test
from emollama.evaluation.rows import RowMaker
from emollama.features.tracks import TrackReader, usable
from emollama.fusion.artefact import FusionArtefact
from emollama.fusion.configuration import ModalitySection
from emollama.fusion.data.data import FusionData, open_modalities, read_data
from emollama.fusion.data.track_table import TrackTable, read_table
from emollama.fusion.samples import FusionSamples
from emollama.fusion.training.config import FusionTrainConfig
from emollama.fusion.training.loop import FusionRun
from emollama.fusion.training.setup import assembled
from emollama.inputs.enrolment import Known
from emollama.inputs.mixture import read_corpora, store_of
from emollama.inputs.opening import Readers
from emollama.inputs.person import PersonPrior
from emollama.manifest.channels import Channel
from emollama.manifest.labels import LabelSet
from emollama.manifest.sample import Sample
from emollama.scoring.predictions.parsing import parse_words
from emollama.scoring.predictions.prediction import Prediction

RUNS, WORKING, FOLDS, MODELS = "runs", "working", "folds", "models"


class Workshop:
    """The corpus and its folds in memory.

    Args:
        bench: its configuration.

    Raises:
        EmollamaError: files, folds or features that the user has to fix.
    """

    def __init__(self, bench: BenchConfig) -> None:
        self.bench = bench
        self.rows = {row.key: row for row in rows_of(bench)}
        self.ensembles = members(bench, self.rows)
        data = bench.data.section()
        manifest = read_corpora(data, whole=True)
        self.folds: list[Fold] = make_folds(
            manifest, bench.folds, bench.output / FOLDS, bench.enrol
        )
        self.opened: dict[str, tuple[ModalitySection, TrackReader]] = {}
        for row in self.rows.values():
            for section in row.modalities:
                if section.kind != "track":
                    raise EmollamaError(
                        f"{row.key}: modality '{section.name}': a bench reads cached tracks, not "
                        f"{section.kind}; train it with 'emollama train'"
                    )
                if _key(section) not in self.opened:
                    found, readers = open_modalities(store_of(manifest, data), [section])
                    self.opened[_key(section)] = (found[0], readers[section.name])
        readers = {name: reader for name, (_, reader) in self.opened.items()}
        # Every row of the table is of the same samples: those of which all features are there.
        present, self.left_out = usable(manifest.samples, readers)
        any_row = next(iter(self.rows.values()))
        self.task = any_row.config.task
        known = read_data(manifest, "all", self.task, manifest.labels, [], {}, samples=present)
        self.samples = known.samples
        self.targets = known.targets
        self.place = {s.id: i for i, s in enumerate(self.samples)}
        self.tables: dict[str, TrackTable] = {}

    @property
    def labels(self) -> LabelSet:
        """The label set."""
        return self.folds[0].manifest.labels

    @property
    def by_person(self) -> bool:
        """Whether any row measures features against people."""
        return any(row.way == "person" for row in self.rows.values())

    def tested(self, fold: int) -> list[Sample]:
        """The test samples of a fold, in order of the manifest."""
        return self.part(fold, TEST)

    def part(self, fold: int, split: str) -> list[Sample]:
        """Samples of a split of a fold, with that fold's splits."""
        samples = self.folds[fold].manifest.samples
        return [s for s in samples if s.split == split and s.id in self.place]

    def finished(self, run: Run, config: FusionTrainConfig) -> dict[str, Any] | None:
        """The result of a finished run; None if it is not finished or had other settings.

        With `keep`, a run whose model is missing is not finished.
        """
        path = self._result(run.key)
        if not path.is_file():
            return None
        if self.bench.keep and run.trial is None and not self.model_folder(run).is_dir():
            return None
        found: dict[str, Any] = read_json(path)
        return found if found.get("digest") == self._digest(config, run.fold) else None

    def configured(self, run: Run) -> FusionTrainConfig:
        """The configuration of a run; that of the best trial if its row has a search.

        Raises:
            EmollamaError: the trials of the fold are not finished.
        """
        row = self.rows[run.row]
        if run.trial is not None:
            assert row.search is not None
            config = tried(row, run.trial)[1]
        elif row.search is not None:
            config = with_values(row, self.best_trial(row, run.fold)["drawn"])
        else:
            config = row.config
        config = config.model_copy(update={"seed": run.seed})
        # A folder a configuration: what was left of another one is not gone on with.
        name = self._digest(config, run.fold)[:12]
        return config.model_copy(
            update={"output": self.bench.output / WORKING / f"{run.key}-{name}"}
        )

    def best_trial(self, row: Row, fold: int) -> dict[str, Any]:
        """The trial with the best validation score in a fold; the first one if tied."""
        assert row.search is not None
        found = []
        for trial in range(row.search.trials):
            run = Run(row.key, fold, row.search.seed, trial)
            result = self.finished(run, self.configured(run))
            if result is None:
                raise EmollamaError(f"{self._result(run.key)}: trial {trial} is not finished")
            found.append(result)
        return max(found, key=lambda result: result["best"]["merit"])

    def do(self, run: Run) -> dict[str, Any]:
        """Train, keep the best epoch and, unless it is a trial, answer the fold's test split."""
        config, row = self.configured(run), self.rows[run.row]
        sections, parts = self._data(row, run)
        fold = self.folds[run.fold]
        readers = {
            s.name: self.opened[_key(a)][1] for s, a in zip(sections, row.modalities, strict=True)
        }
        setup = assembled(config, fold.trained, sections, readers, parts[TRAIN], parts[VALIDATION])
        started, worked = time.monotonic(), time.process_time()
        with ExitStack() as held:
            training = FusionRun(config, held, setup, lambda text: None)
            training.run()
        result: dict[str, Any] = {
            "digest": self._digest(config, run.fold),
            "seed": run.seed,
            "seconds": round(time.monotonic() - started, 2),
            "cpu_seconds": round(time.process_time() - worked, 2),
            "parameters": training.parameters,
            "epochs": training.progress.epoch,
            "best": training.progress.best,
        }
        if run.trial is not None:
            result["drawn"] = tried(row, run.trial)[0]
        else:
            tested = parts[TEST]
            if setup.people is not None:
                known = self._known(run.fold, setup.people.prior, readers)
                tested = replace(tested, known=known)
            result["rows"] = self._answered(run, training, tested)
        if self.bench.keep and run.trial is None:
            self._keep(run, config.output / "model")
        write_json(self._result(run.key), result)
        shutil.rmtree(config.output, ignore_errors=True)
        return result

    def baseline(self, row: Row, fold: int) -> list[Prediction]:
        """Logistic regression on the row's tracks, one vector a clip, on the same fold."""
        parts = {name: self.part(fold, name) for name in (TRAIN, VALIDATION, TEST, ENROLLED)}
        sections = [self.opened[_key(section)][0] for section in row.modalities]
        readers = {section.name: self.opened[_key(section)][1] for section in row.modalities}
        scores = regression(
            sections, readers, self.labels, parts, self.bench.enrol, self.bench.folds.seed
        )
        own = self.folds[fold].labels
        scores = limited(scores, [label in own.labels for label in self.labels.labels])
        channels = channels_of(row.modalities)
        more = {"fold": self.folds[fold].name}
        return [
            Prediction.scored(s, self.labels, p.tolist(), channels, **more)
            for s, p in zip(parts[TEST], scores, strict=True)
        ]

    def _digest(self, config: FusionTrainConfig, fold: int) -> str:
        """Identifies a finished run of a fold."""
        by_person = any(m.standardise == "person" for m in config.fusion.modalities)
        enrolled = f" {self.bench.enrol}" if by_person else ""
        return digest(config, f"{self.folds[fold].sha256}{enrolled}")

    def _known(self, fold: int, prior: PersonPrior, readers: Readers) -> Known | None:
        """What the tested people of a fold are known by."""
        tested, enrolled = self.part(fold, TEST), self.part(fold, ENROLLED)
        return known_in_test(prior, readers, self.bench.enrol, tested, enrolled)

    def _data(self, row: Row, run: Run) -> tuple[list[ModalitySection], dict[str, FusionData]]:
        """Sections with widths, and the data of train, validation and optionally test."""
        sections = []
        for asked in row.modalities:
            section, reader = self.opened[_key(asked)]
            sections.append(section)
            if _key(asked) not in self.tables:
                ids = [s.id for s in self.samples]
                self.tables[_key(asked)] = read_table(section, reader, ids)
        tracks = {
            s.name: self.tables[_key(asked)]
            for s, asked in zip(sections, row.modalities, strict=True)
        }
        every = FusionData(self.samples, tracks, self.targets, {})
        splits = [TRAIN, VALIDATION] + [TEST] * (run.trial is None)
        rows = {name: [self.place[s.id] for s in self.part(run.fold, name)] for name in splits}
        for name, found in rows.items():
            if not found:
                raise EmollamaError(
                    f"fold {self.folds[run.fold].name}: split '{name}' has no samples left"
                )
        return sections, {name: every.chosen(found) for name, found in rows.items()}

    def _answered(self, run: Run, training: FusionRun, data: FusionData) -> list[dict[str, Any]]:
        strategy = training.strategy
        strategy.set_evaluating()
        about = training.about(training.progress.best)
        model = FusionArtefact(strategy.models, about, self.bench.output)
        loaded = FusionSamples(model, data, {})
        own = self.folds[run.fold].labels
        make = RowMaker(model, own, loaded, parse_words)
        channels = channels_of(self.rows[run.row].modalities)
        more = {"fold": self.folds[run.fold].name}
        rows = [
            make.row(data.samples[row], channels, answer, more)
            for batch in data.batches()
            for row, answer in zip(batch, loaded.answers_of(batch, channels), strict=True)
        ]
        if own != self.labels:
            rows = [of_all_labels(row, self.labels) for row in rows]
        return [row.model_dump(mode="json", exclude_none=True) for row in rows]

    def _keep(self, run: Run, model: Path) -> None:
        kept = self.model_folder(run)
        shutil.rmtree(kept, ignore_errors=True)
        kept.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(model, kept)

    def model_folder(self, run: Run) -> Path:
        """Folder for the model of a run, if models are kept."""
        return self.bench.output / MODELS / run.key

    def _result(self, key: str) -> Path:
        return self.bench.output / RUNS / f"{key}.json"


def limited(scores: np.ndarray, answered: Sequence[bool]) -> np.ndarray:
    """Probabilities [n, K] with those of other labels than the answered ones at 0."""
    kept = scores * np.array(answered)
    return np.asarray(kept / np.maximum(kept.sum(axis=1, keepdims=True), 1e-12))


def of_all_labels(row: Prediction, labels: LabelSet) -> Prediction:
    """A row whose scores name every label; 0 for one that was not among the answers."""
    scores = row.scores or {}
    return row.model_copy(update={"scores": {x: scores.get(x, 0.0) for x in labels.labels}})


def channels_of(sections: Sequence[ModalitySection]) -> list[Channel]:
    """The channels of modalities."""
    return list(dict.fromkeys(s.channel for s in sections))


def _key(section: ModalitySection) -> str:
    return section.model_dump_json()
