"""A row of a table as a clip: its files, span, words and the labels that annotators gave it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from emollama.base.errors import EmollamaError
from emollama.corpora.tables import files
from emollama.corpora.tables.cells import listed, number, seconds, turns
from emollama.corpora.tables.columns import MEDIA_FIELDS, NUMBERS, Columns
from emollama.corpora.tables.words import Wording
from emollama.manifest.sample import LONGEST_CONTEXT
from emollama.media.suffixes import SOUND


@dataclass
class Clip:
    """A clip as its row says, before it has an id.

    Attributes:
        where: "file:line" of its first row.
        id: as given, or None.
        media: {"video" or "audio": file}.
        start, end: seconds in the file.
        cells: {field: text} of what is taken as it is.
        numbers: {field: value}, one an annotator.
        labels: each annotator's labels.
        shown: {label: intensity} where a column a label says so.
    """

    where: str
    id: str | None
    media: dict[str, Path]
    start: float | None
    end: float | None
    cells: dict[str, str]
    numbers: dict[str, list[float]] = field(default_factory=dict)
    labels: list[tuple[str, ...]] = field(default_factory=list)
    shown: dict[str, float] | None = None

    @property
    def file(self) -> Path | None:
        """The file that names it: the video, else the sound."""
        return self.media.get("video") or self.media.get("audio")

    @property
    def key(self) -> tuple[object, ...]:
        """Equal for rows of one clip by several annotators."""
        if self.id is not None:
            return (self.id,)
        return (*self.media.values(), self.start, self.end, None if self.media else self.where)

    def add(self, other: Clip) -> None:
        """Add what another annotator says of the same clip."""
        self.labels += other.labels
        for name, values in other.numbers.items():
            self.numbers.setdefault(name, []).extend(values)
        for name, cell in other.cells.items():
            self.cells.setdefault(name, cell)


def read_clip(
    where: str,
    cells: Sequence[str],
    columns: Columns,
    wording: Wording,
    finder: files.MediaFinder,
) -> Clip:
    """The clip of a row.

    Raises:
        EmollamaError: an invalid number or label, several files of one kind, or no file although
            the table has a column of them; it names the line and the column.
    """
    of = {name: cells[own[0]] for name, own in columns.of.items() if cells[own[0]]}
    media = _media(where, of, columns, finder)
    start, end = (
        seconds(of[name], f"{where}: column '{name}'") if name in of else None
        for name in ("start", "end")
    )
    if not media:
        start = end = None  # of a recording that is not there
    if end is not None and end <= (start or 0.0):
        raise EmollamaError(
            f"{where}: column 'end': {end:g} s is not after the start at {start or 0:g} s"
        )
    clip = Clip(where, of.get("id"), media, start, end, of)
    for name in NUMBERS:
        if name in of:
            clip.numbers[name] = [number(of[name], f"{where}: column '{name}'")]
    for place in columns.of.get("label", ()):
        if cells[place]:
            at = f"{where}: column 'label'"
            found = (wording.label(part, at) for part in wording.parts(cells[place]))
            labels = tuple(dict.fromkeys(label for label in found if label))
            if labels:
                clip.labels.append(labels)
    if columns.shown and any(cells[i] for i in columns.shown.values()):
        clip.shown = {
            label: number(cells[i], f"{where}: column of '{label}'") if cells[i] else 0.0
            for label, i in columns.shown.items()
        }
        odd = next((label for label, value in clip.shown.items() if value < 0), None)
        if odd is not None:
            raise EmollamaError(f"{where}: column of '{odd}': {clip.shown[odd]:g} is below 0")
    return clip


def _media(
    where: str, of: dict[str, str], columns: Columns, finder: files.MediaFinder
) -> dict[str, Path]:
    """The row's files as {"video": ..., "audio": ...}, at least one where there is a column."""
    media: dict[str, Path] = {}
    for name, kinds in (("video", files.SEEN), ("audio", files.HEARD)):
        if cell := of.get(name):
            media[name] = finder.find(cell, f"{where}: column '{name}'", kinds)
    if cell := of.get("path"):
        path = finder.find(cell, f"{where}: column 'path'", files.ANY)
        kind = "audio" if path.suffix.lower() in SOUND else "video"
        if kind in media:
            raise EmollamaError(
                f"{where}: column 'path': '{cell}' is a second {kind} file in this row"
            )
        media = {kind: path, **media}
    if not media and any(name in columns.of for name in MEDIA_FIELDS) and not of.get("text"):
        name = next(name for name in MEDIA_FIELDS if name in columns.of)
        raise EmollamaError(
            f"{where}: column '{name}': is empty; each row needs a media file or a text"
        )
    return media


