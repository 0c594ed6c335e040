"""Which column of a table holds what: by name, by another usual name, or by what is in it."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from emollama.base.errors import EmollamaError, did_you_mean
from emollama.corpora.tables.cells import is_number
from emollama.corpora.tables.reading import Table
from emollama.media.suffixes import MEDIA

FIELDS = (
    "path", "video", "audio", "id", "text", "label", "speaker", "group", "split", "start", "end",
    "valence", "arousal", "sentiment", "context", "reason", "words", "annotator",
)  # fmt: skip
"""Fields of a clip in a table; each is the name of its column unless mapped to another."""

MEDIA_FIELDS = ("path", "video", "audio")
NUMBERS = ("valence", "arousal", "sentiment")

_OTHER_NAMES: dict[str, tuple[str, ...]] = {
    "path": (
        "file", "filename", "filepath", "clip", "clipname", "media", "mediafile", "name",
        "image", "imagename", "imagepath", "picture",
        "文件", "文件名", "路径", "片段", "檔案", "檔名", "datei", "fichier", "archivo",
    ),
    "video": ("videopath", "videofile", "videoname", "视频", "视频文件", "影片"),
    "audio": ("audiopath", "audiofile", "wav", "wavfile", "wavpath", "音频", "音频文件"),
    "id": ("sampleid", "key", "uid", "编号"),
    "text": (
        "subtitle", "subtitles", "transcript", "transcription", "utterance", "sentence",
        "文本", "字幕", "台词", "内容", "文字",
    ),
    "label": (
        "labels", "emotion", "emotions", "emo", "emotionlabel", "discrete",
        "标签", "情感", "情绪", "情感标签", "标注", "標籤", "情緒", "gefühl", "émotion", "emoción",
    ),
    "speaker": ("speakerid", "speakername", "actor", "subject", "person", "spk", "说话人", "人物"),
    "group": ("session",),
    "split": ("set", "subset", "partition", "usage", "划分"),
    "start": ("starttime", "startsec", "begin", "onset", "开始", "开始时间"),
    "end": ("endtime", "endsec", "stop", "结束", "结束时间"),
    "valence": ("效价",),
    "arousal": ("activation", "唤醒度"),
    "context": ("history",),
    "reason": ("explanation", "rationale", "理由", "原因"),
    "words": ("openset",),
    "annotator": ("annotatorid", "rater", "raterid", "coder", "worker", "workerid", "标注者"),
}  # fmt: skip
"""Names that hold a field in many tables, spelled as by `_plain`."""

_ANNOTATOR = re.compile(r"(?:label|emotion|annotator|rater|coder|标签|情感)\d+")


@dataclass(frozen=True)
class Columns:
    """Where each field of a row stands.

    Attributes:
        of: {field: index of its column}; `label` has one for each annotator.
        shown: {label: index}, where a column a label says whether it is shown.
        notes: for the report.
    """

    of: Mapping[str, tuple[int, ...]]
    shown: Mapping[str, int]
    notes: tuple[str, ...] = ()


def find_columns(
    table: Table,
    asked: Mapping[str, Sequence[str]],
    label_of: Callable[[str], str | None],
) -> tuple[Columns, list[tuple[str, list[str]]]]:
    """The columns of a table, and its rows below the names.

    A first row in which no name is known, and which names a media file or a label, is the first
    clip of a list without names: its columns are told by what is in them, or by number.

    Args:
        table: as read.
        asked: {field: names or numbers of its columns}, from --column.
        label_of: the label that a word means, or None.

    Raises:
        EmollamaError: a field is unknown, a column is missing or occurs twice, a row has more cells
            than there are columns, no column can be told to hold media or words, or none the label
            while one looks like it.
    """
    _require_fields(table, asked)
    if not table.rows:
        raise EmollamaError(f"{table.path}: is empty; the first line must name the columns")
    names, rows, where = table.names, table.rows, str(table.path)
    if names is None:
        if _is_list(table, asked, label_of):
            return _of_list(table, asked, label_of)
        (where, names), rows = rows[0], rows[1:]
    for name in names:
        if name and names.count(name) > 1:
            raise EmollamaError(f"{where}: column '{name}' occurs twice")
    found, notes = _by_name(where, names, asked)
    rows = [_fitted(at, cells, names) for at, cells in rows]
    if not rows:
        raise EmollamaError(f"{table.path}: holds only a header, no rows")
    for field in NUMBERS:
        # A column of words that happens to have the name of a quantity (MELD's Sentiment).
        if field in found and field not in asked:
            first = next((c for _, cells in rows if (c := cells[found[field][0]])), "0")
            if not is_number(first):
                del found[field]
    unused = [i for i, n in enumerate(names) if n and not any(i in own for own in found.values())]
    shown: dict[str, int] = {}
    if "label" not in found:
        several = [i for i in unused if _ANNOTATOR.fullmatch(_plain(names[i]))]
        named = {label: i for i in unused if (label := label_of(names[i]))}
        if len(several) > 1:
            found["label"] = tuple(several)
            notes.append(f"annotators: {', '.join(names[i] for i in several)}")
        elif len(named) > 1 and all(
            not cells[i] or is_number(cells[i]) for _, cells in rows for i in named.values()
        ):
            shown = named
            notes.append(f"a column a label: {', '.join(names[i] for i in named.values())}")
        elif hint := _hint(("label",), names, unused, cutoff=0.75):
            raise EmollamaError(f"{where}: has no column 'label'{hint}")
    if not any(field in found for field in (*MEDIA_FIELDS, "text")):
        hint = _hint(MEDIA_FIELDS, names, unused) or _name_it("path", names, unused)
        raise EmollamaError(f"{where}: has no column 'path', 'video', 'audio' or 'text'{hint}")
    used = {*shown.values(), *(i for own in found.values() for i in own)}
    ignored = [n for i, n in enumerate(names) if n and i not in used]
    if "label" not in found and not shown:
        notes.append(f"no column 'label': clips to be predicted{_name_it('label', names, unused)}")
    if ignored:
        notes.append(f"columns ignored: {', '.join(ignored)}")
    return Columns(found, shown, tuple(notes)), rows


def _plain(name: str) -> str:
    """A column's name without case, blanks, dots and underscores."""
    return re.sub(r"[\s_.\-]+", "", name).casefold()


