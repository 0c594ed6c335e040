"""Evaluation of an artefact: predictions first, then a report that is a function of them alone."""

from __future__ import annotations

import hashlib
import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from emollama.config import EvalConfig
from emollama.encoders.base import Channel
from emollama.errors import EmollamaError
from emollama.evaluation.asking import SET_SIZES, Questions
from emollama.evaluation.baseline import FeatureMatrix, baseline_predictions, pool_tracks
from emollama.evaluation.judge import CachedJudge, open_judge
from emollama.evaluation.known_clues import KNOWN_CLUES
from emollama.evaluation.passes import kept_answers, run_passes
from emollama.evaluation.predictions import Header, read_predictions, write_predictions
from emollama.evaluation.registry import Context, chosen
from emollama.evaluation.report import report_from_files
from emollama.evaluation.scoring import METRICS_FILE, score_predictions, write_scores
from emollama.evaluation.trained_on import trained_on
from emollama.evaluation.words import clue_features, sentence_features
from emollama.features.ranks import joined_ranks
from emollama.features.store import open_tracks
from emollama.files import read_json
from emollama.llm import artefact
from emollama.llm.device import default_device, resolve_dtype
from emollama.llm.emotion_llama_v1 import SOURCES
from emollama.llm.import_checkpoint import file_sha256, import_checkpoint
from emollama.sample import Manifest, Sample
from emollama.split_file import leakage, read_with_splits
from emollama.training.evidence import EvidenceReader, open_readers, relocated, usable

PREDICTIONS_FILE = "predictions.jsonl"
BASELINE_FILE = "baseline.jsonl"
REPORT_FILE = "report.json"
PARTIAL = "partial"
"""Folder inside the output that answers are kept in until all are there."""

_SCORING = ("output", "seed", "bootstrap", "metric", "metrics", "judge", "baseline")
"""Keys that change what is made of the answers, not the answers."""


@dataclass(frozen=True)
class Evaluated:
    """What report.json and metrics.json hold; None where there is nothing for one of them."""

    report: dict[str, Any] | None
    scores: dict[str, Any] | None


def evaluate(config: EvalConfig) -> Evaluated:
    """Ask about a split with every set of channels, explain some clips, and write the report.

    Under torchrun each rank asks its share; rank 0 scores. Answers are kept as they come, so the
    same call goes on where an earlier one was stopped. Writes `predictions.jsonl`,
    `baseline.jsonl` and the report into `config.output`; the report can be made again from the two
    files (`emollama score`).

    Raises:
        EmollamaError: when the artefact's label set is not the manifest's, and for whatever else
            is the user's to mend.
    """
    judge = _judge(config)
    metrics = chosen(_metrics(config, judge))
    with joined_ranks() as ranks:
        if ranks.world > 1 and torch.cuda.is_available():
            local = int(os.environ.get("LOCAL_RANK", "0"))
            torch.cuda.set_device(local % torch.cuda.device_count())
        device = default_device()
        manifest = read_with_splits(config.data.manifest, config.data.split_file)
        if ranks.rank == 0:
            _artefact_folder(config, manifest)
        ranks.barrier()
        folder = _artefact_folder(config, manifest)
        model = artefact.load(folder, resolve_dtype(config.dtype, device), device)
        readers = open_readers(
            config.data.store, relocated(model.processor.streams, config.data.features)
        )
        samples, left_out = _samples(config, manifest, readers)
        if left_out and ranks.rank == 0:
            name, why = next(iter(left_out.items()))
            _say(f"left out {len(left_out)} samples without features, e.g. {name} ({why})")
        questions = Questions(
            config,
            model,
            manifest.labels,
            samples,
            EvidenceReader(readers, model.clues),
            manifest.corpus,
        )
        settings = {"left out": str(len(left_out))}
        settings |= _split_warnings(config, manifest, folder, ranks.rank == 0)
        header = Header(
            labels=manifest.labels,
            corpus=manifest.corpus,
            split=config.data.split,
            split_sha256=manifest.split_sha256,
            model=config.model.as_posix(),
            config_hash=hashlib.sha256(config.model_dump_json().encode()).hexdigest()[:16],
            seed=config.seed,
            settings=settings,
        )
        # A file that cannot be read is told before hours are spent on those that can.
        for sample in samples[ranks.rank :: ranks.world]:
            questions.reader.read(sample)
        baseline: Path | None = None
        if config.baseline and config.task == "emotion":
            baseline = config.output / BASELINE_FILE
            if ranks.rank == 0:
                _baseline(config, model, manifest, samples, readers, header, baseline)
        identity = _identity(config, manifest, folder, readers, len(samples))
        with kept_answers(config.output / PARTIAL, identity, ranks) as partial:
            shown = _progress if ranks.rank == 0 else None
            answers = run_passes(questions.passes(), partial, ranks, shown)
            if ranks.rank == 0:
                rows = questions.predictions(answers)
                write_predictions(config.output / PREDICTIONS_FILE, header, rows)
                _score(config, baseline, metrics, judge)
    return Evaluated(*(_read(config.output / name) for name in (REPORT_FILE, METRICS_FILE)))