def joined(clips: list[Clip], annotated: bool) -> tuple[list[Clip], int]:
    """Clips with the rows of further annotators added, and how many rows were added.

    Args:
        clips: one a row.
        annotated: whether the table names annotators; without them each row is a clip.
    """
    if not annotated:
        return clips, 0
    found: dict[tuple[object, ...], Clip] = {}
    for clip in clips:
        if clip.key in found:
            found[clip.key].add(clip)
        else:
            found[clip.key] = clip
    return list(found.values()), len(clips) - len(found)


def named(clips: Sequence[Clip], table: Path) -> None:
    """Give each clip without an id one: the name of its file without suffix.

    Several spans of a file get their times as well (`talk_12.5-14.2`), several files of one name
    the folders in which they differ (`s1/01`), clips without a file the table's name and a number.

    Raises:
        EmollamaError: two clips have one id; it names both lines.
    """
    open_ = [clip for clip in clips if clip.id is None]
    uses = Counter(clip.file for clip in open_)
    alike: dict[str, list[Path]] = {}
    for file in uses:
        if file is not None:
            alike.setdefault(_stem(file).casefold(), []).append(file)
    for place, clip in enumerate(clips, start=1):
        if clip.id is not None:
            continue
        if clip.file is None:
            clip.id = f"{table.stem}-{place:05d}"
            continue
        clip.id = _stem(clip.file)
        others = alike[clip.id.casefold()]
        if len(others) > 1:
            clip.id = _with_folder(clip.file, others)
        if uses[clip.file] > 1 and (clip.start is not None or clip.end is not None):
            end = "" if clip.end is None else _short(clip.end)
            clip.id += f"_{_short(clip.start or 0.0)}-{end}"
    first: dict[str, str] = {}
    for clip in clips:
        assert clip.id is not None
        if clip.id in first:
            raise EmollamaError(
                f"{clip.where}: id '{clip.id}' is already at {first[clip.id]}; add an 'id' column "
                "to distinguish clips, or a column 'annotator' where several people judged one"
            )
        first[clip.id] = clip.where


def _short(seconds: float) -> str:
    return f"{seconds:.3f}".rstrip("0").rstrip(".")


def _stem(file: Path) -> str:
    return file.stem.strip() or file.name


def _with_folder(file: Path, others: list[Path]) -> str:
    """The name with as many folders as set it apart from other files of the name."""
    own = [*file.parent.parts, _stem(file)]
    rest = [[*o.parent.parts, _stem(o)] for o in others if o != file]
    for depth in range(2, len(own)):
        if all(parts[-depth:] != own[-depth:] for parts in rest):
            return "/".join(own[-depth:])
    return file.name


def context_of(cell: str) -> tuple[str, ...]:
    """The last turns of a conversation that a sample keeps."""
    return turns(cell)[-LONGEST_CONTEXT:]


def words_of(cell: str) -> tuple[str, ...]:
    """A set of words of any vocabulary; each once, whatever its case."""
    found: dict[str, str] = {}
    for word in listed(cell):
        found.setdefault(word.casefold(), word)
    return tuple(found.values())
