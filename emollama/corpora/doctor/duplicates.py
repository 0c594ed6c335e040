"""The same clip, or the same words, under several ids."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence

from emollama.corpora.doctor.clips import Looked
from emollama.corpora.doctor.findings import Finding
from emollama.corpora.doctor.limits import Limits
from emollama.corpora.doctor.splits import counts, ids
from emollama.manifest.sample import Sample


def media_duplicates(clips: Sequence[Looked], limits: Limits) -> list[Finding]:
    """Clips with the same content: equal bytes and span, or equal decoded sound.

    A copy in another container, or with other tags, has other bytes and the same sound. Silent
    clips all sound the same and are compared by their bytes only.
    """
    same: dict[tuple[object, ...], list[Sample]] = {}
    for clip in clips:
        keys: list[tuple[object, ...]] = [("file", facts.digest, clip.span) for facts in clip.files]
        voice = clip.voice
        if voice is not None and voice.level is not None and voice.level >= limits.silence:
            keys.append(("sound", voice.sound_digest))
        for key in dict.fromkeys(keys):
            same.setdefault(key, []).append(clip.sample)
    findings = []
    told: set[tuple[str, ...]] = set()
    for key in sorted(same, key=lambda k: k[0] == "sound"):
        samples = same[key]
        if len(samples) < 2 or ids(samples) in told:
            continue
        told.add(ids(samples))
        what = "the same file" if key[0] == "file" else "the same sound"
        labels = sorted({s.targets.emotion for s in samples if s.targets.emotion is not None})
        detail = f"{what}: {counts(samples)}"
        if len({s.split for s in samples if s.split is not None}) > 1:
            findings.append(Finding("duplicate media across splits", ids(samples), detail))
        else:
            findings.append(Finding("duplicate media within a split", ids(samples), detail))
        if len(labels) > 1:
            detail = f"{what}: {', '.join(labels)}"
            findings.append(Finding("duplicate media, other label", ids(samples), detail))
    return findings


def text_duplicates(samples: Sequence[Sample], limits: Limits) -> list[Finding]:
    """Texts of at least `text_words` words that are equal except for case and punctuation."""
    same: dict[str, list[Sample]] = {}
    for sample in samples:
        words = plain(sample.text or "")
        if words and words.count(" ") + 1 >= limits.text_words:
            same.setdefault(words, []).append(sample)
    return list(_told(same))


def _told(same: dict[str, list[Sample]]) -> Iterator[Finding]:
    for samples in same.values():
        if len(samples) < 2:
            continue
        across = len({s.split for s in samples if s.split is not None}) > 1
        kind = "across splits" if across else "within a split"
        text = " ".join((samples[0].text or "").split())
        shown = text if len(text) <= 60 else text[:59] + "…"
        yield Finding(f"duplicate text {kind}", ids(samples), f"“{shown}”: {counts(samples)}")


def plain(text: str) -> str:
    """Words in lower case, separated by one space; apostrophes are removed, "don't" is "dont"."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return " ".join(re.sub(r"[^\w\s]", " ", re.sub(r"['’]", "", folded)).split())