def _score(
    config: EvalConfig, baseline: Path | None, metrics: Sequence[str], judge: CachedJudge | None
) -> None:
    """Write report and metrics; those of an earlier evaluation that this one has not, are removed.

    Raises:
        EmollamaError: nothing that could be scored; the predictions are there all the same.
    """
    path = config.output / PREDICTIONS_FILE
    predictions = read_predictions(path)
    header = predictions.header
    for name in (REPORT_FILE, METRICS_FILE):
        (config.output / name).unlink(missing_ok=True)
    labelled = any(r.reference is not None for r in predictions.rows)
    if labelled:
        report_from_files(
            path, baseline, config.output,
            metric=config.metric, resamples=config.bootstrap, seed=config.seed,
            clues_in=known.named_in if (known := KNOWN_CLUES.get(header.corpus)) else None,
        )  # fmt: skip
    if metrics:
        result = score_predictions(
            predictions, Context(header.labels, judge=judge), metrics, resamples=config.bootstrap
        )
        write_scores(config.output, result)
    elif not labelled:
        raise EmollamaError(
            f"{path}: explanations of clips without a label can be scored by a judge only: set "
            "judge, or run emollama score with --metric clue_overlap --metric label_overlap"
        )


def _read(path: Path) -> dict[str, Any] | None:
    found: dict[str, Any] | None = read_json(path) if path.is_file() else None
    return found


def _judge(config: EvalConfig) -> CachedJudge | None:
    given = config.judge
    return open_judge(given.url, given.model, given.key_env, given.folder, None)


def _metrics(config: EvalConfig, judge: CachedJudge | None) -> list[str]:
    """Those asked for, and with a judge what it is for."""
    overlaps = ["clue_overlap", "label_overlap"] if judge and config.task == "reason" else []
    return [*config.metrics, *(n for n in overlaps if n not in config.metrics)]


def _samples(
    config: EvalConfig, manifest: Manifest, readers: Any
) -> tuple[list[Sample], dict[str, str]]:
    """Samples that there is something to hold an answer against, and why others are left out."""
    known = [
        s for s in manifest.split(config.data.split)
        if s.targets.emotion or (config.task == "reason" and s.targets.reason)
    ]  # fmt: skip
    samples, left_out = usable(known, readers)
    if not samples:
        what = "a label" if config.task == "emotion" else "a label or a reason"
        raise EmollamaError(
            f"{config.data.manifest}: no sample of split '{config.data.split}' has {what} and "
            f"features in {config.data.store}"
        )
    return samples, left_out


def _identity(
    config: EvalConfig, manifest: Manifest, folder: Path, readers: Any, count: int
) -> dict[str, Any]:
    """What kept answers must have in common with this evaluation."""
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    return {
        "settings": config.model_dump(mode="json", exclude=set(_SCORING)),
        "manifest": file_sha256(config.data.manifest),
        "splits": manifest.split_sha256,
        "samples": count,
        "features": {name: reader.fingerprint for name, reader in readers.items()},
        "model": [
            (p.relative_to(folder).as_posix(), p.stat().st_size, p.stat().st_mtime_ns)
            for p in files
        ],
    }


