"""RAVDESS (Livingstone and Russo 2018): acted emotion, 24 actors, two sentences.

A file is named MM-CC-EE-II-SS-RR-AA: modality (01 picture and sound, 02 picture only, 03 sound
only), channel (01 speech, 02 song), emotion, intensity, statement, repetition and actor (odd: a
man). The same utterance ships once with a picture and once as sound; here it is one sample.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from emollama.base.errors import EmollamaError
from emollama.corpora.collection import files_below
from emollama.corpora.report import PrepareReport
from emollama.corpora.splits import ravdess_split, require_whole_groups
from emollama.manifest.labels import get_label_set
from emollama.manifest.paths import path_in_manifest
from emollama.manifest.sample import Sample, Targets, write_manifest

EMOTIONS = {
    "01": "neutral", "02": "calm", "03": "happy", "04": "sad",
    "05": "angry", "06": "fearful", "07": "disgust", "08": "surprised",
}  # fmt: skip
STATEMENTS = {"01": "Kids are talking by the door.", "02": "Dogs are sitting by the door."}
INTENSITIES = {"01": "normal", "02": "strong"}
SPEECH = 1440
"""Spoken utterances of all 24 actors; those sung are not counted, since actor 18 has none."""

_SOUND = (".wav", ".flac")  # in order of preference
_VIDEO = (".mp4",)
_OTHER = (".avi", ".mkv", ".mov", ".webm", ".mp3", ".m4a", ".ogg", ".opus")  # told, not read
_FIELDS: tuple[tuple[str, frozenset[str]], ...] = (
    ("modality", frozenset({"01", "02", "03"})),
    ("channel", frozenset({"01", "02"})),
    ("emotion", frozenset(EMOTIONS)),
    ("intensity", frozenset(INTENSITIES)),
    ("statement", frozenset(STATEMENTS)),
    ("repetition", frozenset({"01", "02"})),
    ("actor", frozenset(f"{actor:02d}" for actor in range(1, 25))),
)


def prepare_ravdess(
    root: Path, out: Path, split: str = "ravdess-a", song: bool = False, strict: bool = False
) -> PrepareReport:
    """Write a manifest of the RAVDESS files anywhere below `root`.

    A sample's id is the name of its sound file (03-...), even if only the video exists; its speaker
    and group are the actor, its text the statement. Frames come from the mp4 with picture and
    sound, else from the one with a picture only.

    Args:
        root: folder with wav, flac or mp4 files, e.g. the unpacked `Actor_*` folders.
        out: the manifest.
        split: one of `splits.RAVDESS_SPLITS`.
        song: use the sung clips instead of the spoken ones.
        strict: another number of spoken clips than 1,440 is an error.

    Returns:
        The report, with each rejected media file and its reason.

    Raises:
        EmollamaError: unknown split, `root` is not a folder, it holds no RAVDESS clips, or (strict)
            clips are missing.
    """
    actors = ravdess_split(split)
    if not root.is_dir():
        raise EmollamaError(f"{root}: is not a folder; give the folder of RAVDESS")
    channel, other = ("02", "speech") if song else ("01", "song")
    rejected: dict[str, str] = {}
    utterances: dict[str, dict[str, Path]] = {}  # "CC-EE-...": {modality: file}
    for path in files_below(root, (*_SOUND, *_VIDEO, *_OTHER)):
        shown = path.relative_to(root).as_posix()
        if reason := misfit(path):
            rejected[shown] = reason
            continue
        modality, _, rest = path.stem.partition("-")
        if not rest.startswith(f"{channel}-"):
            rejected[shown] = f"{other}, not requested"
            continue
        files = utterances.setdefault(rest, {})
        first = files.setdefault(modality, path)
        if first is not path:
            kept = sorted((first, path), key=_preference)
            files[modality] = kept[0]
            rejected[kept[1].relative_to(root).as_posix()] = "another file of the same utterance"

    samples: list[Sample] = []
    for rest, files in sorted(utterances.items(), key=lambda item: (item[0][-2:], item[0])):
        _, emotion, intensity, statement, _, actor = rest.split("-")
        video = files.get("01", files.get("02"))
        audio = files.get("03")
        if "01" in files and "02" in files:
            shown = files["02"].relative_to(root).as_posix()
            rejected[shown] = "picture only; the file with sound also has the picture"
        samples.append(
            Sample(
                id=f"03-{rest}",
                video=path_in_manifest(video, out) if video else None,
                audio=path_in_manifest(audio, out) if audio else None,
                text=STATEMENTS[statement],
                speaker=f"actor-{actor}",
                group=f"actor-{actor}",
                split=actors.of(int(actor)),
                targets=Targets(emotion=EMOTIONS[emotion], native=emotion),
                truth={
                    "intensity": INTENSITIES[intensity],
                    "sex": "male" if int(actor) % 2 else "female",
                },
            )
        )
    if not samples:
        kind = "song" if song else "speech"
        why = ""
        if rejected:
            reason, count = Counter(rejected.values()).most_common(1)[0]
            why = f"; {len(rejected)} left out, most often ({count}): {reason}"
        raise EmollamaError(
            f"{root}: holds no RAVDESS {kind}: wav, flac or mp4 files named "
            f"MM-CC-EE-II-SS-RR-AA{why}"
        )
    require_whole_groups(samples, {s.id: s.split for s in samples})
    faults = []
    if not song and len(samples) != SPEECH:
        faults = [f"{len(samples)} spoken utterances found, {SPEECH} expected"]
    if strict and faults:
        raise EmollamaError(f"{root}: {faults[0]}")
    write_manifest(out, "ravdess", get_label_set("ravdess"), samples)
    both = sum(1 for s in samples if s.video and s.audio)
    notes = (
        f"split '{split}' by actor: {len({s.group for s in samples})} actors",
        f"{both} with video and audio files, {sum(1 for s in samples if not s.video)} audio only, "
        f"{sum(1 for s in samples if not s.audio)} video only",
    )
    return PrepareReport.of(out, samples, dict(sorted(rejected.items())), notes, faults)


def misfit(path: Path) -> str | None:
    """Why a file's name is not that of a RAVDESS clip, or None where it is one."""
    parts = path.stem.split("-")
    if len(parts) != len(_FIELDS):
        return "name is not MM-CC-EE-II-SS-RR-AA"
    for part, (field, known) in zip(parts, _FIELDS, strict=True):
        if part not in known:
            return f"{field} '{part}' is not one of {min(known)} to {max(known)}"
    if parts[2] == "01" and parts[3] == "02":
        return "neutral has no strong intensity"
    if parts[1] == "02" and parts[2] in ("07", "08"):
        return f"there is no {EMOTIONS[parts[2]]} song"
    suffix = path.suffix.lower()
    if suffix in _OTHER:
        return f"a {suffix} file; wav, flac and mp4 are read"
    if parts[0] == "03" and suffix not in _SOUND:
        return f"modality '03' is sound only, but the file is {suffix}"
    if parts[0] != "03" and suffix not in _VIDEO:
        return f"modality '{parts[0]}' has a picture, but the file is {suffix}"
    return None


def _preference(path: Path) -> tuple[int, str]:
    suffix = path.suffix.lower()
    return (_SOUND.index(suffix) if suffix in _SOUND else 0, path.as_posix())
