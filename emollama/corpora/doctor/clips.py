"""Findings about a single clip, from its recorded facts."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from emollama.corpora.doctor.findings import Finding
from emollama.corpora.doctor.limits import Limits
from emollama.corpora.doctor.look import FaceFacts, FileFacts, MediaFacts
from emollama.manifest.sample import Sample
from emollama.media.lengths import Interval
from emollama.media.suffixes import PICTURE
from emollama.workers.worker import Failure

_REASONS = {
    "missing": "missing",
    "unreadable": "unreadable",
    "no streams": "unreadable",
    "too large": "unreadable",
    "empty span": "empty span",
}
"""Reason of a `MediaError` to kind; every other failure is a crash."""


@dataclass(frozen=True)
class Looked:
    """The facts about a sample's clip.

    Attributes:
        sample: the sample.
        media: facts about its files; a `Failure` if the process that read them died; None if the
            sample names no media.
        face: likewise; None if faces were not searched for, or there is no video.
    """

    sample: Sample
    media: MediaFacts | Failure | None
    face: FaceFacts | Failure | None

    @property
    def files(self) -> list[FileFacts]:
        """The facts about its readable files, video first."""
        if not isinstance(self.media, MediaFacts):
            return []
        both = (self.media.video, self.media.audio)
        return [facts for facts in both if isinstance(facts, FileFacts)]

    @property
    def voice(self) -> FileFacts | None:
        """The file with the voice, if it is readable."""
        if not isinstance(self.media, MediaFacts):
            return None
        facts = self.media.video if self.sample.audio is None else self.media.audio
        return facts if isinstance(facts, FileFacts) else None

    @property
    def span(self) -> Interval:
        """Start and end in the file from the manifest; the end may be infinite."""
        return self.sample.start or 0.0, math.inf if self.sample.end is None else self.sample.end

    @property
    def seconds(self) -> float | None:
        """The clip's length: its span, limited by its files; None if nothing is readable."""
        if not self.files:
            return None
        low, high = self.span
        end = min(high, max(facts.end for facts in self.files))
        return max(end - low, 0.0)

    @property
    def picture(self) -> Interval | None:
        """The part of the span with pictures, in seconds from the file's zero."""
        media = self.media
        facts = media.video if isinstance(media, MediaFacts) else None
        return self._within(facts.picture) if isinstance(facts, FileFacts) else None

    @property
    def sound(self) -> Interval | None:
        """The part of the span with sound, likewise."""
        return self._within(self.voice.sound) if self.voice is not None else None

    def _within(self, track: Interval | None) -> Interval | None:
        if track is None:
            return None
        low, high = self.span
        begin, end = max(track[0], low), min(track[1], high)
        return (begin, end) if begin < end else None


def clip_findings(looked: Looked, limits: Limits) -> list[Finding]:
    """All findings about one clip; [] if it names no media."""
    return [
        Finding(kind, (looked.sample.id,), detail)
        for check in (_failures, _tracks, _length, _face)
        for kind, detail in check(looked, limits)
    ]


_Found = Iterator[tuple[str, str]]


def _failures(looked: Looked, limits: Limits) -> _Found:
    del limits
    media = looked.media
    failed = media if isinstance(media, Failure) else None
    if failed is not None:
        yield "crash", _told(failed)
    if isinstance(media, MediaFacts):
        for facts in (media.video, media.audio):
            if isinstance(facts, Failure):
                failed = facts
                kind = _REASONS.get(facts.reason, "crash")
                yield kind, facts.detail if kind != "crash" else _told(facts)
    # A clip that cannot be opened has no face either: that is told once.
    if isinstance(looked.face, Failure) and failed is None:
        yield "crash", _told(looked.face)


def _tracks(looked: Looked, limits: Limits) -> _Found:
    media = looked.media
    if not isinstance(media, MediaFacts):
        return
    if isinstance(media.video, FileFacts):
        if not media.video.has_picture:
            yield "no picture", f"{looked.sample.video}: holds sound only"
        elif not media.video.frames:
            yield "unreadable", f"{looked.sample.video}: no picture can be decoded"
    voice = looked.voice
    if voice is not None:
        name = looked.sample.audio or looked.sample.video
        if not voice.has_sound:
            yield "no sound", f"{name}: has no sound track"
        elif voice.level is None:
            yield "unreadable", f"{name}: its sound cannot be decoded"
        elif voice.level < limits.silence:
            yield "silent", f"never louder than {voice.level:.0f} dBFS"
    if damaged := sum(facts.damaged for facts in looked.files):
        yield "damaged", f"{damaged} packets of {looked.sample.video or looked.sample.audio}"


def _length(looked: Looked, limits: Limits) -> _Found:
    seconds = looked.seconds
    if seconds is None:
        return
    picture_file = Path(looked.sample.video or "").suffix.lower() in PICTURE
    if seconds < limits.min_seconds and not picture_file:
        yield "too short", f"{seconds:.2f} s"
    if seconds > limits.max_seconds:
        yield "too long", f"{seconds:.1f} s"
    picture, sound = looked.picture, looked.sound
    if (
        picture is not None
        and sound is not None
        and any(abs(a - b) > limits.tolerance for a, b in zip(picture, sound, strict=True))
    ):
        yield "picture and sound differ", f"pictures {_stretch(picture)}, sound {_stretch(sound)}"
    low, high = looked.span
    for facts in looked.files:
        if high < math.inf:
            if facts.end < high - limits.tolerance:
                yield (
                    "not as declared",
                    f"the span {low:g}–{high:g} s extends beyond the end of the file at "
                    f"{facts.end:.2f} s",
                )
        elif facts.stated is not None and abs(facts.stated - facts.end) > limits.tolerance:
            yield (
                "not as declared",
                f"the header says {facts.stated:.2f} s, but its packets end at {facts.end:.2f} s",
            )


def _face(looked: Looked, limits: Limits) -> _Found:
    del limits
    face = looked.face
    if isinstance(face, FaceFacts) and face.frames and not face.with_face:
        yield "faceless", f"no face in any of {face.frames} frames"


def _stretch(track: Interval) -> str:
    return f"{track[0]:.2f}–{track[1]:.2f} s"


def _told(failure: Failure) -> str:
    return f"{failure.reason}: {failure.detail}"
