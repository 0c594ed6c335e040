"""Samples and manifests: the clips of a corpus and their targets.

A manifest is JSON Lines. The first line is the header,
`{"manifest": {"version": 1, "corpus": "ravdess", "labels": {...}}}`; each further line is one
`Sample`. Media paths are relative to the manifest's own folder, or absolute.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from emollama.base.errors import EmollamaError
from emollama.base.files import parse_row, read_lines, write_jsonl
from emollama.manifest.channels import Channel
from emollama.manifest.labels import LabelSet
from emollama.manifest.paths import need_manifest

MANIFEST_VERSION = 1
LONGEST_CONTEXT = 12
"""How many earlier turns of a conversation a sample keeps."""
LONGEST_ID = 200
"""Longest id, in characters: ids name files."""


class Targets(BaseModel):
    """The targets of a sample; each is None where the corpus does not give it.

    `emotion` is a label of the manifest's label set, `native` the corpus's own word for it.
    `emotions` are intensities by name where a clip shows several at once (0: not shown). `votes`
    say how many of several annotators chose each label (or which share of them): a label without a
    vote may be left out. `words` is the set of words that annotators found, of any vocabulary.
    `sentiment` is from -3 to 3, `valence` and `arousal` of the whole clip from -1 to 1 or in the
    corpus' own range; `frames` names a file of targets over time, relative to the manifest as media
    are.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    emotion: str | None = None
    reason: str | None = None
    native: str | None = None
    emotions: dict[str, float] | None = None
    votes: dict[str, float] | None = None
    words: tuple[str, ...] | None = None
    sentiment: float | None = None
    valence: float | None = None
    arousal: float | None = None
    frames: str | None = None

    def shares(self) -> dict[str, float] | None:
        """The votes as shares that sum to 1; None where there are none."""
        if self.votes is None:
            return None
        total = math.fsum(self.votes.values())
        return {label: count / total for label, count in self.votes.items()}


