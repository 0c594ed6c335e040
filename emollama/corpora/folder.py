"""A folder of clips as a corpus: every media file below it, without labels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from emollama.base.errors import EmollamaError
from emollama.base.paths import refuse_url
from emollama.corpora.collection import files_below
from emollama.corpora.csv_table import prepare_rows
from emollama.corpora.report import PrepareReport
from emollama.corpora.tables.reading import Table
from emollama.corpora.tables.words import Wording
from emollama.manifest.labels import LabelSet
from emollama.media.pictures import FPS
from emollama.media.suffixes import MEDIA, PICTURE, SOUND


def prepare_folder(
    folder: Path, out: Path, *, labels: LabelSet, subtitles: Path | None = None
) -> PrepareReport:
    """Write a manifest of the clips in a folder and those below it, to be predicted.

    A sound beside a video of the same name is its voice; a picture beside either is left out. A
    folder below with nothing but pictures, two or more of them numbered, is one clip. The id is the
    file's name without suffix, with as many folders as set it apart.

    Args:
        folder: of the clips.
        out: the manifest.
        labels: the label set of the manifest.
        subtitles: folder of <name>.srt or <name>.vtt with the words of the clips.

    Raises:
        EmollamaError: it is no folder, or holds no media file.
    """
    table = clips_table(folder)
    return prepare_rows(table, out, Wording(labels, {}, folder), {}, subtitles=subtitles)


def clips_table(folder: Path) -> Table:
    """The clips of a folder as rows of `video` and `audio`, sorted by name.

    Raises:
        EmollamaError: it is no folder, or holds no media file.
    """
    if not folder.is_dir():
        refuse_url(folder)
        raise EmollamaError(f"{folder}: is not a folder of clips")
    files = files_below(folder, tuple(MEDIA))
    if not files:
        raise EmollamaError(
            f"{folder}: holds no video, sound or picture, nor does a folder below it"
        )
    framed = _frame_folders(folder, files)
    by_name: dict[Path, list[Path]] = {path: [] for path in framed}
    for path in files:
        if path.parent not in framed:
            by_name.setdefault(path.with_suffix(""), []).append(path)
    rows: list[tuple[str, list[str]]] = []
    voices = pictures = 0
    singles: Counter[Path] = Counter()
    for name, own in sorted(by_name.items()):
        sounds = [path for path in own if path.suffix.lower() in SOUND]
        shown = [path for path in own if path.suffix.lower() in PICTURE]
        videos = [path for path in own if path not in sounds and path not in shown]
        if name in framed and videos:  # the frames of that video
            shown.append(name)
            framed.remove(name)
        elif name in framed:
            videos = [name]
        pairs: list[tuple[Path | None, Path | None]]
        if len(videos) == 1 and len(sounds) == 1:
            pairs = [(videos[0], sounds[0])]
            voices += 1
        else:
            pairs = [*((path, None) for path in videos), *((None, path) for path in sounds)]
        if pairs:
            pictures += len(shown)
        else:
            pairs = [(path, None) for path in shown]
            singles.update(path.parent for path in shown if _is_numbered(path))
        for pair in pairs:
            cells = ["" if path is None else str(path.relative_to(folder)) for path in pair]
            rows.append((str(pair[0] or pair[1]), cells))
    notes = []
    if voices:
        notes.append(f"{voices} sounds are the voice of the video of the same name")
    if pictures:
        notes.append(f"{pictures} pictures beside a clip of the same name are left out")
    if framed:
        notes.append(
            f"{len(framed)} folders of numbered pictures are each a clip, of {FPS:g} frames a "
            "second"
        )
    if numbered := sum(count for count in singles.values() if count > 1):
        notes.append(
            f"{numbered} numbered pictures are each a clip; where they are the frames of a video, "
            "give the folder that their folder lies in"
        )
    return Table(folder, rows, ["video", "audio"], notes)


def _frame_folders(folder: Path, files: Sequence[Path]) -> set[Path]:
    """The folders below `folder` that are the frames of a clip."""
    inside: dict[Path, list[Path]] = {}
    for path in files:
        inside.setdefault(path.parent, []).append(path)
    return {
        where
        for where, own in inside.items()
        if where != folder
        and all(path.suffix.lower() in PICTURE for path in own)
        and sum(map(_is_numbered, own)) > 1
    }


def _is_numbered(path: Path) -> bool:
    return path.suffix.lower() in PICTURE and path.stem[-1:].isdecimal()
