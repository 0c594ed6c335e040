"""Stage `select`: which clips stay in the set, and in which split.

Copies of a file and near-duplicates of a text are dropped, neutral clips are sampled down to their
share, and a label may be capped; of several, the most certain one stays.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from emollama.merr.build import Build, Counts
from emollama.merr.caption import CAPTION
from emollama.merr.emotion import EMOTION
from emollama.merr.fill import Plan, each, fill
from emollama.merr.measure.tools import CLIPS
from emollama.merr.refine import REFINE
from emollama.merr.rules import NEUTRAL
from emollama.merr.settings import SelectSection
from emollama.merr.stagefile import Row

SELECT = "select"
_SHINGLE, _HASHES, _BANDS = 3, 32, 8


@dataclass(frozen=True)
class Candidate:
    """The facts about a clip for the selection.

    Attributes:
        id: of the clip.
        content: hash of its files.
        label: of the clip.
        confidence: of the label.
        signature: MinHash of its text.
        fine: whether it has a reason.
        speaker: speaker, if known.
        split: from the manifest.
    """

    id: str
    content: str
    label: str
    confidence: float
    signature: tuple[int, ...]
    fine: bool
    speaker: str | None = None
    split: str | None = None


def run_select(build: Build) -> Counts:
    """Rows with split and kind ("fine" or "coarse"), or why a clip is left out."""
    section = build.settings.select
    kept: list[Candidate] = []
    for item in build.items(CLIPS, EMOTION, CAPTION, optional=(REFINE,)):
        refined = item.rows.get(REFINE)
        fine = refined is not None and refined["status"] == "ok"
        text = refined["text"] if refined is not None and fine else item.rows[CAPTION]["text"]
        clip, emotion = item.rows[CLIPS], item.rows[EMOTION]
        content = f"{clip['content']}:{clip.get('start')}:{clip.get('end')}"
        kept.append(
            Candidate(item.id, content, emotion["label"], emotion["confidence"], minhash(text),
                      fine, clip.get("speaker"), clip.get("split"))
        )  # fmt: skip
    out = left_out(kept, section)
    fine_ids = {c.id for c in kept if c.fine}
    stay = [c for c in kept if c.id not in out]
    placed = {c.speaker for c in stay if c.split is not None and c.speaker is not None}
    free = {c.id: c.speaker for c in stay if c.split is None and c.speaker not in placed}
    validation = validation_ids(free, section.validation)
    # A row depends on all clips: what was decided is part of its key.
    decided = hashlib.sha256(
        repr((sorted(out.items()), sorted(fine_ids), sorted(validation))).encode()
    ).hexdigest()
    plan = Plan(SELECT, (CLIPS, EMOTION, CAPTION), 1, [section.model_dump(), decided],
                uses=(CLIPS, CAPTION), own=True)  # fmt: skip

    def row(clip: str, split: str | None) -> Row:
        if clip in out:
            return {"status": "rejected", "reason": out[clip][0], "detail": out[clip][1]}
        own = split or ("val" if clip in validation else "train")
        return {"status": "ok", "split": own, "kind": "fine" if clip in fine_ids else "coarse"}

    return fill(build, plan, each(lambda item: row(item.id, item.rows[CLIPS].get("split"))))


def left_out(clips: Sequence[Candidate], section: SelectSection) -> dict[str, tuple[str, str]]:
    """{id: (reason, detail)} of the clips left out."""
    out: dict[str, tuple[str, str]] = {}
    first: dict[str, str] = {}
    for clip in clips:
        if clip.content in first:
            out[clip.id] = ("duplicate file", f"the same as {first[clip.content]}")
        first.setdefault(clip.content, clip.id)
    for later, earlier in near_duplicates([c for c in clips if c.id not in out], section):
        out[later] = ("near-duplicate text", f"like {earlier}")
    left = [c for c in clips if c.id not in out]
    others = sum(c.label != NEUTRAL for c in left)
    share = section.neutral
    most = {NEUTRAL: len(left) if share >= 1 else int(others * share / (1 - share) + 0.5)}
    if not others:
        most = {}
    for label, count in Counter(c.label for c in left).items():
        cap = min(most.get(label, count), section.most_of_a_label or count)
        ranked = sorted((c for c in left if c.label == label), key=lambda c: (-c.confidence, c.id))
        for clip in ranked[cap:]:
            neutral = label == NEUTRAL and cap == most.get(label, -1)
            why = "neutral beyond its share" if neutral else "label is full"
            out[clip.id] = (why, f"confidence {clip.confidence:.2f}")
    return out


def validation_ids(speakers: Mapping[str, str | None], every: int) -> set[str]:
    """About one clip in `every` for validation, all clips of a speaker on one side.

    Chosen by hash, so that neighbouring names are not all on one side. If whole speakers give less
    than half or more than twice the share, there are too few of them, and single clips are chosen.

    Args:
        speakers: by clip id; None if unknown.
        every: 0 for no validation split.
    """
    if not every:
        return set()
    wanted = len(speakers) / every
    together: dict[str, list[str]] = defaultdict(list)
    for clip, speaker in speakers.items():
        together[f"clip {clip}" if speaker is None else f"speaker {speaker}"].append(clip)
    chosen = _nearest(together, wanted)
    if wanted / 2 <= len(chosen) <= wanted * 2:
        return chosen
    return _nearest({f"clip {clip}": [clip] for clip in speakers}, wanted)


def _nearest(groups: Mapping[str, Sequence[str]], wanted: float) -> set[str]:
    """Whole groups, ordered by hash, as long as each brings the total closer to the number."""
    chosen: set[str] = set()
    for name in sorted(groups, key=lambda name: hashlib.sha256(name.encode()).digest()):
        own = groups[name]
        if abs(len(chosen) + len(own) - wanted) < abs(len(chosen) - wanted):
            chosen.update(own)
    return chosen


def minhash(text: str) -> tuple[int, ...]:
    """Signature of a text: the minimum of each hash function over triples of words."""
    words = re.findall(r"\w+", text.lower())
    triples = {" ".join(words[i : i + _SHINGLE]) for i in range(max(len(words) - _SHINGLE + 1, 1))}
    values = [int.from_bytes(hashlib.blake2b(t.encode(), digest_size=8).digest(), "big")
              for t in sorted(triples)]  # fmt: skip
    prime = (1 << 61) - 1
    return tuple(
        min((value * (2 * k + 1) * 0x9E3779B97F4A7C15 + k * 0xBF58476D1CE4E5B9) % prime
            for value in values)
        for k in range(_HASHES)
    )  # fmt: skip


def resemblance(first: Sequence[int], second: Sequence[int]) -> float:
    """Estimated Jaccard similarity of two texts from their signatures."""
    return sum(a == b for a, b in zip(first, second, strict=True)) / len(first)


def near_duplicates(clips: Iterable[Candidate], section: SelectSection) -> list[tuple[str, str]]:
    """(later, earlier) pairs of texts at least `section.duplicates` alike; 1 finds none.

    Only texts that share a band of their signatures are compared.
    """
    if section.duplicates >= 1:
        return []
    buckets: dict[tuple[int, tuple[int, ...]], list[Candidate]] = defaultdict(list)
    size = _HASHES // _BANDS
    found: list[tuple[str, str]] = []
    for clip in clips:
        bands = [(b, clip.signature[b * size : (b + 1) * size]) for b in range(_BANDS)]
        near = {c.id: c for band in bands for c in buckets[band]}
        like = next(
            (c for c in near.values()
             if resemblance(c.signature, clip.signature) >= section.duplicates),
            None,
        )  # fmt: skip
        if like is not None:
            found.append((clip.id, like.id))
            continue
        for band in bands:
            buckets[band].append(clip)
    return found
