"""Measures of a set that need no reference: agreement, faithfulness, diversity, the worst clips."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from typing import Any

from emollama.base.errors import EmollamaError
from emollama.manifest.channels import says
from emollama.manifest.labels import LabelSet
from emollama.media.cutting import Box
from emollama.scoring.metrics.faithfulness import clue_faithfulness, derangement
from emollama.scoring.reasons.check import contradictions, named_units, tone_words_in
from emollama.scoring.reasons.claims import quoted_share, quotes_in
from emollama.scoring.reasons.facts import Facts

SOURCES = ("face", "voice", "words", "final")
_WINDOW = 50  # words over which types are counted


@dataclass(frozen=True)
class MeasuredClip:
    """A clip of the set, as input of the measures.

    Attributes:
        id: of the clip.
        label: final.
        channels: label of each channel, None without information.
        confidence: of the label, 0..1.
        known: the facts for checking its reason.
        reason: fine-grained, or "".
        caption: coarse.
        rejected: why the refinement was rejected, or "".
        video: path, time and part of the picture of the peak frame, or None.
    """

    id: str
    label: str
    channels: Mapping[str, str | None]
    confidence: float
    known: Facts
    reason: str
    caption: str
    rejected: str
    video: tuple[str, float, Box | None] | None


def agreement(clips: Sequence[MeasuredClip]) -> list[dict[str, Any]]:
    """Share of equal labels and Cohen's kappa for each pair of face, voice, words and final."""
    rows = []
    for first, second in combinations(SOURCES, 2):
        pairs = [
            (a, b)
            for clip in clips
            if (a := _of(clip, first)) is not None and (b := _of(clip, second)) is not None
        ]
        if not pairs:
            continue
        same = sum(a == b for a, b in pairs) / len(pairs)
        ones, twos = Counter(a for a, _ in pairs), Counter(b for _, b in pairs)
        chance = sum(ones[x] * twos[x] for x in ones) / len(pairs) ** 2
        kappa = (same - chance) / (1 - chance) if chance < 1 else math.nan
        rows.append({"pair": f"{first} and {second}", "clips": len(pairs),
                     "equal": round(same, 4), "by chance": round(chance, 4),
                     "kappa": round(kappa, 4) if math.isfinite(kappa) else None})  # fmt: skip
    return rows


def _of(clip: MeasuredClip, source: str) -> str | None:
    return clip.label if source == "final" else clip.channels.get(source)


def clues_named(reason: str) -> set[str]:
    """Units and words on the voice that a reason names."""
    return {*named_units(reason), *tone_words_in(reason)}


def clues_measured(known: Facts) -> set[str]:
    """The measured clues in the same vocabulary. Inner and outer raised brows both count."""
    return {*(known.units or ()), *(known.tone or ())}


def faithfulness(clips: Sequence[MeasuredClip], seed: int = 0) -> dict[str, Any]:
    """Clues and quotations in reasons against the measurements, with shuffled reasons as control.

    {} if fewer than two clips have a reason and a measured clue.
    """
    with_reason = [c for c in clips if c.reason]
    reasons = {c.id: c.reason for c in with_reason}
    measured = {c.id: clues_measured(c.known) for c in with_reason}
    try:
        found = clue_faithfulness(reasons, measured, clues_named, seed=seed)
    except EmollamaError:
        return {}
    quoting = [c for c in with_reason if quotes_in(c.reason)]
    order = derangement(len(quoting), seed).tolist() if len(quoting) > 1 else []
    return {
        "reasons": len(with_reason),
        "scored": found.own.f1.n_scored,
        "precision": _interval(found.own.precision),
        "recall": _interval(found.own.recall),
        "f1": _interval(found.own.f1),
        "f1 of shuffled reasons": _interval(found.shuffled.f1),
        "difference": _interval(found.difference),
        "without a clue": found.without_clue,
        "quoting": len(quoting),
        "share of quoted words that were said": _mean(
            quoted_share(q, c.known.text) for c in quoting for q in quotes_in(c.reason)
        ),
        "the same for other clips": _mean(
            quoted_share(q, quoting[k].known.text)
            for c, k in zip(quoting, order, strict=False)
            for q in quotes_in(c.reason)
        ),
    }


def _interval(score: Any) -> list[float]:
    return [round(float(x), 4) for x in (score.value, score.ci_low, score.ci_high)]


def _mean(values: Iterable[float]) -> float | None:
    found = list(values)
    return round(sum(found) / len(found), 4) if found else None


def diversity(texts: Sequence[str]) -> dict[str, Any]:
    """Length, vocabulary, distinct pairs of words, and type-token ratio over 50 words at a time."""
    words = [re.findall(r"[\w']+", t.lower()) for t in texts if t]
    if not words:
        return {}
    flat = [w for row in words for w in row]
    pairs = [p for row in words for p in pairwise(row)]
    windows = [flat[i : i + _WINDOW] for i in range(0, len(flat) - _WINDOW + 1, _WINDOW)]
    lengths = sorted(len(row) for row in words)
    return {
        "texts": len(words),
        "words a text (median)": lengths[len(lengths) // 2],
        "vocabulary": len(set(flat)),
        "distinct texts": round(len(set(map(tuple, words))) / len(words), 4),
        "distinct pairs of words": round(len(set(pairs)) / max(len(pairs), 1), 4),
        "type-token ratio of 50 words": _mean(len(set(w)) / _WINDOW for w in windows),
    }


def reservations(clip: MeasuredClip, labels: LabelSet) -> list[str]:
    """Faults of a clip's annotation, each in a few words."""
    against = []
    told = {c: label for c, label in clip.channels.items() if label is not None}
    others = [c for c, label in told.items() if label != clip.label]
    if others:
        against.append(", ".join(f"{c} {says(c)} {told[c]}" for c in others))
    if clip.rejected:
        against.append(f"refinement rejected: {clip.rejected}")
    if clip.reason:
        against += contradictions(clip.reason, clip.known, labels)
    if not clip.known.text:
        against.append("no words")
    return against


def worst(clips: Sequence[MeasuredClip], labels: LabelSet, count: int = 24) -> list[dict[str, Any]]:
    """The clips with most faults, then the least certain."""
    rows: list[dict[str, Any]] = []
    for clip in clips:
        against = reservations(clip, labels)
        told = [label for label in clip.channels.values() if label is not None]
        astray = sum(label != clip.label for label in told)
        score = astray + bool(clip.rejected) + len(against) * 0.5 + (1 - clip.confidence)
        rows.append({"id": clip.id, "label": clip.label, "score": round(score, 3),
                     "confidence": clip.confidence, "against": against,
                     "text": clip.known.text, "reason": clip.reason or clip.caption,
                     "picture": clip.video})  # fmt: skip
    return sorted(rows, key=lambda row: (-float(row["score"]), str(row["id"])))[:count]
