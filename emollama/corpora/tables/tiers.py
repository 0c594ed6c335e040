"""Subtitles and tiers as rows: .srt, .vtt, ELAN's .eaf and Praat's .TextGrid."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote

import webvtt
from praatio import textgrid
from pympi import Elan

from emollama.base.encodings import read_encoded
from emollama.base.errors import EmollamaError
from emollama.base.paths import need_file
from emollama.corpora.tables.cells import seconds
from emollama.corpora.tables.columns import field_of
from emollama.corpora.tables.reading import Table

SUBTITLES = (".srt", ".vtt")
TIMED = (*SUBTITLES, ".eaf", ".textgrid")
"""Suffixes of files whose rows have a start and an end; lower case."""


@dataclass(frozen=True)
class Interval:
    """Words from `start` to `end`, in seconds."""

    start: float
    end: float
    words: str


@dataclass
class Timed:
    """A file of tiers.

    Attributes:
        path: the file.
        tiers: {name: intervals, in order of time}; subtitles are one tier, "text".
        people: {name of a tier: who is annotated}.
        media: name of the media file that it annotates; without suffix where only that is known.
    """

    path: Path
    tiers: dict[str, list[Interval]]
    people: dict[str, str] = field(default_factory=dict)
    media: str = ""


def read_timed(
    path: Path, asked: Mapping[str, Sequence[str]], encoding: str | None = None
) -> Table:
    """Rows of such a file, or of all of them in a folder: one for each interval with a label.

    The tier that --column names as `label` (or that has one of its usual names) gives the rows; if
    there is none, that of `text`; if there is only one tier, this is the text. Other tiers that
    hold a field give the words that overlap most of an interval. The media file is the one that the
    tiers name, else the one with the name of their file.

    Raises:
        EmollamaError: no such file, one that cannot be read, or tiers of which none can be told to
            hold labels or text.
    """
    files = [path]
    if path.is_dir():
        files = sorted(f for f in path.iterdir() if f.suffix.lower() in TIMED)
        if not files:
            raise EmollamaError(
                f"{path}: is a folder without {', '.join(TIMED)}; a folder of clips is for "
                "`emollama prepare folder`"
            )
    found = [_read(file, encoding) for file in files]
    names = list(dict.fromkeys(name for one in found for name in one.tiers))
    rows = [row for one in found for row in _rows(one, names, asked)]
    if not rows:
        raise EmollamaError(f"{path}: has no interval with words in it")
    columns = ["path", "start", "end", "speaker", *names]
    return Table(path, rows, columns)


def _read(path: Path, encoding: str | None) -> Timed:
    if path.suffix.lower() in SUBTITLES:
        return Timed(path, {"text": read_subtitles(path, encoding)}, media=path.stem)
    return read_tiers(path)


def read_tiers(path: Path) -> Timed:
    """The tiers of an .eaf or .TextGrid file; an interval without words in it has "".

    Raises:
        EmollamaError: no such file, or one that is not valid.
    """
    need_file(path)
    return _eaf(path) if path.suffix.lower() == ".eaf" else _textgrid(path)


def _rows(
    timed: Timed, names: Sequence[str], asked: Mapping[str, Sequence[str]]
) -> list[tuple[str, list[str]]]:
    held = {name: next((f for f, c in asked.items() if name in c), None) for name in timed.tiers}
    held = {name: known or field_of(name) for name, known in held.items()}
    mine = [name for f in ("label", "text") for name, own in held.items() if own == f]
    if not mine and len(timed.tiers) == 1:
        mine = list(timed.tiers)
    if not mine:
        raise EmollamaError(
            f"{timed.path}: no tier is named label or text; name one with --column label=TIER or "
            f"--column text=TIER, one of: {', '.join(timed.tiers) or 'none'}"
        )
    rows = []
    for one in timed.tiers[mine[0]]:
        if not one.words:
            continue
        cells = {name: _during(one, timed.tiers[name]) for name in timed.tiers}
        cells[mine[0]] = one.words
        person = timed.people.get(mine[0], "")
        row = [timed.media, f"{one.start:.3f}", f"{one.end:.3f}", person]
        rows.append((f"{timed.path}: {one.start:g} s", [*row, *(cells.get(n, "") for n in names)]))
    return rows


def _during(span: Interval, tier: Sequence[Interval]) -> str:
    return " ".join(one.words for one in tier if overlaps(one, span.start, span.end))


def overlaps(one: Interval, start: float, end: float) -> bool:
    """Whether more than half of an interval, or of the span, is common to both."""
    common = min(one.end, end) - max(one.start, start)
    return bool(one.words) and common > 0.5 * min(one.end - one.start, end - start)


def read_subtitles(path: Path, encoding: str | None = None) -> list[Interval]:
    """The cues of .srt or .vtt, without mark-up.

    Raises:
        EmollamaError: it cannot be read.
    """
    text = read_encoded(path, encoding)[0]
    try:
        read = webvtt.from_buffer(text.splitlines(keepends=True), format=path.suffix[1:].lower())
        # Not start_in_seconds, which are whole seconds.
        times = [(seconds(c.start, str(path)), seconds(c.end, str(path))) for c in read.captions]
        words = [" ".join(c.text.split()) for c in read.captions]
    except (webvtt.errors.MalformedFileError, webvtt.errors.MalformedCaptionError) as error:
        raise EmollamaError(f"{path}: is not valid {path.suffix[1:]}: {error}") from error
    cues = [Interval(*span, said) for span, said in zip(times, words, strict=True)]
    return sorted(cues, key=lambda one: one.start)


def _eaf(path: Path) -> Timed:
    try:
        read = Elan.Eaf(str(path), suppress_version_warning=True)
        tiers = {}
        for name in read.get_tier_names():
            own = read.get_annotation_data_for_tier(name)
            # Slots without a time (annotations that only divide another) have None.
            tiers[name] = sorted(
                (
                    Interval(a[0] / 1000, a[1] / 1000, " ".join((a[2] or "").split()))
                    for a in own
                    if a[0] is not None and a[1] is not None and a[1] > a[0]
                ),
                key=lambda one: one.start,
            )
        people = {n: p for n in tiers if (p := read.tiers[n][2].get("PARTICIPANT"))}
        linked = [m.get("MEDIA_URL") or "" for m in read.get_linked_files()]
    except (Exception, SystemExit) as error:  # whatever the parser raises on a damaged file
        raise EmollamaError(f"{path}: is not a valid .eaf file: {error}") from error
    names = [unquote(url).replace("\\", "/").rsplit("/", 1)[-1] for url in linked if url]
    return Timed(path, {n: t for n, t in tiers.items() if t}, people, (names or [path.stem])[0])


def _textgrid(path: Path) -> Timed:
    try:
        read = textgrid.openTextgrid(
            str(path), includeEmptyIntervals=False, reportingMode="silence",
            duplicateNamesMode="rename",
        )  # fmt: skip
        tiers = {
            tier.name: [
                Interval(float(e[0]), float(e[1]), " ".join(str(e[2]).split()))
                for e in tier.entries
            ]
            for tier in read.tiers
            if isinstance(tier, textgrid.IntervalTier)
        }
    except Exception as error:  # whatever the parser raises on a damaged file
        raise EmollamaError(f"{path}: is not a valid TextGrid: {error}") from error
    return Timed(path, {n: t for n, t in tiers.items() if t}, media=path.stem)
