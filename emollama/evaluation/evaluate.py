"""Evaluation of an artefact: predictions first, then a report that is a function of them alone."""

from __future__ import annotations

import hashlib
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from emollama.config import EvalConfig
from emollama.corpora.probe.vocabulary import clues_in, rendered_clues
from emollama.encoders.base import Channel
from emollama.errors import EmollamaError
from emollama.evaluation.baseline import FeatureMatrix, baseline_predictions, pool_tracks
from emollama.evaluation.predictions import (
    CHANNELS,
    Header,
    Prediction,
    channel_sets,
    write_predictions,
)
from emollama.evaluation.report import report_from_files
from emollama.evaluation.words import sentence_features
from emollama.files import read_json
from emollama.llm import artefact
from emollama.llm.device import default_device, resolve_dtype
from emollama.llm.emotion_llama_v1 import SOURCES
from emollama.llm.import_checkpoint import file_sha256, import_checkpoint
from emollama.llm.inference import label_probabilities, reasons
from emollama.llm.processing import Evidence
from emollama.sample import Manifest, Sample
from emollama.split_file import leakage, read_with_splits
from emollama.training.evidence import EvidenceReader, open_readers, relocated, usable

PREDICTIONS_FILE = "predictions.jsonl"
BASELINE_FILE = "baseline.jsonl"


def evaluate(config: EvalConfig) -> dict[str, Any]:
    """Score a split with every set of channels, explain some clips, and write the report.

    Writes `predictions.jsonl`, `baseline.jsonl` and the report into `config.output`; the report
    can be made again from the two files (`emollama score`).

    Raises:
        EmollamaError: when the artefact's label set is not the manifest's, and for whatever else
            is the user's to mend.
    """
    device = default_device()
    manifest = read_with_splits(config.data.manifest, config.data.split_file)
    folder = _artefact_folder(config, manifest)
    model = artefact.load(folder, resolve_dtype(config.dtype, device), device)
    processor = model.processor
    trained = processor.labels.labels
    if not set(manifest.labels.labels) <= set(trained):
        raise EmollamaError(
            f"{config.model}: was trained on the labels {', '.join(trained)}, "
            f"{config.data.manifest} has {', '.join(manifest.labels.labels)}"
        )
    # The question stays as it was trained; of its words those of this corpus can be the answer.
    columns = [trained.index(label) for label in manifest.labels.labels]
    readers = open_readers(config.data.store, relocated(processor.streams, config.data.features))
    samples, left_out = usable(
        [s for s in manifest.split(config.data.split) if s.targets.emotion], readers
    )
    if left_out:
        first = next(iter(left_out.items()))
        _say(f"left out {len(left_out)} samples without features, e.g. {first[0]} ({first[1]})")
    if not samples:
        raise EmollamaError(
            f"{config.data.manifest}: no sample of split '{config.data.split}' has a label and "
            f"features in {config.data.store}"
        )
    evidence = EvidenceReader(readers, model.clues)
    known = [evidence.read(s) for s in samples]
    present: list[Channel] = [
        c for c in CHANNELS if c == "words" or any(c in processor.channels(e) for e in known)
    ]
    fewest = {"all": 2, "singles": 1, "none": 0}[config.modality_report]
    whole = len(present)
    sets = [c for c in channel_sets(present) if len(c) <= fewest or len(c) == whole]

    settings = {"left out": str(len(left_out)), **_split_warnings(config, manifest, folder)}
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
    # The baselines come first: they read every feature that there is to read, in seconds.
    baseline: Path | None = None
    if config.baseline:
        baseline = config.output / BASELINE_FILE
        _baseline(config, model, manifest, samples, readers, header, baseline)
    rows: list[Prediction] = []
    written = _explain(config, model, samples, known)
    for channels in sets:
        chosen = [processor.for_label(e, channels) for e in known]
        progress = _progress(f"labels from {' + '.join(channels)}", len(samples))
        started = time.monotonic()
        probabilities = label_probabilities(
            model.model, processor, chosen, config.batch_size, progress=progress
        )[:, columns]
        probabilities /= probabilities.sum(axis=1, keepdims=True)
        milliseconds = round(1000 * (time.monotonic() - started) / len(samples), 1)
        for sample, row in zip(samples, probabilities, strict=True):
            more = written.get(sample.id, {}) if channels == sets[-1] else {}
            rows.append(
                Prediction.scored(
                    sample, manifest.labels, row.tolist(), channels,
                    latency_ms=milliseconds, **more,
                )
            )  # fmt: skip
    predictions = config.output / PREDICTIONS_FILE
    write_predictions(predictions, header, rows)
    return report_from_files(
        predictions,
        baseline,
        config.output,
        metric=config.metric,
        resamples=config.bootstrap,
        seed=config.seed,
        clues_in=clues_in if manifest.corpus == "probe" else None,
    )


def _split_warnings(config: EvalConfig, manifest: Manifest, folder: Path) -> dict[str, str]:
    """What spoils a score by the split, for the report; said on stderr too."""
    found: dict[str, str] = {}
    if manifest.split_sha256 is not None:
        found = {f"{leak.kind} on both sides": str(leak) for leak in leakage(manifest.samples)}
    path = folder / "training_record.json"
    record = read_json(path) if path.is_file() else {}
    data = record.get("config", {}).get("data", {})
    trained = record.get("split_sha256")
    if data.get("manifest") == str(config.data.manifest) and trained != manifest.split_sha256:
        found["split"] = (
            "the model was trained with another split file: what is tested here may be what it "
            "was trained on"
        )
    for text in found.values():
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


def _explain(
    config: EvalConfig,
    model: artefact.Artefact,
    samples: Sequence[Sample],
    known: Sequence[Evidence],
) -> dict[str, dict[str, Any]]:
    """Generated reasons of the first clips, and where the corpus knows them the true clues."""
    count = min(config.reasons.count, len(samples))
    if not count:
        return {}
    texts = reasons(
        model.model,
        model.processor,
        known[:count],
        config.reasons.max_new_tokens,
        config.batch_size,
        progress=_progress("reasons", count),
    )
    return {
        sample.id: {
            "reason": text,
            "clues": tuple(sorted(rendered_clues(sample.truth)))
            if "face_units" in sample.truth
            else None,
        }
        for sample, text in zip(samples, texts, strict=False)
    }


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
    if "words" not in features and any(s.text for s in everyone):
        llm = artefact.resolve_llm(model.model.config.llm)
        features["words"] = [sentence_features(llm, everyone)]
    _say("fitting the classical baselines")
    result = baseline_predictions(
        features, manifest.labels, train, test, validation, seed=config.seed
    )
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
