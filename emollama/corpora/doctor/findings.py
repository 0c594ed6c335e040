"""Findings: every kind of fault that the doctor knows, with its severity."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning"]


@dataclass(frozen=True)
class Kind:
    """A kind of finding: an error would spoil a result, a warning should be known."""

    severity: Severity
    means: str


KINDS: dict[str, Kind] = {
    # the manifest
    "invalid line": Kind("error", "a line of the manifest that cannot be read as a sample"),
    "id twice": Kind("error", "an id that an earlier line already has"),
    "empty sample": Kind("warning", "a sample that names neither media nor text"),
    "nothing usable": Kind("error", "no sample has a readable file, a text or clues"),
    # one clip
    "missing": Kind("error", "a file that the sample names does not exist"),
    "unreadable": Kind(
        "error", "a file in which nothing, or no picture, or no sound can be decoded"
    ),
    "empty span": Kind("error", "start and end lie outside the file"),
    "crash": Kind("error", "the process that checked the clip died, hung or failed"),
    "damaged": Kind("warning", "packets that cannot be decoded and are skipped"),
    "no picture": Kind("warning", "the file named as video holds no pictures"),
    "no sound": Kind("warning", "no sound track in the file of the voice"),
    "silent": Kind("warning", "the sound is too quiet to be a voice"),
    "faceless": Kind("warning", "no face in any of the frames checked"),
    "too short": Kind("warning", "shorter than --min-seconds"),
    "too long": Kind("warning", "longer than --max-seconds"),
    "picture and sound differ": Kind("warning", "one starts or ends well before the other"),
    "not as declared": Kind("warning", "its length differs from its header or its span"),
    # the splits
    "split name": Kind("warning", "a split that presets look for under another name"),
    "group in several splits": Kind("error", "a group with samples in several splits"),
    "speaker in several splits": Kind("warning", "a speaker in training is also tested"),
    "face in several splits": Kind("warning", "a face in training is also tested"),
    "recording in several splits": Kind("warning", "spans of one file in several splits"),
    "overlapping spans": Kind("error", "the same moments of one file in several splits"),
    "duplicate media across splits": Kind("error", "the same clip in several splits"),
    "duplicate media within a split": Kind("warning", "the same clip under several ids"),
    "duplicate media, other label": Kind("error", "the same clip with different labels"),
    "duplicate text across splits": Kind("warning", "the same words in several splits"),
    "duplicate text within a split": Kind("warning", "the same words under several ids"),
    # the labels
    "label not in train": Kind("error", "a label that is tested but never trained"),
    "rare label": Kind("warning", "fewer samples of a label in a split than --min-label"),
    # the feature store
    "unreadable features": Kind("error", "an encoder's folder, or a shard of it, is not usable"),
    "missing track": Kind("error", "the store has no track of this clip"),
    "failed track": Kind("error", "the extraction failed on this clip"),
    "not finite": Kind("error", "NaN or infinity in a track"),
    "track too long": Kind("error", "the track extends beyond the end of the clip"),
    "track too short": Kind("warning", "the track ends in the first half of the clip"),
    "other media": Kind("warning", "the media or the subtitle changed after the extraction"),
}
"""Name to severity and meaning, in the order of a report."""


@dataclass(frozen=True)
class Finding:
    """A finding.

    Attributes:
        kind: a key of `KINDS`.
        ids: the samples concerned, in the manifest's order; () if it concerns none in particular.
        detail: one line with the details.
    """

    kind: str
    ids: tuple[str, ...]
    detail: str

    @property
    def severity(self) -> Severity:
        """The severity of its kind."""
        return KINDS[self.kind].severity

    def to_dict(self) -> dict[str, object]:
        """Plain data for the JSON report."""
        return {
            "severity": self.severity,
            "kind": self.kind,
            "ids": list(self.ids),
            "detail": self.detail,
        }


def in_order(findings: Sequence[Finding]) -> list[Finding]:
    """Errors first, then by kind in the order of `KINDS`; a stable sort."""
    place = {name: i for i, name in enumerate(KINDS)}
    return sorted(findings, key=lambda f: (f.severity != "error", place[f.kind]))
