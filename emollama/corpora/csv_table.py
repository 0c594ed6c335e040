"""Any corpus as a table: a CSV or TSV of paths, texts and labels, one row per clip."""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from emollama.base.csv_rows import records
from emollama.base.errors import EmollamaError, did_you_mean
from emollama.base.files import read_text
from emollama.corpora.collection import missing
from emollama.corpora.overlaps import overlaps
from emollama.corpora.report import PrepareReport
from emollama.corpora.shares import SHARES, Shared, parse_shares, split_by_shares
from emollama.corpora.splits import k_fold, leave_one_group_out, require_whole_groups, with_split
from emollama.manifest.labels import LabelSet
from emollama.manifest.paths import path_in_manifest
from emollama.manifest.sample import Sample, Targets, require_name, write_manifest

FIELDS = (
    "path", "video", "audio", "id", "text", "label", "speaker", "group", "split", "start", "end",
)  # fmt: skip
"""Fields of a clip in a table; each is the name of its column unless mapped to another."""

_OTHER_NAMES = {
    "label": ("emotion", "emotions"),
    "path": ("file", "filename", "file_name", "clip"),
}  # lower case; columns that often hold a field
_MEDIA = ("path", "video", "audio")
_SOUND = frozenset({".wav", ".flac", ".mp3", ".m4a", ".aac", ".ogg", ".opus", ".wma"})
# No complete list of media suffixes exists; these are surely something else.
_NO_MEDIA = frozenset(
    {".txt", ".csv", ".tsv", ".json", ".jsonl", ".xml", ".yaml", ".yml", ".md", ".srt", ".vtt",
     ".pdf", ".doc", ".docx", ".xls", ".xlsx", ".html", ".py", ".npy", ".npz", ".zip", ".gz"}
)  # fmt: skip


@dataclass(frozen=True)
class _Row:
    """A record of the table: its cells by field, stripped, and the position of its first line."""

    where: str
    cells: dict[str, str]

    def get(self, field: str) -> str | None:
        return self.cells.get(field) or None


def prepare_csv(
    table: Path,
    out: Path,
    *,
    labels: LabelSet,
    columns: Mapping[str, str] | None = None,
    media_root: Path | None = None,
    split: str | None = None,
    seed: int = 0,
    shares: str | None = None,
) -> PrepareReport:
    """Write a manifest from a table with a header line.

    Columns are those of `FIELDS`; `label` and one of `path`, `video`, `audio` must be there. A
    `path` is sound or video by its suffix. An empty cell means unknown: no label (a clip to
    predict), no text, no speaker. The default id is the file's name without its suffix; the default
    group is the speaker. Cells are separated by commas, semicolons or tabs, as in the header.

    Args:
        table: the CSV, UTF-8 with or without a byte order mark.
        out: the manifest.
        labels: the label set; synonyms are replaced by their label.
        columns: {field: column} where a column has another name.
        media_root: folder that relative paths start from; the table's own by default.
        split: None for the table's own split or, where it has none, one by `shares`; "fold=I/K"
            for fold I (from 0) of K by group, "leave=GROUP" to test on one group, "none".
        seed: of the folds and shares.
        shares: percent of train, val and test, "70/15/15" by default, by speaker or group where
            there are enough, else by clip; replaces the table's own split.

    Returns:
        The report; rows whose media file is missing are left out and listed.

    Raises:
        EmollamaError: a missing column, an unknown label, an invalid number, a duplicate id, a
            split that cuts a group or a span, or no row with a file; it names the table's line.
    """
    rows, notes = _read(table, dict(columns or {}))
    root = media_root if media_root is not None else table.parent
    if not root.is_dir():
        raise EmollamaError(f"{root}: is not a folder; relative paths in {table} start from it")
    samples: list[Sample] = []
    rejected: dict[str, str] = {}
    first: dict[str, str] = {}
    odd: list[str] = []
    for row in rows:
        media = _media(row, root)
        name = row.get("id") or next(iter(media.values())).stem
        if name in first:
            hint = (
                ""
                if row.get("id")
                else "; add an 'id' column to distinguish clips of the same name"
            )
            raise EmollamaError(f"{row.where}: id '{name}' is already at {first[name]}{hint}")
        first[name] = row.where
        sample = _sample(row, name, media, labels, out)
        absent = next((path for path in media.values() if missing(path)), None)
        if absent is not None:
            rejected[f"{row.where}: {absent}"] = f"media {missing(absent)}"
        else:
            samples.append(sample)
            odd += _no_media(row.where, media)
    if not samples:
        raise _no_file(table, rows, rejected, root)
    if odd:
        notes.append(odd[0] + (f", and {len(odd) - 1} more" if odd[1:] else ""))
    chosen, split_notes = _split(tuple(samples), table, split, seed, shares, rows[0].cells)
    shared = overlaps(chosen)
    for found in shared:
        if found.leaks():
            raise EmollamaError(
                f"{first[found.later.id]}: {found} of {first[found.earlier.id]}, which is in split "
                f"'{found.earlier.split}' and not in '{found.later.split}'"
            )
    if shared:
        split_notes.append(
            f"{len(shared)} spans overlap another span of their file, e.g. {shared[0]}"
        )
    unlabelled = sum(1 for s in chosen if s.targets.emotion is None)
    if unlabelled:
        notes.append(f"{unlabelled} without a label")
    write_manifest(out, table.stem, labels, chosen)
    return PrepareReport.of(out, chosen, rejected, [*notes, *split_notes])


