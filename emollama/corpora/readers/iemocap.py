"""IEMOCAP (Busso et al. 2008): ten actors in five sessions, scripted and improvised dialogues.

The label of an utterance is the majority vote in `EmoEvaluation`. The usual protocol leaves one
session out; most papers with language models test on the fifth.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from emollama.base.csv_rows import finite
from emollama.base.errors import EmollamaError
from emollama.base.files import read_text
from emollama.corpora.collection import Collection, require_root
from emollama.corpora.report import PrepareReport
from emollama.manifest.labels import get_label_set
from emollama.manifest.sample import Sample, Targets

MAPPINGS = {
    4: {"neu": "neutral", "hap": "happy", "exc": "happy", "sad": "sad", "ang": "angry"},
    6: {"neu": "neutral", "hap": "happy", "exc": "excited", "sad": "sad", "ang": "angry",
        "fru": "frustrated"},
}  # fmt: skip
"""{classes: {code: label}}; utterances of other codes are left out."""

OTHER_CODES = ("fru", "exc", "fea", "sur", "dis", "oth", "xxx")
SESSIONS = {
    1: {"angry": 229, "happy": 278, "sad": 194, "neutral": 384},
    2: {"angry": 137, "happy": 327, "sad": 197, "neutral": 362},
    3: {"angry": 240, "happy": 286, "sad": 305, "neutral": 320},
    4: {"angry": 327, "happy": 303, "sad": 143, "neutral": 258},
    5: {"angry": 170, "happy": 442, "sad": 245, "neutral": 384},
}
"""In four classes: 1,085, 1,023, 1,151, 1,031 and 1,241, together 5,531."""

SIX = {"neutral": 1708, "happy": 595, "excited": 1041, "sad": 1084, "angry": 1103,
       "frustrated": 1849}  # fmt: skip
"""Of all sessions, in six classes: 7,380. The 7,433 of some papers are 53 more."""

_WHOLE = "all sessions"
_HEAD = re.compile(
    r"\[(?P<start>\S+) - (?P<end>\S+)\]\t(?P<name>\S+)\t(?P<code>\w+)\t\[(?P<vad>.+)\]"
)
_NAME = re.compile(r"Ses0(?P<session>[1-5])(?P<wearer>[FM])_\w+_(?P<gender>[FM])\w{3}")
_SPOKEN = re.compile(r"(?P<name>Ses\w+) \[[^\]]*\]:(?P<text>.*)")


def prepare_iemocap(
    root: Path,
    out: Path,
    *,
    classes: int = 4,
    test_session: int = 5,
    val_session: int | None = None,
    media: str = "audio",
    strict: bool = False,
) -> PrepareReport:
    """Write a manifest of IEMOCAP.

    The group of a sample is its session. Valence and arousal are the evaluators' means, from 1 to
    5, as is `truth.dominance`. `truth.side` is the speaker's side of the picture.

    Args:
        root: `IEMOCAP_full_release`, or the folder that it lies in.
        out: the manifest.
        classes: 4 (excited counts as happy) or 6 (it does not, and frustrated is one).
        test_session: the session for test, 1 to 5.
        val_session: the session for validation, if any.
        media: "audio" takes the wav of each utterance; "video" the avi of its dialogue with start
            and end in seconds, which shows both actors and has both voices.
        strict: counts other than the published ones are an error.

    Raises:
        EmollamaError: no sessions, an unknown option, an invalid line, or no usable sample.
    """
    if classes not in MAPPINGS:
        raise EmollamaError(f"classes must be 4 or 6, not {classes}")
    if media not in ("audio", "video"):
        raise EmollamaError(f"media must be 'audio' or 'video', not '{media}'")
    for session in (test_session, val_session):
        if session is not None and session not in range(1, 6):
            raise EmollamaError(f"session {session} does not exist; sessions are 1 to 5")
    if val_session == test_session:
        raise EmollamaError(f"session {test_session} cannot be both for validation and for test")
    require_root(root, "IEMOCAP", "IEMOCAP_full_release/Session1/dialog/EmoEvaluation/*.txt, ...")
    inner = root / "IEMOCAP_full_release"
    root = inner if inner.is_dir() else root
    collection = Collection("iemocap", out, get_label_set(f"iemocap{classes}"))
    sessions = [n for n in range(1, 6) if (root / f"Session{n}").is_dir()]
    if not sessions:
        raise EmollamaError(f"{root}: has no folder Session1 to Session5")
    for session in sessions:
        split = {test_session: "test", val_session: "val"}.get(session, "train")
        _session(collection, root / f"Session{session}", MAPPINGS[classes], split, media)
    for session in sorted(set(range(1, 6)) - set(sessions)):
        collection.notes.append(f"no Session{session}")
    tested = sum(1 for s in collection.samples if s.group == "session-5")
    collection.notes.append(
        f"{len(collection.samples)} utterances, {tested} of session 5; papers count 5,531 in four "
        "classes and 7,433 in six (here 7,380), and test on 1,241 or 1,496 of session 5"
    )
    expected: dict[str, int | Mapping[str, int]] = {_WHOLE: SIX} if classes == 6 else {}
    if classes == 4:
        expected = {f"session {n}": counts for n, counts in SESSIONS.items()}
    return collection.finish(expected, strict)


def _session(
    collection: Collection, folder: Path, mapping: dict[str, str], split: str, media: str
) -> None:
    evaluations = sorted((folder / "dialog/EmoEvaluation").glob("Ses*.txt"))
    if not evaluations:
        raise EmollamaError(f"{folder}/dialog/EmoEvaluation: has no Ses*.txt")
    for evaluation in evaluations:
        dialogue = evaluation.stem
        spoken = _transcript(folder / "dialog/transcriptions" / f"{dialogue}.txt")
        for number, line in enumerate(read_text(evaluation).splitlines(), start=1):
            # Lines of single evaluators and comments begin otherwise.
            if not line.startswith("["):
                continue
            where = f"{evaluation}:{number}"
            found = _HEAD.fullmatch(line.strip())
            if found is None:
                if number == 1:  # "% [START_TIME - END_TIME] ..." without its percent sign
                    continue
                raise EmollamaError(f"{where}: is not [start - end], name, emotion, [V, A, D]")
            name, code = found["name"], found["code"]
            parts = _NAME.fullmatch(name)
            if parts is None or not name.startswith(dialogue):
                raise EmollamaError(f"{where}: '{name}' is not an utterance of {dialogue}")
            if code not in mapping:
                if code not in OTHER_CODES:
                    raise EmollamaError(f"{where}: emotion '{code}' is unknown")
                collection.see(name, where)
                collection.rejected[name] = (
                    f"label '{code}' is not one of the {len(mapping)} in use"
                )
                continue
            label = mapping[code]
            collection.count(name, f"session {parts['session']}", label, where)
            collection.tally(_WHOLE, label)
            vad = [finite(v, where) for v in found["vad"].split(",")]
            if len(vad) != 3:
                raise EmollamaError(f"{where}: must hold valence, activation and dominance")
            file = (
                folder / "sentences/wav" / dialogue / f"{name}.wav"
                if media == "audio"
                else folder / "dialog/avi/DivX" / f"{dialogue}.avi"
            )
            if not collection.usable(name, f"session {parts['session']}", file):
                continue
            start, end = (finite(found[k], where) for k in ("start", "end"))
            if not 0 <= start < end:
                raise EmollamaError(f"{where}: {start:g} to {end:g} s is not a valid span")
            seen = media == "video"
            collection.samples.append(
                Sample(
                    id=name,
                    video=collection.path(file) if seen else None,
                    audio=None if seen else collection.path(file),
                    start=start if seen else None,
                    end=end if seen else None,
                    text=spoken.get(name),
                    speaker=f"Ses0{parts['session']}{parts['gender']}",
                    group=f"session-{parts['session']}",
                    split=split,
                    targets=Targets(emotion=label, native=code, valence=vad[0], arousal=vad[1]),
                    truth={
                        "dominance": vad[2],
                        "side": "left" if parts["wearer"] == parts["gender"] else "right",
                    },
                )
            )


def _transcript(path: Path) -> dict[str, str]:
    """{utterance: what is said}; other lines do not belong to an utterance."""
    if not path.is_file():
        return {}
    matches = (_SPOKEN.fullmatch(line.strip()) for line in read_text(path).splitlines())
    return {m["name"]: text for m in matches if m and (text := m["text"].strip())}
