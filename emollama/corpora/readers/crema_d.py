"""CREMA-D (Cao et al. 2014): 91 actors say twelve sentences in six emotions.

A clip is named `<actor>_<sentence>_<emotion>_<level>`; that emotion is the one the actor was asked
for. The emotion perceived by raters is in `truth.perceived`, if the votes are available.
"""

from __future__ import annotations

import re
from pathlib import Path

from emollama.base.csv_rows import read_rows
from emollama.base.errors import EmollamaError
from emollama.corpora.collection import Collection, files_by_stem, first_that_exists, require_root
from emollama.corpora.report import PrepareReport
from emollama.manifest.labels import get_label_set
from emollama.manifest.sample import Sample, Targets

EMOTIONS = {
    "ANG": "angry", "DIS": "disgust", "FEA": "fearful", "HAP": "happy", "NEU": "neutral",
    "SAD": "sad",
}  # fmt: skip
LEVELS = {"LO": "low", "MD": "medium", "HI": "high", "XX": "unspecified"}
SENTENCES = {
    "IEO": "It's eleven o'clock.",
    "TIE": "That is exactly what happened.",
    "IOM": "I'm on my way to the meeting.",
    "IWW": "I wonder what this is about.",
    "TAI": "The airplane is almost full.",
    "MTI": "Maybe tomorrow it will be cold.",
    "IWL": "I would like a new alarm clock.",
    "ITH": "I think I have a doctor's appointment.",
    "DFA": "Don't forget a jacket.",
    "ITS": "I think I've seen this before.",
    "TSI": "The surface is slick.",
    "WSI": "We'll stop in a couple of minutes.",
}
ACTORS = tuple(range(1001, 1092))
FOLDS = 5
CLIPS = 7442
_UNFIT = "broken in the release (issue 8 of its repository)"
KNOWN_BAD = dict.fromkeys(
    ("1076_MTI_NEU_XX", "1076_MTI_SAD_XX", "1064_TIE_SAD_XX", "1064_IEO_DIS_MD"), _UNFIT
)

_NAME = re.compile(r"(\d{4})_([A-Z]{3})_([A-Z]{3})_([A-Z]{2})")
_VIDEO = (".flv", ".mp4")
_AUDIO = (".wav",)


def prepare_crema_d(
    root: Path, out: Path, *, fold: int = 1, strict: bool = False, keep_bad: bool = False
) -> PrepareReport:
    """Write a manifest of CREMA-D.

    There is no official split. Here the actors, sorted by number, form five folds of 18, 18, 18, 18
    and 19; fold k is for test and the next one for validation. Incomplete copies have the same
    folds.

    Args:
        root: the repository, with `AudioWAV`, `VideoFlash` and, for the votes,
            `processedResults/summaryTable.csv`; either folder of media may be missing.
        out: the manifest.
        fold: the test fold, 1 to 5.
        strict: another number of clips than 7,442 is an error.
        keep_bad: keep clips that are known to be broken.

    Raises:
        EmollamaError: no such fold, no folder of media, a clip with two votes, or no usable sample.
    """
    if not 1 <= fold <= FOLDS:
        raise EmollamaError(f"fold {fold} does not exist; folds are 1 to {FOLDS}")
    require_root(root, "CREMA-D", "AudioWAV/*.wav, VideoFlash/*.flv")
    collection = Collection("crema-d", out, get_label_set("crema-d"), KNOWN_BAD, keep_bad)
    audio = files_by_stem(root / "AudioWAV", _AUDIO)
    video = files_by_stem(root / "VideoFlash", _VIDEO)
    if not audio and not video:
        raise EmollamaError(f"{root}: has neither AudioWAV/*.wav nor VideoFlash/*.flv")
    for files, what in ((audio, "AudioWAV"), (video, "VideoFlash")):
        if not files:
            collection.notes.append(f"NO {what}: samples are without it")
    votes = _votes(root)
    for name in sorted(audio.keys() | video.keys()):
        if reason := misfit(name):
            collection.rejected[name] = reason
            continue
        actor, sentence, code, level = name.split("_")
        collection.count(name, "all actors", EMOTIONS[code], name)
        wanted = [files.get(name) for files in (audio, video) if files]
        if not collection.usable(name, "all actors", *wanted):
            continue
        truth = {"level": LEVELS[level]}
        if name in votes:
            truth["perceived"] = votes[name]
        collection.samples.append(
            Sample(
                id=name,
                video=collection.path(video.get(name)),
                audio=collection.path(audio.get(name)),
                text=SENTENCES[sentence],
                speaker=f"actor-{actor}",
                group=f"actor-{actor}",
                split=split_of(int(actor), fold),
                targets=Targets(emotion=EMOTIONS[code], native=code),
                truth=truth,
            )
        )
    return collection.finish({"all actors": CLIPS}, strict)


def misfit(name: str) -> str | None:
    """Why a file's name is not that of a CREMA-D clip, or None where it is one."""
    found = _NAME.fullmatch(name)
    if found is None:
        return "name is not ACTOR_SENTENCE_EMOTION_LEVEL"
    actor, sentence, emotion, level = found.groups()
    if int(actor) not in ACTORS:
        return f"actor {actor} is not one of {ACTORS[0]} to {ACTORS[-1]}"
    for what, code, known in (
        ("sentence", sentence, SENTENCES), ("emotion", emotion, EMOTIONS), ("level", level, LEVELS),
    ):  # fmt: skip
        if code not in known:
            return f"{what} '{code}' is not one of {', '.join(known)}"
    return None


def split_of(actor: int, fold: int) -> str:
    """The split of an actor's clips if fold `fold`, from 1, is the test fold."""
    # 91 = 18 + 18 + 18 + 18 + 19: the last fold takes the one that is left.
    mine = min((actor - ACTORS[0]) // 18, FOLDS - 1)
    tested = fold - 1
    return "test" if mine == tested else "val" if mine == (tested + 1) % FOLDS else "train"


def _votes(root: Path) -> dict[str, str]:
    """{clip: most perceived emotion}, letters as in the release, ties joined by colons."""
    table = first_that_exists(root, "processedResults/summaryTable.csv")
    if table is None:
        return {}
    votes: dict[str, str] = {}
    first: dict[str, str] = {}
    for row in read_rows(table, ("FileName", "MultiModalVote")):
        name, vote = row.require("FileName"), row.get("MultiModalVote")
        if vote is None:
            continue
        if votes.setdefault(name, vote) != vote:
            raise EmollamaError(f"{row.where}: '{name}' has another vote at {first[name]}")
        first.setdefault(name, row.where)
    return votes