def _no_file(table: Path, rows: list[_Row], rejected: dict[str, str], root: Path) -> EmollamaError:
    """What is wrong where every row's file is missing."""
    cell = next(c for f in _MEDIA if (c := rows[0].get(f)))
    example, why = next(iter(rejected.items()))  # "table:line: file", "media file is missing"
    hint = (
        ""
        if Path(cell).is_absolute()
        else f"; relative paths start from {root}, which media_root (--media-root) changes"
    )
    if len(rows) == 1:
        return EmollamaError(f"{example}: {why}{hint}")
    file = example.removeprefix(f"{rows[0].where}: ")
    return EmollamaError(f"{table}: none of the {len(rows)} media files exists, e.g. {file}{hint}")


def _no_media(where: str, media: dict[str, Path]) -> list[str]:
    return [
        f"{where}: '{path.name}' is no video or sound by its suffix"
        for path in media.values()
        if path.suffix.lower() in _NO_MEDIA
    ]


def _read(table: Path, columns: dict[str, str]) -> tuple[list[_Row], list[str]]:
    """The rows by field, and a note on unknown columns."""
    text = read_text(table)
    header_line = text.lstrip("\r\n").partition("\n")[0]
    # The first of the most frequent: a header of one column has none and reads as commas.
    separator = max(",;\t", key=header_line.count)
    lines = list(records(text, separator, table))
    if not lines:
        raise EmollamaError(f"{table}: is empty; the first line must name the columns")
    line, names = lines[0][0], [name.strip() for name in lines[0][1]]
    for name in names:
        if name and names.count(name) > 1:
            raise EmollamaError(f"{table}:{line}: column '{name}' occurs twice")
    of_field = _columns_of_fields(table, line, names, columns)
    rows: list[_Row] = []
    for number, cells in lines[1:]:
        where = f"{table}:{number}"
        if len(cells) != len(names):
            raise EmollamaError(
                f"{where}: has {len(cells)} cells, the header {len(names)}; "
                "put a text that contains the separator into double quotes"
            )
        rows.append(_Row(where, {f: cells[i].strip() for f, i in of_field.items()}))
    if not rows:
        raise EmollamaError(f"{table}: holds only a header, no rows")
    unread = [n for i, n in enumerate(names) if n and i not in of_field.values()]
    return rows, [f"columns ignored: {', '.join(unread)}"] if unread else []


def _columns_of_fields(
    table: Path, line: int, names: list[str], columns: dict[str, str]
) -> dict[str, int]:
    """{field: index of its column}; fields without a column are left out."""
    for field, column in columns.items():
        if field not in FIELDS:
            swapped = column in FIELDS and field in names
            hint = (
                f"; write FIELD=COLUMN, e.g. --column {column}={field}"
                if swapped
                else did_you_mean(field, FIELDS)
            )
            raise EmollamaError(f"--column {field}={column}: field '{field}' is unknown{hint}")
        if column not in names:
            hint = did_you_mean(column, names)
            raise EmollamaError(f"{table}:{line}: has no column '{column}' (for '{field}'){hint}")
    found: dict[str, int] = {}
    for field in FIELDS:
        name = columns.get(field, field)
        if name in names:
            found[field] = names.index(name)
    if "label" not in found:
        hint = _column_hint(("label",), names, found)
        raise EmollamaError(f"{table}:{line}: has no column 'label'{hint}")
    if not any(field in found for field in _MEDIA):
        hint = _column_hint(_MEDIA, names, found)
        raise EmollamaError(f"{table}:{line}: has no column 'path', 'video' or 'audio'{hint}")
    return found


def _column_hint(fields: tuple[str, ...], names: list[str], found: dict[str, int]) -> str:
    """How to name the column of the first field that an unused column looks like."""
    unused = [name for i, name in enumerate(names) if name and i not in found.values()]
    for field in fields:
        like = [n for n in unused if n.lower() in _OTHER_NAMES.get(field, ())]
        like += difflib.get_close_matches(field, unused, n=1, cutoff=0.5)
        if like:
            word = f"'{like[0]}'" if " " in like[0] else like[0]
            return f"; if it is '{like[0]}', add --column {field}={word}"
    return f"; name it with --column {fields[0]}=COLUMN, one of: {', '.join(unused or names)}"


def _media(row: _Row, root: Path) -> dict[str, Path]:
    """The row's files as {"video": ..., "audio": ...}, at least one of them."""
    media: dict[str, Path] = {}
    for field in ("video", "audio"):
        if cell := row.get(field):
            media[field] = root / cell
    if cell := row.get("path"):
        kind = "audio" if Path(cell).suffix.lower() in _SOUND else "video"
        if kind in media:
            raise EmollamaError(
                f"{row.where}: column 'path': '{cell}' is a second {kind} file in this row"
            )
        media = {kind: root / cell, **media}
    if not media:
        raise EmollamaError(f"{row.where}: column 'path': is empty; each row needs a media file")
    return media


