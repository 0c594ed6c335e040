"""MERR (Cheng et al. 2024), coarse and fine: descriptions of unlabelled MER2023 clips.

The json holds an annotation for each name; the list beside it gives the names in use and their
labels. Without the list, the labels in the fine json are used.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from emollama.base.errors import EmollamaError, did_you_mean
from emollama.corpora.collection import (
    Collection,
    files_by_stem,
    first_that_exists,
    require_root,
)
from emollama.corpora.readers.nce_list import (
    SUFFIXES,
    flat,
    other_label,
    read_annotations,
    read_list,
    read_sentences,
    reason_of,
    tell_others,
)
from emollama.corpora.report import PrepareReport
from emollama.manifest.action_units import in_words
from emollama.manifest.labels import get_label_set
from emollama.manifest.sample import Sample, Targets

COUNTS = {"fine": 4487, "coarse": 28618}


def prepare_merr(
    root: Path,
    out: Path,
    *,
    part: str = "fine",
    media: Path | None = None,
    transcripts: Path | None = None,
    validation: int = 0,
    strict: bool = False,
) -> PrepareReport:
    """Write a manifest of MERR; all of it is of split "train".

    The names of units of the clip and of its peak frame, and the description of the voice, are the
    sample's `clues`; `truth` has them with the peak's index as `units`, `peak_units`, `peak` and
    `tone`.

    Args:
        root: folder with `MERR_<part>_grained.json` and, if available, `.txt`, `video/` and
            `transcription_en_all.csv`.
        out: the manifest.
        part: "fine" or "coarse".
        media: folder of the clips, if it is not `root/video`.
        transcripts: CSV with `name` and `sentence`, if it is not in `root`.
        validation: every N-th sample, by name, is in split "val"; 0 for none.
        strict: counts other than the published ones are an error.

    Raises:
        EmollamaError: no such part, no json, an unknown label, or no usable sample.
    """
    if part not in COUNTS:
        raise EmollamaError(f"MERR has no part '{part}'{did_you_mean(part, COUNTS)}")
    require_root(root, "MERR", f"MERR_{part}_grained.json, MERR_{part}_grained.txt, video/*.mp4")
    told = read_annotations(root / f"MERR_{part}_grained.json")
    media = media or first_that_exists(root, "video")
    if media is not None and not media.is_dir():
        raise EmollamaError(f"{media}: is not a folder; give the folder of MERR's clips")
    files = files_by_stem(media, SUFFIXES) if media else {}
    transcripts = transcripts or first_that_exists(root, "transcription_en_all.csv")
    sentences = read_sentences(transcripts) if transcripts else {}

    collection = Collection(f"merr-{part}", out, get_label_set("merr"))
    with_media = collection.note_unless_any(files, "train", "CLIPS (video/*.mp4 or .avi)")
    others: list[str] = []
    for where, name, native in _labels(root / f"MERR_{part}_grained", told):
        emotion = collection.labels.require(native, where)
        collection.count(name, "train", emotion, where)
        if name not in told:
            collection.rejected[name] = f"not in MERR_{part}_grained.json"
            continue
        if with_media and not collection.usable(name, "train", files.get(name)):
            continue
        entry = told[name]
        if said := other_label(entry, emotion, collection.labels):
            others.append(f"'{name}', '{native}' in the list and '{said}' in the json")
        truth = _clues(entry, f"MERR_{part}_grained.json: '{name}'")
        collection.samples.append(
            Sample(
                id=name,
                video=collection.path(files.get(name)),
                text=sentences.get(name) or flat(entry.get("text")),
                split="train",
                targets=Targets(emotion=emotion, native=native, reason=reason_of(entry)),
                clues=_in_words(truth),
                truth=truth,
            )
        )
    if others:
        collection.notes.append(tell_others(others))
    if validation:
        for i in sorted(range(len(collection.samples)), key=lambda i: collection.samples[i].id)[
            ::validation
        ]:
            collection.samples[i] = collection.samples[i].model_copy(update={"split": "val"})
    reasons = sum(s.targets.reason is not None for s in collection.samples)
    collection.notes.append(f"{reasons} with a reason")
    return collection.finish({"train": COUNTS[part]}, strict)


def _labels(stem: Path, told: dict[str, dict[str, Any]]) -> Iterator[tuple[str, str, str]]:
    """(where, name, label as written) from the list, or from the json without one."""
    listed = stem.with_suffix(".txt")
    if listed.is_file():
        yield from read_list(listed)
        return
    for name, entry in told.items():
        label = entry.get("pseu_emotion")
        if not isinstance(label, str):
            raise EmollamaError(
                f"{stem}.json: '{name}' has no 'pseu_emotion', and there is no {listed.name}"
            )
        yield f"{stem}.json: '{name}': pseu_emotion", name, label


def _clues(entry: dict[str, Any], where: str) -> dict[str, Any]:
    clues: dict[str, Any] = {}
    for key, name in (("AU_list", "units"), ("peak_AU_list", "peak_units")):
        units = entry.get(key)
        if units is None:
            continue
        if not isinstance(units, list) or not all(isinstance(u, str) for u in units):
            raise EmollamaError(f"{where}: '{key}' must be a list of units")
        clues[name] = units
    if str(entry.get("peak_index", "")).isdecimal():
        clues["peak"] = int(entry["peak_index"])
    if tone := flat(entry.get("audio_prior_list")):
        clues["tone"] = tone
    return clues


def _in_words(truth: dict[str, Any]) -> dict[Literal["voice", "face"], str]:
    """Descriptions of face and voice for a prompt."""
    clip, peak = (in_words(truth.get(key, ())) for key in ("units", "peak_units"))
    face = "; ".join(filter(None, (clip, f"at the peak {peak}" if peak else "")))
    found: dict[Literal["voice", "face"], str] = {}
    if face:
        found["face"] = face
    if "tone" in truth:
        found["voice"] = truth["tone"]
    return found