def _require_fields(table: Table, asked: Mapping[str, Sequence[str]]) -> None:
    first = table.names or (table.rows[0][1] if table.rows else [])
    for field, columns in asked.items():
        if field not in FIELDS:
            swapped = columns[0] in FIELDS and field in first
            hint = (
                f"; write FIELD=COLUMN, e.g. --column {columns[0]}={field}"
                if swapped
                else did_you_mean(field, FIELDS)
            )
            raise EmollamaError(f"--column {field}={columns[0]}: field '{field}' is unknown{hint}")
        if len(columns) > 1 and field != "label":
            raise EmollamaError(
                f"--column {field}={columns[1]}: '{field}' has a column already, '{columns[0]}'; "
                "only 'label' may have several, one an annotator"
            )


def _by_name(
    where: str, names: list[str], asked: Mapping[str, Sequence[str]]
) -> tuple[dict[str, tuple[int, ...]], list[str]]:
    found: dict[str, tuple[int, ...]] = {}
    plain = [_plain(name) for name in names]
    for field, columns in asked.items():
        places = []
        for column in columns:
            if column in names:
                places.append(names.index(column))
            elif _plain(column) in plain:
                places.append(plain.index(_plain(column)))
            else:
                hint = did_you_mean(column, names)
                raise EmollamaError(f"{where}: has no column '{column}' (for '{field}'){hint}")
        found[field] = tuple(places)
    taken = {i for own in found.values() for i in own}
    renamed: list[str] = []
    for field in FIELDS:
        if field not in found and field in plain and plain.index(field) not in taken:
            found[field] = (plain.index(field),)
            taken |= set(found[field])
    media = any(field in found for field in MEDIA_FIELDS)
    for field, others in _OTHER_NAMES.items():
        if field in found or (field == "path" and media):
            continue
        free = (plain.index(o) for o in others if o in plain)
        at = next((i for i in free if i not in taken), None)
        if at is not None:
            found[field] = (at,)
            taken.add(at)
            renamed.append(f"{field} from '{names[at]}'")
    return found, [f"columns read: {', '.join(renamed)}"] if renamed else []


def _fitted(where: str, cells: list[str], names: list[str]) -> tuple[str, list[str]]:
    """The row with as many cells as there are names; blank ones at its end do not count."""
    while len(cells) > len(names) and not cells[-1]:
        cells = cells[:-1]
    if len(cells) != len(names):
        raise EmollamaError(
            f"{where}: has {len(cells)} cells, the header {len(names)}; "
            "put a text that contains the separator into double quotes"
        )
    return where, cells


