"""Compares a build with a manifest of true values: labels, channels, words, way of speaking."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from emollama.manifest.sample import Manifest, Sample
from emollama.merr.build import Build
from emollama.merr.describe import TONE
from emollama.merr.emotion import EMOTION
from emollama.merr.measure.tools import CLIPS, TRANSCRIPT
from emollama.merr.stagefile import read_rows
from emollama.scoring.metrics.formulas import accuracy, class_recall, one_hot, uar, weighted_f1

LEVELS: Mapping[str, Mapping[str, str]] = {
    "pitch": {"low pitch": "low", "high pitch": "high"},
    "rate": {"slow speech": "slow", "fast speech": "fast"},
    "loudness": {"quiet voice": "quiet", "loud voice": "loud"},
    "range": {"flat melody": "narrow", "lively melody": "wide"},
}
"""Words on the voice in the probe corpus's terms; no word means "normal"."""


def word_errors(reference: str, hypothesis: str) -> tuple[int, int]:
    """(insertions, deletions and replacements; words of the reference), punctuation aside."""
    true, told = (re.findall(r"[\w']+", t.lower()) for t in (reference, hypothesis))
    row = list(range(len(told) + 1))
    for i, word in enumerate(true, start=1):
        before, row[0] = row[0], i
        for j, other in enumerate(told, start=1):
            here = min(row[j] + 1, row[j - 1] + 1, before + (word != other))
            before, row[j] = row[j], here
    return row[-1], len(true)


def compare(build: Build, truth: Manifest) -> dict[str, Any]:
    """All comparisons that the truth allows; clips without a row count as wrong where stated.

    `truth.face`, `.voice` and `.words` are the channels' own emotions, `.prosody` levels of
    speaking, as the probe corpus has them; other manifests give emotions and texts.
    """
    samples = {s.id: s for s in truth.samples}
    rows = {name: {str(r["id"]): r for r in read_rows(build.stages / f"{name}.jsonl")
                   if r["id"] in samples}
            for name in (CLIPS, EMOTION, TONE, TRANSCRIPT)}  # fmt: skip
    known = [samples[i] for i in rows[CLIPS]]
    labels = truth.labels.labels
    found: dict[str, Any] = {"clips": len(known)}

    def label_of(kind: str) -> Callable[[Sample], str | None]:
        def of(sample: Sample) -> str | None:
            row = rows[EMOTION].get(sample.id)
            if row is None or (kind == "final" and row["status"] != "ok"):
                return None
            value: str | None = row["label"] if kind == "final" else row["channels"][kind]
            return value

        return of

    for kind in ("final", "face", "voice", "words"):
        true = {s.id: t for s in known if (t := _true(s, kind)) in labels}
        if true:
            of = label_of(kind)
            found[f"{kind} label"] = _accuracy(true, {i: of(samples[i]) for i in true}, labels)
    errors = words = heard = 0
    for sample in known:
        row = rows[TRANSCRIPT].get(sample.id)
        if sample.text and row is not None and row["status"] == "ok" and row["source"] != "given":
            wrong, count = word_errors(sample.text, row["text"])
            errors, words, heard = errors + wrong, words + count, heard + 1
    if words:
        found["transcripts"] = {"clips": heard, "word error rate": round(errors / words, 4)}
    spoken = [s for s in known if s.truth.get("prosody") and s.id in rows[TONE]]
    for name, table in LEVELS.items():
        true_levels = [s.truth["prosody"][name] for s in spoken]
        if not true_levels:
            continue
        told = [_level(rows[TONE][s.id].get("words", []), table) for s in spoken]
        found.setdefault("voice words", {})[name] = {
            "right": round(sum(a == b for a, b in zip(true_levels, told, strict=True))
                           / len(told), 4),
            "majority": round(Counter(true_levels).most_common(1)[0][1] / len(told), 4),
        }  # fmt: skip
    return found


def _true(sample: Sample, kind: str) -> str:
    """The label of a channel or of the clip; "" if unknown."""
    label = sample.targets.emotion if kind == "final" else sample.truth.get(kind)
    return str(label or "")


def _level(words: Sequence[str], table: Mapping[str, str]) -> str:
    return next((table[w] for w in words if w in table), "normal")


def _accuracy(
    true: Mapping[str, str], told: Mapping[str, str | None], labels: Sequence[str]
) -> dict[str, Any]:
    """Accuracy and weighted F1, with missing labels as errors, and the majority's share."""
    ids = sorted(true)
    place = {label: k for k, label in enumerate(labels)}
    truth = one_hot([place[true[i]] for i in ids], len(labels))
    answer = one_hot([place.get(told[i] or "", -1) for i in ids], len(labels))
    cases = (truth, answer, np.ones((1, len(ids))))
    recall = class_recall(*cases)[0]
    scores = {"accuracy": accuracy, "weighted F1": weighted_f1, "UAR": uar}
    counts = Counter(true.values())
    return {
        "clips": len(ids),
        "without a label": sum(told[i] is None for i in ids),
        **{name: round(float(of(*cases)[0]), 4) for name, of in scores.items()},
        "majority": round(counts.most_common(1)[0][1] / len(ids), 4),
        "chance": round(1 / len(counts), 4),
        "recall by label": {
            label: round(float(recall[place[label]]), 3) for label in sorted(counts)
        },
    }
