"""Any corpus as a table: paths, texts and labels, one row a clip, in most forms people have."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from emollama.base.errors import EmollamaError
from emollama.corpora.collection import missing
from emollama.corpora.overlaps import overlaps
from emollama.corpora.report import PrepareReport
from emollama.corpora.tables.columns import MEDIA_FIELDS, Columns, find_columns
from emollama.corpora.tables.files import MediaFinder
from emollama.corpora.tables.judged import Annotators, Judged
from emollama.corpora.tables.reading import Table, read_table
from emollama.corpora.tables.rows import Clip, context_of, joined, named, read_clip
from emollama.corpora.tables.splitting import split_table
from emollama.corpora.tables.subtitles import Subtitles
from emollama.corpora.tables.tiers import TIMED, read_timed
from emollama.corpora.tables.words import Wording
from emollama.manifest.labels import LabelSet
from emollama.manifest.sample import Sample, Targets, require_name, write_manifest

# No complete list of media suffixes exists; these are surely something else.
_NO_MEDIA = frozenset(
    {".txt", ".csv", ".tsv", ".json", ".jsonl", ".xml", ".yaml", ".yml", ".md", ".srt", ".vtt",
     ".pdf", ".doc", ".docx", ".xls", ".xlsx", ".html", ".py", ".npy", ".npz", ".zip", ".gz"}
)  # fmt: skip


def prepare_csv(
    table: Path,
    out: Path,
    *,
    labels: LabelSet | None,
    columns: Mapping[str, str | Sequence[str]] | None = None,
    media_root: Path | None = None,
    mapping: Mapping[str, str] | None = None,
    encoding: str | None = None,
    annotators: Annotators = "majority",
    subtitles: Path | None = None,
    split: str | None = None,
    seed: int = 0,
    shares: str | None = None,
) -> PrepareReport:
    """Write a manifest from a table.

    The table is separated cells, a list without names, JSON (Lines), a workbook, subtitles, or the
    tiers of ELAN and Praat. Columns are those of `FIELDS`, or known by another usual name. An empty
    cell means unknown: no label (a clip to predict), no text, no speaker. A table without media
    holds texts, one without labels clips to predict. The default id is the file's name without its
    suffix, with the span where a file has several; the default group is the speaker.

    Args:
        table: the file; or a folder of .srt, .vtt, .eaf or .TextGrid files.
        out: the manifest.
        labels: the label set; synonyms are replaced by their label. None makes one of the words.
        columns: {field: column} where a column has another name; several for `label`, one an
            annotator.
        media_root: folder that relative paths start from, and below which names are looked for; the
            table's own by default.
        mapping: {word: label}, "" for none; asked before the label set.
        encoding: of the text; None to find it out.
        annotators: the label that most of several annotators chose, and their votes; or only these.
        subtitles: folder of <name>.srt or <name>.vtt, for clips without a text.
        split: None for the table's own split or, where it has none, one by `shares`; "fold=I/K"
            for fold I (from 0) of K by group, "leave=GROUP" to test on one group, "none".
        seed: of the folds and shares.
        shares: percent of train, val and test, "70/15/15" by default, by speaker or group where
            there are enough, else by clip; replaces the table's own split.

    Returns:
        The report; rows whose media file is missing are left out and listed.

    Raises:
        EmollamaError: a missing column, an unknown label, an invalid number, a duplicate id, a
            split that cuts a group or a span, or no row with a file; it names the table's line. Or
            `out` is the table.
    """
    if out.resolve() == table.resolve():
        raise EmollamaError(f"--out {out}: is the table itself; give the manifest another name")
    asked = {f: (c,) if isinstance(c, str) else tuple(c) for f, c in (columns or {}).items()}
    timed = table.is_dir() or table.suffix.lower() in TIMED
    read = read_timed(table, asked, encoding) if timed else read_table(table, encoding)
    return prepare_rows(
        read, out, Wording(labels, mapping or {}, table), asked, media_root, encoding=encoding,
        annotators=annotators, subtitles=subtitles, split=split, seed=seed, shares=shares,
    )  # fmt: skip


def prepare_rows(
    read: Table,
    out: Path,
    wording: Wording,
    asked: Mapping[str, Sequence[str]],
    media_root: Path | None = None,
    *,
    encoding: str | None = None,
    annotators: Annotators = "majority",
    subtitles: Path | None = None,
    split: str | None = None,
    seed: int = 0,
    shares: str | None = None,
) -> PrepareReport:
    """Write a manifest from rows that were read; see `prepare_csv`."""
    table = read.path
    place, rows = find_columns(read, asked, wording.meaning)
    root = media_root if media_root is not None else read.root
    if not root.is_dir():
        raise EmollamaError(f"{root}: is not a folder; relative paths in {table} start from it")
    labels = _settled(wording, place, rows, table)
    finder = MediaFinder(root, media_root is not None, out)
    clips = [read_clip(where, cells, place, wording, finder) for where, cells in rows]
    clips, merged = joined(clips, "annotator" in place.of)
    named(clips, table)
    notes = [*read.notes, *place.notes, *_told(wording, finder)]
    if merged:
        notes.append(f"{merged} rows are of further annotators of a clip")
    if subtitles is not None:
        notes.append(Subtitles(subtitles, encoding).add_to(clips))
    samples, rejected, odd = _samples(clips, labels, annotators, finder, notes)
    if not samples:
        raise _no_file(table, clips, rejected, root)
    if odd:
        notes.append(odd[0] + (f", and {len(odd) - 1} more" if odd[1:] else ""))
    chosen, split_notes = split_table(
        tuple(samples), table, split, seed, shares, "group" in place.of
    )
    split_notes += _overlapping(chosen, clips)
    unlabelled = sum(not _labelled(s.targets) for s in chosen)
    if unlabelled and ("label" in place.of or place.shown):
        notes.append(f"{unlabelled} without a label")
    write_manifest(out, table.stem, labels, chosen)
    return PrepareReport.of(out, chosen, rejected, [*notes, *split_notes])


def _settled(
    wording: Wording, place: Columns, rows: Sequence[tuple[str, list[str]]], table: Path
) -> LabelSet:
    """The label set, of the table's own words if none was asked for."""
    if wording.labels is not None:
        return wording.labels
    if place.shown:
        return wording.settle(list(place.shown), f"{table}: names of columns")
    own = place.of.get("label", ())
    cells = dict.fromkeys(cells[i] for _, cells in rows for i in own if cells[i])
    return wording.settle(list(cells), f"{table}: column 'label'")