def _hint(
    fields: Sequence[str], names: list[str], unused: Sequence[int], cutoff: float = 0.5
) -> str:
    """How to name the column of the first field that an unused column looks like; else ''."""
    for field in fields:
        plain = {_plain(names[i]): names[i] for i in unused}
        like = difflib.get_close_matches(field, plain, n=1, cutoff=cutoff)
        if like:
            name = plain[like[0]]
            word = f"'{name}'" if " " in name else name
            return f"; if it is '{name}', add --column {field}={word}"
    return ""


def _name_it(field: str, names: Sequence[str], unused: Sequence[int]) -> str:
    known = [names[i] for i in unused]
    return f"; name it with --column {field}=COLUMN, one of: {', '.join(known)}" if known else ""


# --- lists without names ------------------------------------------------------------------------


def _is_list(
    table: Table, asked: Mapping[str, Sequence[str]], label_of: Callable[[str], str | None]
) -> bool:
    """Whether the first row is a clip and no names of columns."""
    first = table.rows[0][1]
    known = {*FIELDS, *(n for own in _OTHER_NAMES.values() for n in own)}
    wanted = {column for columns in asked.values() for column in columns}
    # Numbers count the columns, unless numbers are their names, as a data frame writes them.
    counted = first in ([str(i + k) for i in range(len(first))] for k in (0, 1))
    if wanted and not counted and all(c.isdecimal() for c in wanted):
        return True
    if wanted & set(first) or any(_plain(cell) in known for cell in first):
        return False
    clip = any(_is_media(cell) for cell in first)
    # One label may be the name of its column; a single one beside a name is a label.
    return clip or sum(label_of(cell) is not None for cell in first) == 1


def _is_media(cell: str) -> bool:
    return PurePosixPath(cell.replace("\\", "/")).suffix.lower() in MEDIA


def _of_list(
    table: Table, asked: Mapping[str, Sequence[str]], label_of: Callable[[str], str | None]
) -> tuple[Columns, list[tuple[str, list[str]]]]:
    width = max(len(cells) for _, cells in table.rows)
    numbers = [str(i + 1) for i in range(width)]
    rows = [_fitted(where, cells, numbers) for where, cells in table.rows]
    if asked:
        found = {}
        for field, columns in asked.items():
            odd = next((c for c in columns if c not in numbers), None)
            if odd is not None:
                raise EmollamaError(
                    f"{rows[0][0]}: has no column '{odd}' (for '{field}'); the first row is a clip "
                    f"and names none: give its number, 1 to {width}"
                )
            found[field] = tuple(numbers.index(c) for c in columns)
    else:
        found = _by_content(rows, label_of)
    if not any(field in found for field in (*MEDIA_FIELDS, "text")):
        raise EmollamaError(
            f"{rows[0][0]}: names no columns and no media file; say what is in them by number, "
            f"e.g. --column path=1{' --column label=2' if width > 1 else ''}"
        )
    told = ", ".join(
        f"{field} in column {' and '.join(numbers[i] for i in own)}" for field, own in found.items()
    )
    lacking = "" if "label" in found else "; no column of labels: clips to be predicted"
    note = f"the first line names no columns: {told}{lacking}"
    return Columns(found, {}, (note,)), rows


def _by_content(
    rows: list[tuple[str, list[str]]], label_of: Callable[[str], str | None]
) -> dict[str, tuple[int, ...]]:
    """Columns of media and of labels, by most of what is in them; a third column is text."""
    width = len(rows[0][1])
    columns = [[cells[i] for _, cells in rows if cells[i]] for i in range(width)]

    def share(column: list[str], is_so: Callable[[str], bool]) -> float:
        return sum(map(is_so, column)) / len(column) if column else 0.0

    found: dict[str, tuple[int, ...]] = {}
    labels = [share(column, lambda cell: label_of(cell) is not None) for column in columns]
    media = [share(column, _is_media) for column in columns]
    if max(media) > 0.5:
        found["path"] = (media.index(max(media)),)
    if max(labels) > 0.5:
        found["label"] = (labels.index(max(labels)),)
    rest = [i for i in range(width) if (i,) not in found.values()]
    if "path" not in found and rest and "label" in found:
        found["path"] = (rest.pop(0),)
    if "label" not in found and len(rest) == 1:
        found["label"] = (rest.pop(0),)  # a word that is unknown is told where it stands
    if len(rest) == 1:
        found["text"] = (rest[0],)
    return found


def field_of(name: str) -> str | None:
    """The field that a column of this name holds, or None."""
    plain = _plain(name)
    if plain in FIELDS:
        return plain
    return next((field for field, others in _OTHER_NAMES.items() if plain in others), None)