class Sample(BaseModel):
    """A clip with its id, subtitle, speaker, split, group and targets.

    `video` is the file that frames come from, `audio` the one the voice comes from; where
    `audio` is None the voice is the audio track of `video`. `start` and `end` are seconds in
    the file. `fps` is the rate of a `video` that is a folder of numbered pictures (None: 25 a
    second). `view` is the part of the upright picture that shows the person, left, top, right and
    bottom as shares of its width and height; frames are cut to it (None: the whole picture).
    `mute` says that the sound is of others, as where the person listens: it is not decoded.
    `face` is who is seen, where that is not the speaker. `group` is the unit that a split must keep
    whole (a speaker, a session). `context`
    holds the earlier turns of the same conversation, oldest first, as "SPEAKER: words". `clues` are
    descriptions of a channel that come with the corpus, e.g. {"voice": "speaks calmly"}. `truth`
    holds what a synthetic corpus knows about each channel, e.g. {"voice": "sad"}.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str = Field(min_length=1, max_length=LONGEST_ID)
    video: str | None = None
    audio: str | None = None
    start: float | None = Field(default=None, ge=0)
    end: float | None = Field(default=None, gt=0)
    fps: float | None = Field(default=None, gt=0, le=1000, allow_inf_nan=False)
    view: tuple[float, float, float, float] | None = None
    mute: bool = False
    text: str | None = None
    context: tuple[str, ...] = Field(default=(), max_length=LONGEST_CONTEXT)
    speaker: str | None = None
    face: str | None = None
    group: str | None = None
    split: str | None = None
    targets: Targets = Targets()
    clues: dict[Literal["voice", "face"], str] = Field(default_factory=dict)
    truth: dict[str, Any] = Field(default_factory=dict)


@dataclass(frozen=True)
class Manifest:
    """A corpus as read from one file; `split_sha256` is the hash of its split file, if any.

    `lacks`: channels that are never read, whatever the features hold.
    """

    path: Path
    corpus: str
    labels: LabelSet
    samples: tuple[Sample, ...]
    split_sha256: str | None = None
    lacks: frozenset[Channel] = frozenset()

    def lacking(self, sample_id: str) -> frozenset[Channel]:
        """Channels that are never read of a sample."""
        del sample_id
        return self.lacks

    def media(self, name: str) -> Path:
        """The path of a media file that a sample names."""
        path = Path(name)
        return path if path.is_absolute() else self.path.parent / path

    def split(self, name: str) -> tuple[Sample, ...]:
        """The samples of a split, or of several ("train+val").

        An unknown split is an `EmollamaError`.
        """
        names = name.split("+")
        known = sorted({s.split or "(none)" for s in self.samples})
        for part in names:
            if part not in known:
                hint = (
                    "; no sample has a split: write a split file with `emollama split` and give "
                    "it as data.split_file, or as --split-file of `emollama explain`"
                )
                raise EmollamaError(
                    f"{self.path}: split '{part}' has no samples; splits in the "
                    "manifest: "
                    f"{', '.join(known)}"
                    f"{hint if known == ['(none)'] else ''}"
                )
        return tuple(s for s in self.samples if s.split in names)


@dataclass(frozen=True)
class LineFault:
    """An invalid line of a manifest: its number, what is wrong, and its id if known.

    `message` is one line that begins with file and line number; `twice` is True where the line
    itself is valid, but an earlier line has the same id.
    """

    line: int
    message: str
    id: str | None = None
    twice: bool = False


def read_manifest(path: Path) -> Manifest:
    """Read and validate a manifest: schema, distinct ids that can name files, known labels."""
    return scan_manifest(path, _refuse)


def require_name(name: str, where: str) -> None:
    """Check that an id can name a feature file; otherwise raise an `EmollamaError`."""
    if not 0 < len(name) <= LONGEST_ID or not name.isprintable() or not stays_inside(name):
        raise EmollamaError(
            f"{where}: '{name[:80]}' is not a valid id: use 1 to {LONGEST_ID} printable "
            "characters, and no path that leaves its folder"
        )


def stays_inside(sample_id: str) -> bool:
    """Whether `<id>.npy` lies inside the folder it is looked up in."""
    path = PurePosixPath(sample_id)
    return not (path.is_absolute() or ".." in path.parts or "\0" in sample_id or not path.parts)


def _refuse(fault: LineFault) -> None:
    raise EmollamaError(fault.message)


def scan_manifest(path: Path, complain: Callable[[LineFault], None]) -> Manifest:
    """Read a manifest; pass each invalid line to `complain` and leave it out.

    Raises:
        EmollamaError: the file or its header cannot be read, or there is no usable sample.
    """
    if path.suffix.lower() not in (".json", ".txt"):  # which a manifest may be called
        need_manifest(path)
    lines = list(read_lines(path))
    if not lines:
        raise EmollamaError(f"{path}: is empty; a manifest begins with a header line")
    first = lines[0][0]
    header = parse_row(path, *lines[0]).get("manifest")
    if not isinstance(header, dict):
        raise EmollamaError(
            f"{path}:{first}: the first line must be the manifest header; `emollama "
            "prepare` makes manifests of tables, folders and corpora"
        )
    if "labels" not in header:
        raise EmollamaError(f"{path}:{first}: the header has no 'labels'")
    if header.get("version") != MANIFEST_VERSION:
        raise EmollamaError(
            f"{path}:{first}: manifest version {header.get('version')} is not "
            "supported; this release reads version "
            f"{MANIFEST_VERSION}"
        )
    try:
        declared = header["labels"]
        if not isinstance(declared, dict) or not isinstance(declared["labels"], list):
            raise TypeError("labels")
        labels = LabelSet(
            str(declared["name"]), tuple(declared["labels"]), dict(declared.get("synonyms", {}))
        )
    except (KeyError, TypeError, ValueError) as error:
        raise EmollamaError(
            f"{path}:{first}: 'labels' must hold a name and a list of labels"
        ) from error
    samples: list[Sample] = []
    seen: dict[str, int] = {}
    for number, line in lines[1:]:
        try:
            sample = _parse_sample(path, number, parse_row(path, number, line), labels)
        except EmollamaError as error:
            complain(LineFault(number, str(error)))
            continue
        if sample.id in seen:
            message = (
                f"{path}:{number}: id '{sample.id}' is already on line {seen[sample.id]}; "
                "ids must be distinct"
            )
            complain(LineFault(number, message, sample.id, twice=True))
            continue
        seen[sample.id] = number
        samples.append(sample)
    if not samples:
        what = "only a header line" if len(lines) == 1 else "no line is valid"
        raise EmollamaError(f"{path}: holds no samples, {what}")
    return Manifest(path, str(header.get("corpus", "")), labels, tuple(samples))


def _parse_sample(path: Path, number: int, row: dict[str, Any], labels: LabelSet) -> Sample:
    try:
        sample = Sample.model_validate(row)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise EmollamaError(f"{path}:{number}: '{key}': {first['msg']}") from error
    require_name(sample.id, f"{path}:{number}: 'id'")
    for key, value in (("start", sample.start), ("end", sample.end)):
        if value is not None and not math.isfinite(value):
            raise EmollamaError(f"{path}:{number}: '{key}' must be a finite number of seconds")
    if sample.start is not None and sample.end is not None and sample.end <= sample.start:
        raise EmollamaError(f"{path}:{number}: 'end' {sample.end} is not after 'start'")
    if sample.view is not None and not _is_box(sample.view):
        raise EmollamaError(
            f"{path}:{number}: 'view' {list(sample.view)} is no part of a picture: it must be "
            "[left, top, right, bottom] with 0 <= left < right <= 1 and 0 <= top < bottom <= 1"
        )
    targets = _with_labels(sample.targets, labels, f"{path}:{number}: targets")
    return sample if targets == sample.targets else sample.model_copy(update={"targets": targets})


def _is_box(view: tuple[float, float, float, float]) -> bool:
    left, top, right, bottom = view
    return 0 <= left < right <= 1 and 0 <= top < bottom <= 1


def _with_labels(targets: Targets, labels: LabelSet, where: str) -> Targets:
    """Targets with labels of the set in place of synonyms; votes and words are checked."""
    update: dict[str, Any] = {}
    if targets.emotion is not None:
        update["emotion"] = labels.require(targets.emotion, f"{where}.emotion")
    if targets.votes is not None:
        votes = {labels.require(w, f"{where}.votes"): n for w, n in targets.votes.items()}
        if len(votes) < len(targets.votes):
            raise EmollamaError(f"{where}.votes: a label is named twice")
        odd = next((w for w, n in votes.items() if n < 0), None)
        if odd is not None:
            raise EmollamaError(f"{where}.votes: '{odd}' is {votes[odd]}; votes are 0 or more")
        if not any(votes.values()):
            raise EmollamaError(f"{where}.votes: no label has a vote; leave votes out")
        update["votes"] = votes
    if targets.words is not None:
        words = [" ".join(word.split()) for word in targets.words]
        if not words or not all(words) or len({w.lower() for w in words}) < len(words):
            raise EmollamaError(f"{where}.words: must be distinct words, and at least one")
        update["words"] = tuple(words)
    return targets.model_copy(update=update)


def write_manifest(path: Path, corpus: str, labels: LabelSet, samples: Sequence[Sample]) -> None:
    """Write a manifest atomically; it is read back the same by `read_manifest`."""
    header = {"version": MANIFEST_VERSION, "corpus": corpus, "labels": labels.to_dict()}

    def rows() -> Iterable[dict[str, Any]]:
        yield {"manifest": header}
        for sample in samples:
            yield sample.model_dump(mode="json", exclude_defaults=True)

    write_jsonl(path, rows())
