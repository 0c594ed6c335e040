"""Stage `emotion`: the labels of face, voice and words, and their combination.

The face's label comes from the rule table and is the pseudo-label in MERR's sense. Voice and words
have tables of their own. The label of the clip is the one with the highest weighted sum of
log-probabilities; a channel without information on a label is indifferent to it. Where there are
features of the clips, those of other people have a say.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from emollama.base.errors import EmollamaError
from emollama.manifest.labels import LabelSet, get_label_set
from emollama.merr.build import Build, Counts, Item
from emollama.merr.fill import Plan, each, fill
from emollama.merr.measure.tools import CLIPS, TRANSCRIPT, UNITS, VOICE
from emollama.merr.neighbours import Judged, Neighbours
from emollama.merr.norms import Norms, apex, person_seen, read_norms
from emollama.merr.rules import Rules, log_softmax
from emollama.merr.settings import Settings
from emollama.merr.stagefile import Row
from emollama.merr.tables import read_table
from emollama.merr.words import WORDS

EMOTION = "emotion"
CHANNELS = ("face", "voice", "words")


def voice_odds(relative: Mapping[str, float], labels: LabelSet) -> dict[str, float]:
    """Log-probabilities of labels from prosody in deviations, by nearness to the table's points."""
    table = read_table("voice")
    columns: Sequence[str] = table["columns"]
    scores = {
        label: -table["sharpness"]
        * sum((relative[c] - p) ** 2 for c, p in zip(columns, point, strict=True))
        for word, point in table["emotions"].items()
        if (label := labels.canonical(word)) is not None
    }
    return log_softmax(scores) if scores else {}


def words_odds(relative: Mapping[str, float], labels: LabelSet) -> dict[str, float]:
    """Log-probabilities of labels from similarities minus their means."""
    sharpness = read_table("words")["sharpness"]
    scores = {
        label: sharpness * value
        for word, value in relative.items()
        if (label := labels.canonical(word)) is not None
    }
    return log_softmax(scores) if scores else {}


def together(
    odds: Mapping[str, Mapping[str, float]], weights: Mapping[str, float], labels: LabelSet
) -> dict[str, float]:
    """Log-probabilities of the label set from those of the channels, weighted.

    A label without a rule in a channel gets that channel's uniform share, 1 / labels.
    """
    indifferent = -math.log(len(labels.labels))
    scores = {
        label: sum(weights[c] * own.get(label, indifferent) for c, own in odds.items() if own)
        for label in labels.labels
    }
    # What no channel can tell is not guessed.
    known = {label for own in odds.values() for label in own}
    return log_softmax({label: s for label, s in scores.items() if label in known})


def run_emotion(build: Build) -> Counts:
    """Labels and log-probabilities by channel and overall; a face that fits no rule is rejected."""
    settings = build.settings
    labels = get_label_set(settings.labels)
    norms = read_norms(build.stages)
    rules = Rules(settings.rules, labels, settings.faces.relative)
    weights = {c: float(getattr(settings.evidence, c)) for c in CHANNELS}
    if not any(weights.values()):
        raise EmollamaError("evidence: face, voice and words are all 0; set at least one above 0")

    def judge(item: Item) -> Row:
        return emotion_row(item, norms, rules, weights, labels)

    options = [norms.fingerprint, rules.fingerprint, weights, read_table("voice"),
               read_table("words")["sharpness"]]  # fmt: skip
    reads, uses = (CLIPS, UNITS, VOICE, TRANSCRIPT, WORDS), (CLIPS, UNITS, VOICE, WORDS)
    if settings.evidence.features is None:
        return fill(build, Plan(EMOTION, reads, 2, options, uses), each(judge))
    judged = [
        Judged(item.id, clip.get("speaker") or item.id, person_seen(clip) or item.id,
               row["total"], clip.get("split") != "test")
        for item in build.items(*reads)
        for clip, row in [(item.rows[CLIPS], judge(item))]
        if row["status"] == "ok"
    ]  # fmt: skip
    others = Neighbours(judged, labels.labels, settings.evidence.features)
    options = [*options, others.fingerprint]
    plan = Plan(EMOTION, reads, 2, options, uses, own=True)
    return fill(build, plan, each(lambda item: heeding(judge(item), item.id, others)))


def heeding(row: Row, clip: str, others: Neighbours) -> Row:
    """A row whose label also heeds the clips of other people."""
    if row["status"] != "ok":
        return row
    total = others.together(clip, row["total"])
    return {**row, **_decided(total), "by_rules": row["label"], "others": others.expected(clip)}


def emotion_row(
    item: Item, norms: Norms, rules: Rules, weights: Mapping[str, float], labels: LabelSet
) -> Row:
    """The row of one clip."""
    clip = item.rows[CLIPS]
    judged = rules.judge(norms.face(apex(item.rows[UNITS]), rules.relative, person_seen(clip)))
    odds: dict[str, dict[str, float]] = {"face": judged.odds, "voice": {}, "words": {}}
    if (prosody := item.rows[VOICE]["prosody"]) is not None:
        relative = norms.voice(prosody, clip.get("speaker"))
        odds["voice"] = voice_odds(relative, labels)
    if (similar := item.rows[WORDS]["similar"]) is not None:
        odds["words"] = words_odds(norms.words(similar), labels)
    counted = {c: own for c, own in odds.items() if weights[c] > 0}
    channels: dict[str, Any] = {
        c: max(own, key=own.__getitem__) if own else None for c, own in odds.items()
    }
    channels["face"] = judged.label
    facts: Row = {
        "channels": channels,
        "odds": odds,
        "signs": list(judged.present),
        "intensity": judged.intensity,
    }
    if judged.label is None:
        detail = f"present: {', '.join(judged.present) or 'no unit'}"
        return {"status": "rejected", "reason": "no rule fits the face", "detail": detail, **facts}
    total = together(counted, weights, labels)
    if not total:
        return {"status": "rejected", "reason": "no channel has information", **facts}
    return {"status": "ok", **_decided(total), **facts}


def _decided(total: Mapping[str, float]) -> Row:
    best = max(total, key=total.__getitem__)
    return {"label": best, "confidence": round(math.exp(total[best]), 4), "total": total}


def face_rules(settings: Settings) -> Rules:
    """The rules of a build."""
    return Rules(settings.rules, get_label_set(settings.labels), settings.faces.relative)
