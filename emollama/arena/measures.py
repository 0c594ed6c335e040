"""What an arena measures, of every contestant in the same way."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from emollama.arena.configuration import ArenaConfig
from emollama.arena.diagnosis import Behaviour, Label, changes, diagnosed
from emollama.arena.questions import REMOVED
from emollama.arena.rows import Asked
from emollama.base.version import __version__
from emollama.scoring.metrics.bootstrap import Draws
from emollama.scoring.metrics.measure import Score, mean_score
from emollama.scoring.metrics.scores import evaluate, paired_difference
from emollama.scoring.metrics.twins import twins
from emollama.scoring.predictions.prediction import Prediction
from emollama.scoring.report.modality import channel_conflicts
from emollama.scoring.report.report import plain

METRICS = ("accuracy", "weighted_f1")


def arena_result(asked: Asked) -> dict[str, Any]:
    """What arena.json holds; contestants by accuracy, the best first."""
    config, manifest = asked.config, asked.manifest
    draws = draws_of(config)
    rows = [_contestant(asked, name, draws) for name in config.contestants]
    rows.sort(key=lambda row: -(row["scores"]["accuracy"].value or 0.0))
    systems = {name: asked.predictions(name) for name in config.contestants}
    paired = twins(systems, None, **draws)
    result: dict[str, Any] = {
        "emollama": __version__,
        "corpus": manifest.corpus,
        "split": config.data.split,
        "clips": len(manifest.samples),
        "labels": list(manifest.labels.labels),
        "questions": len(asked.questions),
        "prompts": dict(config.wordings),
        "orders": config.orders,
        "ablations": list(config.ablations),
        "by": config.by,
        "bootstrap": config.bootstrap,
        "contestants": rows,
        "twins": None if paired is None else paired.labels,
    }
    found: dict[str, Any] = plain(result)
    return found


def draws_of(config: ArenaConfig) -> Draws:
    """How intervals are drawn."""
    return Draws(resamples=config.bootstrap, seed=config.seed, by=config.by)


def _contestant(asked: Asked, name: str, draws: Draws) -> dict[str, Any]:
    how, labels = asked.config.contestants[name], asked.manifest.labels
    whole = asked.predictions(name)
    behaviour = behaviour_of(asked, name)
    clips = [s.id for s in asked.manifest.samples]
    groups = [s.group for s in asked.manifest.samples]
    return {
        "name": name,
        "kind": "artefact" if how.url is None else "endpoint",
        "sends": None if how.url is None else how.sends,
        "answers": how.form,
        "scores": evaluate(whole, labels, METRICS, **draws),
        "by_prompt": dict(_by_prompt(asked, name)),
        "wording": _changed(behaviour.answers, behaviour.worded, groups, draws),
        "order": _changed(behaviour.answers, behaviour.ordered[1:], groups, draws),
        "places": _places(behaviour, len(labels.labels), clips, draws),
        "ablations": dict(_ablations(asked, name, whole, draws)),
        "follows": channel_conflicts(whole, labels, **draws),
        "biases": diagnosed(behaviour),
        **_cost(asked, name),
    }


def behaviour_of(asked: Asked, name: str) -> Behaviour:
    """What a contestant did, as the rules of diagnosis take it."""
    config = asked.config
    clips = [s.id for s in asked.manifest.samples]
    _, *others = config.wordings

    def answers(**more: Any) -> list[Label]:
        return asked.answers(name, [asked.place(clip, **more) for clip in clips])

    without = {}
    for ablation in config.ablations:
        places = [asked.place(clip, ablation=ablation) for clip in clips]
        told = [clip for clip, place in zip(clips, places, strict=True) if place in asked.questions]
        if told:
            before = asked.answers(name, [asked.place(clip) for clip in told])
            after = asked.answers(name, [asked.place(clip, ablation=ablation) for clip in told])
            without[REMOVED[ablation]] = before, after
    return Behaviour(
        truth=[s.targets.emotion for s in asked.manifest.samples],
        answers=answers(),
        worded=[answers(prompt=prompt) for prompt in others],
        ordered=[answers(order=order) for order in range(config.orders)],
        orders=[
            [asked.questions[asked.place(clip, order=order)].labels for clip in clips]
            for order in range(config.orders)
        ],
        without=without,
    )


def _by_prompt(asked: Asked, name: str) -> Iterator[tuple[str, float]]:
    """Accuracy with every wording."""
    samples = asked.manifest.samples
    for prompt in asked.config.wordings:
        said = asked.answers(name, [asked.place(s.id, prompt) for s in samples])
        right = [label == s.targets.emotion for label, s in zip(said, samples, strict=True)]
        yield prompt, sum(right) / len(right)


def _changed(
    first: Sequence[Label], others: Sequence[Sequence[Label]], groups: Sequence[str | None],
    draws: Draws,
) -> Score | None:  # fmt: skip
    """Share of clips whose answer is not the same every time; None where it was asked once."""
    if not others:
        return None
    ever = np.max([[a != b for a, b in zip(first, row, strict=True)] for row in others], axis=0)
    kept = [k for k, label in enumerate(first) if label is not None]
    values = ever[kept].astype(float)
    return mean_score(values, len(first), groups=[groups[k] for k in kept], **draws)


def _places(
    behaviour: Behaviour, labels: int, clips: Sequence[str], draws: Draws
) -> dict[str, Any] | None:
    """Share of the answers that stand first and last among the labels; whole clips are drawn."""
    if len(behaviour.ordered) < 2:
        return None
    first, last, of = [], [], []
    for answers, orders in zip(behaviour.ordered, behaviour.orders, strict=True):
        for clip, answer, named in zip(clips, answers, orders, strict=True):
            if answer is not None:
                first.append(float(answer == named[0]))
                last.append(float(answer == named[-1]))
                of.append(clip)
    total = len(clips) * len(behaviour.ordered)
    by_clip = Draws(resamples=draws["resamples"], seed=draws["seed"], by="group")
    return {
        "chance": 1 / labels,
        "first": mean_score(np.array(first), total, groups=of, **by_clip),
        "last": mean_score(np.array(last), total, groups=of, **by_clip),
    }


def _ablations(
    asked: Asked, name: str, whole: Sequence[Prediction], draws: Draws
) -> Iterator[tuple[str, dict[str, Any]]]:
    """What becomes of answers and accuracy without a channel, over clips that have it."""
    labels = asked.manifest.labels
    for ablation in asked.config.ablations:
        after = asked.predictions(name, ablation)
        if not after:
            continue
        ids = {row.id for row in after}
        before = [row for row in whole if row.id in ids]
        values = changes([row.label for row in before], [row.label for row in after])
        groups = [row.group for row in before if row.label is not None]
        yield (
            ablation,
            {
                "changed": mean_score(values, len(after), groups=groups, **draws),
                "accuracy": evaluate(after, labels, ["accuracy"], **draws)["accuracy"],
                "difference": paired_difference(after, before, "accuracy", labels, **draws),
            },
        )


def _cost(asked: Asked, name: str) -> dict[str, Any]:
    """Answers, failures by reason, attempts by how they ended, tokens and seconds."""
    reads, rows = asked.reads[name], asked.rows[name]
    failures = Counter(str(read.failure) for read in reads.values() if read.label is None)
    attempts = Counter(how for row in rows.values() for how in row.get("attempts", ()))
    tokens = np.array([row["tokens"] for row in rows.values() if "tokens" in row] or [[0, 0]])
    seconds = [row["seconds"] for row in rows.values() if "seconds" in row]
    median, slow = np.quantile(seconds, [0.5, 0.95]) if seconds else (None, None)
    return {
        "questions": len(reads),
        "labels": sum(read.label is not None for read in reads.values()),
        "failures": dict(sorted(failures.items())),
        "attempts": dict(sorted(attempts.items())),
        "tokens_in": int(tokens[:, 0].sum()),
        "tokens_out": int(tokens[:, 1].sum()),
        "seconds": {"median": None if median is None else float(median),
                    "p95": None if slow is None else float(slow)},
    }  # fmt: skip
