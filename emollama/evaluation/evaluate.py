"""Evaluation of an artefact: predictions first, then a report computed only from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch

from emollama.base import torchrun
from emollama.base.errors import EmollamaError
from emollama.base.files import file_sha256, locked, read_json
from emollama.base.paths import need_folder
from emollama.base.progress import bar, silent
from emollama.endpoints.judge import CachedJudge, open_judge
from emollama.evaluation.asking import Questions, require_writes
from emollama.evaluation.baseline import FeatureMatrix, NothingToLearn, pool_tracks
from emollama.evaluation.config import EvalConfig
from emollama.evaluation.known_people import SETTING, KnownPeople, drawn_clips, known_people
from emollama.evaluation.passes import kept_answers, run_passes
from emollama.evaluation.results import (
    BASELINE_FILE,
    PREDICTIONS_FILE,
    Evaluated,
    Lacks,
    Template,
    header_of,
    read_results,
    say,
    score,
    write_baseline,
    write_times,
)
from emollama.evaluation.rows import require_known_labels, true_values
from emollama.evaluation.words import clue_features, sentence_features
from emollama.features.store import open_tracks, relocated_sources
from emollama.features.tracks import TrackReader
from emollama.inputs.common_labels import as_trained, counted
from emollama.inputs.draws import drawn
from emollama.llm.released.emotion_llama_v1 import SOURCES
from emollama.llm.released.import_checkpoint import import_checkpoint
from emollama.manifest.channels import Channel
from emollama.manifest.sample import Manifest, Sample
from emollama.manifest.split_file import read_with_splits
from emollama.runs.artefact import Artefact, LoadedSamples
from emollama.runs.run_folder import tell_left_out
from emollama.scoring.metrics.choosing import chosen
from emollama.scoring.predictions.predictions import Header, write_predictions
from emollama.session.family import open_artefact
from emollama.workers.ranks import joined_ranks
from emollama.workers.shares import Share

PARTIAL = "partial"
"""Folder inside the output for answers until all are complete."""

_SCORING = ("output", "seed", "bootstrap", "metric", "metrics", "judge", "baseline", "wheel")
"""Keys that affect the scoring, but not the answers."""


def evaluate(config: EvalConfig, share: Share | None = None, merge: bool = False) -> Evaluated:
    """Answer a split with every set of channels, explain some clips, and write the report.

    The only path from data to predictions to record, for every kind of model. Under torchrun each
    rank answers its share; rank 0 scores. Answers are stored as they come, so the same call resumes
    a stopped one. Writes `predictions.jsonl`, `baseline.jsonl` (of single labels) and the report
    into `config.output`; the report can be rebuilt from the two files (`emollama score`).

    With `share` this process answers its batches alone and leaves the answers there; `merge` asks
    nothing and goes on from what the shares have left.

    Raises:
        EmollamaError: the artefact's label set differs from the manifest's, or another mistake of
            the user.
    """
    judge = _judge(config)
    need_folder(config.wheel)
    metrics = chosen(_metrics(config, judge))
    with joined_ranks() as ranks:
        if ranks.world > 1 and torch.cuda.is_available():
            torch.cuda.set_device(torchrun.local_rank() % torch.cuda.device_count())
        manifest = read_with_splits(config.data.manifest, config.data.split_file)
        if ranks.rank == 0:
            _artefact_folder(config, manifest)
        ranks.barrier()
        folder = _artefact_folder(config, manifest)
        model = open_artefact(folder, config.dtype, config.quantise)
        require_writes(config, model)
        if config.engine is not None:
            model.write_by(config.engine)
        if config.answers.question is not None:
            model = model.asking(config.answers.question)
        split = config.data.split
        manifest, dropped = as_trained(
            manifest, model.labels, model.record, config.data.map, config.data.lacks
        )
        names = (str(config.model), str(config.data.manifest))
        require_known_labels(model, manifest.labels, names)
        tested = manifest.split(split)
        dropped = {s.id: dropped[s.id] for s in tested if s.id in dropped}
        # One whose label the model does not know is asked for its reason at most.
        tested = tuple(s for s in tested if s.id not in dropped or config.task == "reason")
        known = [s for s in tested if model.knows_truth(s, config.task)]
        enrolled = drawn_clips(config, known)
        left = {s.id for clips in enrolled.values() for s in clips}
        samples = drawn(config.seed, [s for s in known if s.id not in left], config.data.limit)
        loaded = model.load_samples(
            manifest, samples, split, config.data.store, config.data.features
        )
        if ranks.rank == 0:
            tell_left_out(loaded.left_out, say)
            if dropped:
                say(f"labels that the model does not know are not scored: {counted(dropped)}")
            for note in loaded.notes:
                say(note)
        loaded.channels -= manifest.lacks
        people = known_people(config, model, manifest, enrolled, loaded.samples, loaded.readers)
        loaded.known = people.known if people else None
        questions = Questions(config, model, manifest, loaded)
        header = header_of(config, manifest, folder, len(loaded.left_out), ranks.rank == 0)
        more = {"labels left out": counted(dropped)} if dropped else {}
        if people:
            more[SETTING] = people.words
        header = header.model_copy(update={"settings": header.settings | more})
        # A file that cannot be read is reported before hours are spent on those that can.
        loaded.check([s.id for s in loaded.samples[ranks.rank :: ranks.world]])
        if share is not None:
            identity = _identity(config, manifest, folder, loaded, left)
            with kept_answers(config.output / PARTIAL, identity, ranks, share) as kept:
                run_passes(questions.passes(), kept, ranks, bar, share)
            return Evaluated(None, None)
        template = questions.template if model.writes and config.reasons.count else None
        baseline = _baseline(
            config, model, manifest, loaded, header, people, questions.lacks, template,
            ranks.rank == 0,
        )  # fmt: skip
        identity = _identity(config, manifest, folder, loaded, left)
        with kept_answers(config.output / PARTIAL, identity, ranks, merge=merge) as kept:
            shown = bar if ranks.rank == 0 else silent
            answers = run_passes(questions.passes(), kept, ranks, shown, merge=merge)
            if ranks.rank == 0:
                rows = questions.predictions(answers)
                write_predictions(config.output / PREDICTIONS_FILE, header, rows)
                write_times(config.output, answers)
                score(config, baseline, metrics, judge)
    return read_results(config.output)


def _judge(config: EvalConfig) -> CachedJudge | None:
    given = config.judge
    return open_judge(given.url, given.model, given.key_env, given.folder, None)


def _metrics(config: EvalConfig, judge: CachedJudge | None) -> list[str]:
    """The requested metrics, and with a judge those that need it."""
    overlaps = ["clue_overlap", "label_overlap"] if judge and config.task == "reason" else []
    return [*config.metrics, *(n for n in overlaps if n not in config.metrics)]


def _identity(
    config: EvalConfig, manifest: Manifest, folder: Path, loaded: LoadedSamples, enrolled: set[str]
) -> dict[str, Any]:
    """The identity of this evaluation, for reuse of stored answers."""
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    return {
        "settings": config.model_dump(mode="json", exclude=set(_SCORING)),
        "manifest": file_sha256(config.data.manifest),
        "splits": manifest.split_sha256,
        "samples": len(loaded.samples),
        "features": {name: reader.fingerprint for name, reader in loaded.readers.items()},
        "model": [
            (p.relative_to(folder).as_posix(), p.stat().st_size, p.stat().st_mtime_ns)
            for p in files
        ],
    } | ({"enrolled": sorted(enrolled)} if enrolled else {})


def _baseline(
    config: EvalConfig,
    model: Artefact,
    manifest: Manifest,
    loaded: LoadedSamples,
    header: Header,
    people: KnownPeople | None,
    lacks: Lacks,
    template: Template | None,
    writes: bool,
) -> Path | None:
    """The file of the classical baselines' predictions, of single labels; one process writes it."""
    if not config.baseline or config.task != "emotion" or "label" not in model.task.split("+"):
        return None
    if not loaded.readers and model.language_model is None:
        if writes:
            say("no classical baselines: no modality is a cached track")
        return None
    if writes:
        readers = people.known.readers(loaded.readers) if people else loaded.readers
        features_of = partial(_features, config, model, readers, manifest.lacks)
        try:
            write_baseline(
                config, features_of, manifest, loaded.samples, loaded.readers, header,
                partial(true_values, model, loaded), lacks, template,
            )  # fmt: skip
        except NothingToLearn as error:
            # The file may be that of an earlier evaluation.
            (config.output / BASELINE_FILE).unlink(missing_ok=True)
            say(f"no classical baselines: {error}")
            return None
    return config.output / BASELINE_FILE


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
            raise EmollamaError(
                f"{folder}: was made from another checkpoint; choose another output"
            )
    else:
        # As the released system has it, the feature folders lie beside the list of clips.
        beside = relocated_sources(list(SOURCES.values()), manifest.path.parent)
        sources = dict(zip(SOURCES, beside, strict=True))
        config.output.mkdir(parents=True, exist_ok=True)
        busy = f"{folder}: is still being imported by another process"
        with locked(config.output / ".import.lock", busy, seconds=3600):
            if folder.exists():  # by another shard meanwhile
                return folder
            report = import_checkpoint(
                config.model, config.llm, config.layout, manifest.labels, folder, sources=sources
            )
        for line in report.lines():
            say(f"{config.model}: {line}")
    return folder


def _features(
    config: EvalConfig,
    model: Artefact,
    readers: Mapping[str, TrackReader],
    lacks: frozenset[Channel],
    samples: Sequence[Sample],
) -> dict[Channel, list[FeatureMatrix]]:
    """The model's cached tracks, one vector a clip, and the words that it reads."""
    ids = [s.id for s in samples]
    features: dict[Channel, list[FeatureMatrix]] = {}
    for one in model.inputs:
        if one.name in readers and one.channel not in lacks:
            deviation = one.pool == "mean+std"
            pooled = pool_tracks(one.name, readers[one.name], ids, deviation=deviation)
            features.setdefault(one.channel, []).append(pooled)
    if model.reads_clues:
        given = {channel for sample in samples for channel in sample.clues}
        for channel in sorted(given):
            features.setdefault(channel, []).append(clue_features(channel, samples))
    if config.baseline_words is not None:
        tracks = open_tracks(config.data.store, config.baseline_words)
        features["words"] = [pool_tracks("words", tracks, ids)]
    elif "words" not in features and any(s.text for s in samples):
        llm = model.language_model
        if llm is not None and model.reads_text:
            features["words"] = [sentence_features(llm, samples)]
    return features