def _told(wording: Wording, finder: MediaFinder) -> Iterable[str]:
    """What was read otherwise than it is written."""
    if wording.foreign:
        words = ", ".join(f"{word} is {label}" for word, label in wording.foreign.items())
        yield f"labels of another language: {words}"
    if finder.moved:
        cell, path = next(iter(finder.moved.items()))
        count = len(finder.moved)
        files = "file is" if count == 1 else "files are"
        yield f"{count} {files} in another folder than written, e.g. '{cell}' is {path}"


def _samples(
    clips: Sequence[Clip],
    labels: LabelSet,
    annotators: Annotators,
    finder: MediaFinder,
    notes: list[str],
) -> tuple[list[Sample], dict[str, str], list[str]]:
    """Samples, {"file:line: media": reason} of those left out, and remarks on odd files."""
    samples: list[Sample] = []
    rejected: dict[str, str] = {}
    odd: list[str] = []
    judged = Judged(clips, labels, annotators)
    for clip in clips:
        require_name(clip.id or "", f"{clip.where}: column 'id'")
        lost = next(((p, why) for p in clip.media.values() if (why := missing(p))), None)
        if lost is not None:
            own = clip.where == str(lost[0])  # of a folder, whose rows are its files
            rejected[clip.where if own else f"{clip.where}: {lost[0]}"] = f"media {lost[1]}"
            continue
        samples.append(_sample(clip, judged.targets(clip), finder))
        odd += _no_media(clip)
    notes += judged.notes
    return samples, rejected, odd


def _sample(clip: Clip, targets: Targets, finder: MediaFinder) -> Sample:
    cells = clip.cells
    return Sample(
        id=clip.id or "",
        video=finder.in_manifest(clip.media["video"]) if "video" in clip.media else None,
        audio=finder.in_manifest(clip.media["audio"]) if "audio" in clip.media else None,
        start=clip.start,
        end=clip.end,
        text=cells.get("text"),
        context=context_of(cells.get("context", "")),
        speaker=cells.get("speaker"),
        group=cells.get("group") or cells.get("speaker"),
        split=cells.get("split"),
        targets=targets,
    )


def _no_media(clip: Clip) -> list[str]:
    return [
        f"{clip.where}: '{path.name}' is no video or sound by its suffix"
        for path in clip.media.values()
        if path.suffix.lower() in _NO_MEDIA
    ]


def _no_file(
    table: Path, clips: Sequence[Clip], rejected: dict[str, str], root: Path
) -> EmollamaError:
    """What is wrong where every row's file is missing."""
    cell = next(c for f in MEDIA_FIELDS if (c := clips[0].cells.get(f)))
    example, why = next(iter(rejected.items()))  # "table:line: file", "media file is missing"
    hint = (
        ""
        if Path(cell).is_absolute()
        else f"; relative paths start from {root}, which media_root (--media-root) changes"
    )
    if len(clips) == 1:
        return EmollamaError(f"{example}: {why}{hint}")
    file = example.removeprefix(f"{clips[0].where}: ")
    return EmollamaError(f"{table}: none of the {len(clips)} media files exists, e.g. {file}{hint}")


def _overlapping(samples: Sequence[Sample], clips: Sequence[Clip]) -> list[str]:
    """A note on spans that overlap in a file; those in different splits are an error."""
    shared = overlaps(samples)
    for found in shared:
        if found.leaks():
            where = {clip.id: clip.where for clip in clips}
            raise EmollamaError(
                f"{where[found.later.id]}: {found} of {where[found.earlier.id]}, which is in split "
                f"'{found.earlier.split}' and not in '{found.later.split}'"
            )
    if not shared:
        return []
    return [f"{len(shared)} spans overlap another span of their file, e.g. {shared[0]}"]


def _labelled(targets: Targets) -> bool:
    return any(found is not None for found in (targets.emotion, targets.emotions, targets.votes))