def _split_warnings(
    config: EvalConfig, manifest: Manifest, folder: Path, tell: bool
) -> dict[str, str]:
    """What spoils a score by the split, for the report; said on stderr too."""
    found: dict[str, str] = {}
    if manifest.split_sha256 is not None:
        found = {f"{leak.kind} on both sides": str(leak) for leak in leakage(manifest.samples)}
    path = folder / "training_record.json"
    if path.is_file():
        found |= trained_on(read_json(path), manifest, config.data.split)
    for text in found.values() if tell else ():
        _say(f"WARNING: {text}")
    return found


def _artefact_folder(config: EvalConfig, manifest: Manifest) -> Path:
    """The artefact to evaluate; a released checkpoint is imported once, beside the results."""
    if not config.model.is_file():
        return config.model
    if config.llm is None:
        raise EmollamaError(
            f"{config.model}: a released checkpoint needs its language model; set model.llama_model"
        )
    folder = config.output / f"imported-{config.layout}"
    if folder.exists():
        record = read_json(folder / "training_record.json")
        if record.get("sha256") != file_sha256(config.model):
            raise EmollamaError(f"{folder}: is of another checkpoint; choose another output")
    else:
        # As the released system has it, the feature folders lie beside the list of clips.
        sources = {
            stream: source.replace("npy:", f"npy:{manifest.path.parent}/")
            for stream, source in SOURCES.items()
        }
        report = import_checkpoint(
            config.model, config.llm, config.layout, manifest.labels, folder, sources=sources
        )
        for line in report.lines():
            _say(f"{config.model}: {line}")
    return folder


def _baseline(
    config: EvalConfig,
    model: artefact.Artefact,
    manifest: Manifest,
    test: Sequence[Sample],
    readers: Any,
    header: Header,
    path: Path,
) -> None:
    """Logistic regression and its like on the same features and split."""
    train, _ = usable(manifest.split(config.data.train_split), readers)
    validation: list[Sample] = []
    if config.data.validation_split:
        validation, _ = usable(manifest.split(config.data.validation_split), readers)
    everyone = [*train, *validation, *test]
    ids = [s.id for s in everyone]
    features: dict[Channel, list[FeatureMatrix]] = {}
    for stream in model.processor.streams:
        features.setdefault(stream.channel, []).append(
            pool_tracks(stream.name, readers[stream.name], ids)
        )
    if model.processor.clues == "always":
        given = {channel for sample in everyone for channel in sample.clues}
        for channel in sorted(given):
            features.setdefault(channel, []).append(clue_features(channel, everyone))
    if config.baseline_words is not None:
        tracks = open_tracks(config.data.store, config.baseline_words)
        features["words"] = [pool_tracks("words", tracks, ids)]
    elif "words" not in features and any(s.text for s in everyone):
        llm = artefact.resolve_llm(model.model.config.llm)
        features["words"] = [sentence_features(llm, everyone)]
    _say("fitting the classical baselines")
    result = baseline_predictions(
        features, manifest.labels, train, test, validation,
        seed=config.seed, largest=SET_SIZES[config.modality_report],
    )  # fmt: skip
    settings = {**header.settings, **result.settings}
    write_predictions(path, header.model_copy(update={"settings": settings}), result.predictions)


def _progress(what: str, total: int) -> Callable[[int], None]:
    """A line on stderr that counts up, with rate and time left."""
    started = time.monotonic()
    done = 0

    def advance(count: int) -> None:
        nonlocal done
        done += count
        seconds = time.monotonic() - started
        rate = done / max(seconds, 1e-9)
        end = "\n" if done >= total else "\r"
        if sys.stderr.isatty() or done >= total:
            left = (total - done) / max(rate, 1e-9)
            print(
                f"{what}: {done}/{total}  {rate:.1f}/s  {left:.0f} s left ",
                end=end, file=sys.stderr, flush=True,
            )  # fmt: skip

    return advance


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
