"""MER2024, MER2025 and MER2026 (Lian et al.): tables of names over one large folder of clips.

A table holds a label of six words and a valence (`discrete`, `valence`), an open-vocabulary set of
words (`openset`), a description (`reason`), or names alone, whose labels the organisers keep. Names
of files and columns, and counts, are those that zeroQiaoba/MERTools states and its code reads; sets
of words were read in its MER2024/ov_store/check-openset.csv, whole. *Unverified*: no table of
MER2025 or MER2026 is public; the forms of their sets of words are known from public reports.
Pairs of descriptions (MER2026's third track) are not read.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from emollama.base.csv_rows import Row, read_rows
from emollama.base.errors import EmollamaError, did_you_mean
from emollama.corpora.collection import Collection, first_that_exists, require_root
from emollama.corpora.media_files import media_below
from emollama.corpora.readers.mer2023 import label_and_valence
from emollama.corpora.readers.nce_list import flat
from emollama.corpora.report import PrepareReport
from emollama.manifest.labels import get_label_set
from emollama.manifest.sample import Sample, Targets


@dataclass(frozen=True)
class Table:
    """A table of a release: its file, column of targets ("" for names alone), split and rows.

    `rows` is None where no count is published.
    """

    file: str
    column: str
    split: str
    rows: int | None = None


TABLES: dict[int, dict[str, Table]] = {
    2024: {
        "labels": Table("label-disdim.csv", "discrete", "train"),
        "words": Table("check-openset.csv", "openset", "test", 332),
    },
    2025: {
        "labels": Table("track1_train_disdim.csv", "discrete", "train", 7369),
        "labels-test": Table("track1_test_dis.csv", "discrete", "test"),
        "words": Table("track2_train_ovmerd.csv", "openset", "train"),
        "words-auto": Table("track2_train_mercaptionplus.csv", "openset", "train", 31327),
        "reasons": Table("track3_train_ovmerd.csv", "reason", "train"),
        "reasons-auto": Table("track3_train_mercaptionplus.csv", "reason", "train", 31327),
        "candidates": Table("track_all_candidates.csv", "", "test", 20000),
    },
    2026: {
        "labels": Table("track1_train.csv", "discrete", "train", 9395),
        "labels-test": Table("track1_test.csv", "discrete", "test"),
        "words": Table("track2_train_human.csv", "openset", "train", 1532),
        "words-auto": Table("track2_train_mercaptionplus.csv", "openset", "train", 31327),
        "candidates": Table("track1_track2_candidate.csv", "", "test", 20000),
    },
}
"""{year: {name of a table: the table}}; "auto" are those that a model annotated."""

CLIPS = ("video", "video-labeled", "video-unlabeled-with-test2noise")
SUBTITLES = "subtitle_chieng.csv"
LANGUAGES = ("english", "chinese")


def prepare_mer_challenge(
    root: Path,
    out: Path,
    *,
    year: int,
    table: str = "labels",
    language: str = "english",
    media: Path | None = None,
    strict: bool = False,
) -> PrepareReport:
    """Write a manifest of one table of MER2024, MER2025 or MER2026; samples have no group.

    Args:
        root: the folder that the release unpacks to, with the table, `subtitle_chieng.csv` and
            `video/` (MER2024: `video-labeled/`, `video-unlabeled-with-test2noise/`).
        out: the manifest.
        year: 2024, 2025 or 2026.
        table: one of `TABLES[year]`.
        language: "english" or "chinese", of the subtitles; clips without one have no text.
        media: folder of the clips, if not below `root`.
        strict: another number of rows than published, or a missing clip, is an error.

    Raises:
        EmollamaError: no such year, table, language or file, a missing column, many odd rows (an
            unknown label, a valence outside -5 to 5, a duplicate name), or no usable sample.
    """
    if year not in TABLES:
        raise EmollamaError(f"MER{year} is unknown; there are MER2024, MER2025 and MER2026")
    if table not in TABLES[year]:
        raise EmollamaError(f"MER{year} has no table '{table}'{did_you_mean(table, TABLES[year])}")
    if language not in LANGUAGES:
        raise EmollamaError(f"language '{language}' is unknown{did_you_mean(language, LANGUAGES)}")
    chosen = TABLES[year][table]
    require_root(root, f"MER{year}", f"{chosen.file}, video/...")
    path = first_that_exists(root, chosen.file, f"ov_store/{chosen.file}")
    if path is None:
        raise EmollamaError(f"{root}: has no {chosen.file}")
    if media is not None and not media.is_dir():
        raise EmollamaError(f"{media}: is not a folder; give the folder of MER{year}'s clips")
    folders = [media] if media else [f for c in CLIPS if (f := root / c).is_dir()]
    indexes = [media_below(folder) for folder in folders]
    collection = Collection(f"mer{year}-{table}", out, get_label_set("mer2023"))
    with_media = collection.note_unless_any(
        {str(i): i for i in indexes if i}, chosen.split, f"CLIPS ({' or '.join(CLIPS)})"
    )
    subtitles = _subtitles(root / SUBTITLES, language)
    empty = 0
    for row in collection.table(path, ("name", *filter(None, [chosen.column])), ("valence",)):
        with collection.row(row.where):
            name = row.require("name")
            targets = _targets(collection, row, chosen.column)
            collection.count(name, chosen.split, targets.emotion or "", row.where)
            file = next((found for index in indexes if (found := index.get(name))), None)
            if with_media and not collection.usable(name, chosen.split, file):
                continue
            empty += chosen.column == "openset" and row.get("openset") in (None, "[]")
            collection.samples.append(
                Sample(
                    id=name,
                    video=collection.path(file),
                    text=subtitles.get(name),
                    split=chosen.split,
                    targets=targets,
                )
            )
    if empty:
        collection.notes.append(f"{empty} sets of words are empty and read as neutral, as MERTools")
    if silent := sum(s.text is None for s in collection.samples):
        collection.notes.append(f"{silent} without a subtitle in {language}")
    return collection.finish({chosen.split: chosen.rows} if chosen.rows else {}, strict)


def words_of(text: str) -> tuple[str, ...]:
    """The distinct words of a set, in its order: "['a', 'b']", "[a, b]" or "a,b"."""
    inner = text.strip().removeprefix("[").removesuffix("]")
    quoted = re.findall(r"'([^']*)'|\"([^\"]*)\"", inner)
    found = [one or other for one, other in quoted] if quoted else inner.split(",")
    words = [" ".join(word.split()) for word in found if word.strip()]
    return tuple({word.lower(): word for word in reversed(words)}.values())[::-1]


def _targets(collection: Collection, row: Row, column: str) -> Targets:
    if column == "openset":
        # MERTools trains on "neutral" where annotators found no word.
        return Targets(words=words_of(row.get("openset") or "") or ("neutral",))
    if column == "reason":
        return Targets(reason=flat(row.require("reason")))
    if not column:
        return Targets()
    return label_and_valence(collection, row)


def _subtitles(path: Path, language: str) -> dict[str, str]:
    if not path.is_file():
        return {}
    rows = (
        (row.get("name"), flat(row.get(language))) for row in read_rows(path, ("name", language))
    )
    return {name: text for name, text in rows if name and text}
