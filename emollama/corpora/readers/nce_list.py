"""The lists that Emotion-LLaMA is trained and evaluated on: name, count, emotion(, valence).

A `.txt` with `sample_00000047 22 surprise -0.61` a line goes with a folder of videos, a CSV of
transcripts (`name`, `sentence`) and, for training, MERR's json of coarse or fine annotations
keyed by name. The frame count and a valence of -10 (unused there) are not read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from emollama.base.csv_rows import read_rows
from emollama.base.errors import EmollamaError
from emollama.base.files import read_json, read_text
from emollama.corpora.report import PrepareReport
from emollama.manifest.labels import LabelSet
from emollama.manifest.paths import path_in_manifest
from emollama.manifest.sample import Sample, Targets, require_name, write_manifest

REASON_KEYS = ("smp_reason_caption", "caption")
"""Keys of the text in an annotation that the model learns: fine-grained, coarse."""

SENTENCE_COLUMNS = ("sentence_en", "sentence", "english", "text")
"""The first that a table has is read; of MER2024's the release reads `sentence_en`
(github.com/ZebangCheng/Emotion-LLaMA at 4ee28d2, minigpt4/datasets/datasets/mer2024.py)."""
LONGEST_FILE_NAME = 250  # bytes, without the suffix
SUFFIXES = (".mp4", ".avi", ".mkv", ".mov")


def prepare_nce(
    annotations: Path,
    out: Path,
    *,
    labels: LabelSet,
    media: Path | None = None,
    transcripts: Path | None = None,
    reasons: Path | None = None,
    split: str = "train",
    validation: int = 0,
) -> PrepareReport:
    """Write a manifest from an annotation list.

    Args:
        annotations: the list, `name frames emotion [valence]` a line.
        out: the manifest.
        labels: the label set; synonyms are replaced by their label.
        media: folder of `<name>.mp4` or `.avi`; None if only features are available.
        transcripts: CSV with `name` and one of `SENTENCE_COLUMNS`, the first that it has.
        reasons: MERR's json; its texts are used where transcripts have none.
        split: the split of the samples.
        validation: every N-th sample, by name, is in split "val"; 0 for none.

    Returns:
        The report, with each rejected line and its reason.

    Raises:
        EmollamaError: a file is missing or not such a list, or it has no usable line.
    """
    if not split or "+" in split:
        raise EmollamaError(f"--split '{split}': must be the name of one split")
    if media is not None and not media.is_dir():
        raise EmollamaError(f"--media {media}: no such folder")
    sentences = read_sentences(transcripts) if transcripts else {}
    told = read_annotations(reasons) if reasons else {}
    samples: dict[str, Sample] = {}
    rejected: dict[str, str] = {}
    others: list[str] = []
    silent = 0
    for where, name, word in read_list(annotations):
        emotion = labels.require(word, where)
        if name in samples:
            rejected[f"{annotations.name}:{where.rpartition(':')[2]}"] = (
                "another line of the same name"
            )
            continue
        video = _video(media, name) if media else None
        if media and video is None:
            rejected[name] = f"no video in {media}"
            continue
        if told and name not in told:
            rejected[name] = f"not in {reasons.name if reasons else ''}"
            continue
        entry = told.get(name, {})
        if said := other_label(entry, emotion, labels):
            others.append(f"'{name}', '{word}' in the list and '{said}' in the json")
        text = sentences.get(name) or flat(entry.get("text"))
        silent += text is None
        samples[name] = Sample(
            id=name,
            video=path_in_manifest(video, out) if video else None,
            text=text,
            split=split,
            targets=Targets(emotion=emotion, reason=reason_of(entry)),
        )
    if not samples:
        why = next(iter(rejected.items()), ("", "it is empty"))
        raise EmollamaError(f"{annotations}: no usable line: {why[0]} {why[1]}")
    if validation:
        for name in sorted(samples)[::validation]:
            samples[name] = samples[name].model_copy(update={"split": "val"})
    write_manifest(out, annotations.stem, labels, list(samples.values()))
    notes = [f"{silent} without a transcript"] if silent else []
    if told:
        notes.append(f"{sum(s.targets.reason is not None for s in samples.values())} with a reason")
    if others:
        notes.append(tell_others(others))
    return PrepareReport.of(out, list(samples.values()), rejected, notes)


def read_list(path: Path) -> Iterator[tuple[str, str, str]]:
    """("file:line", name, emotion as written) of each line that is not blank."""
    for number, line in enumerate(read_text(path).splitlines(), start=1):
        cells = line.split()
        if not cells:
            continue
        if len(cells) < 3:
            raise EmollamaError(
                f"{path}:{number}: must hold name, frame count and emotion, holds '{line.strip()}'"
            )
        require_name(cells[0], f"{path}:{number}")
        yield f"{path}:{number}", cells[0], cells[2]


def _video(folder: Path, name: str) -> Path | None:
    if len(name.encode()) > LONGEST_FILE_NAME:
        return None
    return next((p for s in SUFFIXES if (p := folder / f"{name}{s}").is_file()), None)


def flat(text: Any) -> str | None:
    """Text on one line: the released annotations hold line breaks and indents."""
    words = " ".join(text.split()) if isinstance(text, str) else ""
    # Half of a surrogate pair, as broken exports hold them, cannot be written.
    words = words.encode("utf-8", "replace").decode("utf-8")
    return words or None


def other_label(entry: Mapping[str, Any], emotion: str, labels: LabelSet) -> str | None:
    """An annotation's pseudo-label as written, if it is not the list's `emotion`."""
    said = entry.get("pseu_emotion")
    agrees = not isinstance(said, str) or (labels.canonical(said) or said) == emotion
    return None if agrees else str(said)


def tell_others(others: Sequence[str]) -> str:
    """A note on labels that differ between list and json."""
    return (
        f"{len(others)} labels differ between list and json, e.g. {others[0]}; those of "
        "the list are used"
    )


def reason_of(entry: Mapping[str, Any]) -> str | None:
    """The text of an annotation that a model learns, on one line."""
    return next((told for key in REASON_KEYS if (told := flat(entry.get(key)))), None)


def read_sentences(path: Path) -> dict[str, str]:
    """{name: sentence} of a CSV with `name` and one of `SENTENCE_COLUMNS`.

    Raises:
        EmollamaError: no such file or columns, or a name with two sentences.
    """
    found: dict[str, str] = {}
    first: dict[str, str] = {}
    for row in read_rows(path, ("name",), SENTENCE_COLUMNS):
        column = next((c for c in SENTENCE_COLUMNS if c in row.cells), None)
        if column is None:
            raise EmollamaError(
                f"{path}: must have the columns 'name' and one of {', '.join(SENTENCE_COLUMNS)}; "
                f"it has {', '.join(row.cells)}"
            )
        text = flat(row.get(column))
        if text and (name := row.get("name")):
            if found.setdefault(name, text) != text:
                raise EmollamaError(f"{row.where}: '{name}' has another sentence at {first[name]}")
            first.setdefault(name, row.where)
    return found


def read_annotations(path: Path) -> dict[str, dict[str, Any]]:
    """MERR's json: {name: annotation}, each with one of `REASON_KEYS` where it has a reason."""
    values = read_json(path)
    if not isinstance(values, dict) or not all(isinstance(v, dict) for v in values.values()):
        raise EmollamaError(f"{path}: must hold an annotation for each name, as MERR's json does")
    if values and not any(key in v for v in values.values() for key in REASON_KEYS):
        raise EmollamaError(f"{path}: no annotation holds {' or '.join(REASON_KEYS)}")
    return values