def _sample(row: _Row, name: str, media: dict[str, Path], labels: LabelSet, out: Path) -> Sample:
    require_name(name, f"{row.where}: column 'id'")
    label = row.get("label")
    emotion = labels.require(label, f"{row.where}: column 'label'") if label else None
    start, end = _seconds(row, "start"), _seconds(row, "end")
    if end is not None and end <= (start or 0.0):
        raise EmollamaError(
            f"{row.where}: column 'end': {end:g} s is not after the start at {start or 0:g} s"
        )
    return Sample(
        id=name,
        video=path_in_manifest(media["video"], out) if "video" in media else None,
        audio=path_in_manifest(media["audio"], out) if "audio" in media else None,
        start=start,
        end=end,
        text=row.get("text"),
        speaker=row.get("speaker"),
        group=row.get("group") or row.get("speaker"),
        split=row.get("split"),
        targets=Targets(emotion=emotion),
    )


def _seconds(row: _Row, field: str) -> float | None:
    cell = row.get(field)
    if cell is None:
        return None
    try:
        value = float(cell)
    except ValueError:
        value = math.nan
    if not math.isfinite(value) or value < 0:
        raise EmollamaError(f"{row.where}: column '{field}': '{cell}' is not a number of seconds")
    return value


def _split(
    samples: tuple[Sample, ...],
    table: Path,
    split: str | None,
    seed: int,
    shares: str | None,
    cells: dict[str, str],
) -> tuple[tuple[Sample, ...], list[str]]:
    """The samples with their split, and the lines of the report about it."""
    if split is not None and shares is not None:
        raise EmollamaError(
            f"split '{split}': cannot be combined with shares {shares}; give one of them"
        )
    if split == "none":
        return tuple(s.model_copy(update={"split": None}) for s in samples), []
    if split is not None:
        kind, _, value = split.partition("=")
        fold, _, folds = value.partition("/")
        if kind == "leave" and value:
            _need_groups(samples, table)
            return with_split(samples, leave_one_group_out(samples, value)), []
        if kind != "fold" or not fold.isdecimal() or not folds.isdecimal():
            raise EmollamaError(f"split '{split}': must be 'fold=I/K' or 'leave=GROUP', or 'none'")
        _need_groups(samples, table)
        return with_split(samples, k_fold(samples, int(fold), int(folds), seed)), []
    if shares is not None or not any(s.split for s in samples):
        return _by_shares(samples, table, shares, seed)
    try:
        require_whole_groups(samples, {s.id: s.split for s in samples})
    except EmollamaError as error:
        if "group" in cells:
            raise EmollamaError(f"{table}: {error}") from error
        # Official splits of some corpora (MELD's) do have the same speakers on both sides; who
        # gives speakers and no groups is told, not stopped.
        loose = tuple(s.model_copy(update={"group": None}) for s in samples)
        return loose, [f"the table's split separates clips of one speaker: {error}"]
    return samples, []


def _need_groups(samples: Sequence[Sample], table: Path) -> None:
    """Refuse to split by group where a sample has none."""
    alone = next((s.id for s in samples if s.group is None), None)
    if alone is not None:
        raise EmollamaError(
            f"{table}: '{alone}' has no group to split by; add a column 'speaker' "
            "or 'group', or leave out --split to split clip by clip"
        )


def _why_not_apart(found: Shared) -> str:
    """Why clips of one speaker may be in several splits."""
    if found.unknown:
        return f"{found.unknown} {'clip has' if found.unknown == 1 else 'clips have'} no speaker"
    few = "speaker is" if found.speakers_shared == 1 else "speakers are"
    return f"{found.speakers_shared} {few} too few to keep apart"


def _by_shares(
    samples: tuple[Sample, ...], table: Path, shares: str | None, seed: int
) -> tuple[tuple[Sample, ...], list[str]]:
    """Splits for a table without any, and the line that reports them."""
    if shares is None and not any(s.targets.emotion for s in samples):
        return samples, []  # clips to predict
    chosen = shares or SHARES
    try:
        found = split_by_shares(samples, parse_shares(chosen), seed)
    except EmollamaError as error:
        if shares is None:
            return samples, [f"no split in the table, and {error}"]
        raise EmollamaError(f"{table}: {error}") from error
    split = tuple(s.model_copy(update={"split": found.splits.get(s.id)}) for s in samples)
    why = "" if shares else "no split in the table: "
    how = f"{why}split {chosen} (train/val/test, %) by {found.by}, seed {seed}"
    if found.speakers_shared:
        # Groups that are cut would be an error in every later step.
        split = tuple(s.model_copy(update={"group": None}) for s in split)
        how += f", because {_why_not_apart(found)}: scores will be on speakers seen in training"
    return split, [f"{how}; change it with --shares and --seed, or leave it out with --split none"]
