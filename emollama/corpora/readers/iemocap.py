"""IEMOCAP (Busso et al. 2008): ten actors in five sessions, scripted and improvised dialogues.

The label of an utterance is the majority vote in `EmoEvaluation`. The usual protocol leaves one
session out; most papers with language models test on the fifth.

Three public counts differ, each named here. Four classes have 5,531 utterances by the majority and
six have 7,380; the 7,433 of conversation papers are 53 more, `UNDECIDED`, which have no majority
(code `xxx`) but count as happy in zeroQiaoba/MERTools, MERBench/dataset/iemocap-process/
label_6way.npz. Emotion-LLaMA-v2 tests on 1,496 of session 5 in four classes, 261 of them without a
majority: ooochen-30/Emotion-LLaMA-v2, evaluation/hitrate_gt/gt_iemocap_Session5.npz.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from emollama.base.csv_rows import finite
from emollama.base.errors import EmollamaError
from emollama.base.files import read_text
from emollama.corpora.collection import Collection, require_root
from emollama.corpora.report import PrepareReport
from emollama.manifest.labels import LabelSet, get_label_set
from emollama.manifest.sample import LONGEST_CONTEXT, Sample, Targets

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
"""Of all sessions, in six classes: 7,380, without `UNDECIDED`."""

UNDECIDED = frozenset(
    f"Ses0{name}"
    for name in [
        "1F_impro03_F007",
        "1F_impro03_F011",
        "1F_impro03_F014",
        "1F_impro03_M012",
        "1F_impro06_M017",
        "1F_impro07_F007",
        "1M_impro03_F000",
        "1M_impro07_F002",
        "2F_impro03_F002",
        "2F_impro03_F005",
        "2F_impro03_F006",
        "2F_impro03_F007",
        "2F_impro03_F020",
        "2M_impro03_F010",
        "2M_impro03_F026",
        "2M_impro03_F027",
        "3F_impro02_M003",
        "3F_impro03_F000",
        "3F_impro03_F003",
        "3F_impro03_F010",
        "3F_impro03_M003",
        "3F_impro03_M008",
        "3F_impro03_M013",
        "3F_impro03_M016",
        "3F_impro03_M019",
        "3F_impro04_M020",
        "3F_impro07_F000",
        "3F_impro07_F002",
        "3F_impro07_F006",
        "3F_impro07_M016",
        "3F_impro07_M020",
        "3F_impro07_M031",
        "3M_impro02_F001",
        "3M_impro03_F000",
        "3M_impro03_F019",
        "3M_impro03_M005",
        "3M_impro03_M006",
        "3M_impro03_M008",
        "3M_impro03_M009",
        "3M_impro03_M010",
        "3M_impro03_M024",
        "3M_impro03_M025",
        "3M_impro03_M026",
        "3M_impro03_M027",
        "3M_impro03_M034",
        "3M_impro03_M036",
        "3M_impro03_M037",
        "3M_impro05a_F017",
        "3M_impro07_F020",
        "3M_impro07_M001",
        "3M_impro07_M012",
        "3M_impro07_M021",
        "5F_impro07_M010",
    ]
)
"""Utterances without a majority that conversation papers count as happy in six classes."""

_WHOLE = "all sessions"
_HEAD = re.compile(
    r"\[(?P<start>\S+) - (?P<end>\S+)\]\t(?P<name>\S+)\t(?P<code>\w+)\t\[(?P<vad>.+)\]"
)
_NAME = re.compile(r"Ses0(?P<session>[1-5])(?P<wearer>[FM])_\w+_(?P<gender>[FM])\w{3}")
_SPOKEN = re.compile(r"(?P<name>Ses\w+) \[(?P<start>[^\]]*?)-[^\]]*\]:(?P<text>.*)")


@dataclass(frozen=True)
class _Plan:
    """What is read of every session: codes and their labels, media, and labels that replace them.

    `undecided` counts `UNDECIDED` as happy; `given` are labels by utterance for `sessions`
    ("Ses05"), whose other utterances are left out.
    """

    mapping: Mapping[str, str]
    media: str
    undecided: bool
    given: Mapping[str, str]
    sessions: frozenset[str]

    def label(self, name: str, code: str) -> str | None:
        """The label of an utterance; None where it is left out."""
        if name[:5] in self.sessions:
            return self.given.get(name)
        if self.undecided and code == "xxx" and name in UNDECIDED:
            return "happy"
        return self.mapping.get(code)


def prepare_iemocap(
    root: Path,
    out: Path,
    *,
    classes: int = 4,
    test_session: int = 5,
    val_session: int | None = None,
    media: str = "audio",
    undecided: bool = False,
    given: Path | None = None,
    strict: bool = False,
) -> PrepareReport:
    """Write a manifest of IEMOCAP.

    The group of a sample is its session. Valence and arousal are the evaluators' means, from 1 to
    5, as is `truth.dominance`. `truth.side` is the speaker's side of the picture. `context` holds
    the turns of the dialogue that began before, also those of utterances without a label.

    Args:
        root: `IEMOCAP_full_release`, or the folder that it lies in.
        out: the manifest.
        classes: 4 (excited counts as happy) or 6 (it does not, and frustrated is one).
        test_session: the session for test, 1 to 5.
        val_session: the session for validation, if any.
        media: "audio" takes the wav of each utterance; "video" the avi of its dialogue with start
            and end in seconds, which shows both actors and has both voices.
        undecided: in six classes, count `UNDECIDED` as happy, as conversation papers do.
        given: npz of a label by utterance, for the sessions that it names in place of the majority,
            such as the 1,496 of session 5 that Emotion-LLaMA-v2 tests on.
        strict: counts other than the published ones are an error.

    Raises:
        EmollamaError: no sessions, an unknown option, a file that is no such npz, many odd lines,
            or no usable sample of a session.
    """
    if classes not in MAPPINGS:
        raise EmollamaError(f"classes must be 4 or 6, not {classes}")
    if media not in ("audio", "video"):
        raise EmollamaError(f"media must be 'audio' or 'video', not '{media}'")
    if undecided and classes != 6:
        raise EmollamaError("undecided utterances count as happy in six classes only: --classes 6")
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
    labels = read_given(given, collection.labels) if given else {}
    named = frozenset(name[:5] for name in labels)
    plan = _Plan(MAPPINGS[classes], media, undecided, labels, named)
    for session in sessions:
        split = {test_session: "test", val_session: "val"}.get(session, "train")
        _session(collection, root / f"Session{session}", plan, split)
    for session in sorted(set(range(1, 6)) - set(sessions)):
        collection.notes.append(f"no Session{session}")
    tested = sum(1 for s in collection.samples if s.group == "session-5")
    collection.notes.append(
        f"{len(collection.samples)} utterances, {tested} of session 5; papers count 5,531 in four "
        "classes, 7,380 in six or 7,433 (--undecided), and test on 1,241 of session 5 or on the "
        "1,496 of Emotion-LLaMA-v2 (--given gt_iemocap_Session5.npz)"
    )
    listed = Counter(f"session {name[4]}" for name in labels)
    expected: dict[str, int | Mapping[str, int]] = dict(listed)
    if classes == 4:
        expected = {f"session {n}": counts for n, counts in SESSIONS.items()} | expected
    elif not labels:
        expected = {_WHOLE: {**SIX, "happy": SIX["happy"] + len(UNDECIDED) * undecided}}
    return collection.finish(expected, strict)


def read_given(path: Path, labels: LabelSet) -> dict[str, str]:
    """{utterance: label} of an npz that holds a word by utterance.

    Raises:
        EmollamaError: no such file, names that are no utterances, or a word that is no label.
    """
    try:
        with np.load(path, allow_pickle=False) as arrays:
            words = {name: str(arrays[name]) for name in arrays.files}
    except (OSError, ValueError, EOFError) as error:
        raise EmollamaError(f"{path}: is not an npz of a label by utterance: {error}") from error
    odd = next((name for name in words if _NAME.fullmatch(name) is None), None)
    if odd is not None or not words:
        raise EmollamaError(f"{path}: '{odd or ''}' is not an utterance like Ses05F_impro01_F000")
    return {name: labels.require(word, f"{path}: '{name}'") for name, word in words.items()}


def _session(collection: Collection, folder: Path, plan: _Plan, split: str) -> None:
    evaluations = sorted((folder / "dialog/EmoEvaluation").glob("Ses*.txt"))
    if not evaluations:
        raise EmollamaError(f"{folder}/dialog/EmoEvaluation: has no Ses*.txt")
    for evaluation in evaluations:
        dialogue = evaluation.stem
        spoken = _transcript(folder / "dialog/transcriptions" / f"{dialogue}.txt")
        for number, line in enumerate(read_text(evaluation).splitlines(), start=1):
            # Lines of single evaluators and comments begin otherwise; the first is the header, in
            # some copies without its percent sign.
            found = _HEAD.fullmatch(line.strip())
            if not line.startswith("[") or (found is None and number == 1):
                continue
            where = f"{evaluation}:{number}"
            with collection.row(where):
                if found is None:
                    raise EmollamaError(f"{where}: is not [start - end], name, emotion, [V, A, D]")
                _utterance(collection, folder, plan, split, spoken, found, where)


def _utterance(
    collection: Collection, folder: Path, plan: _Plan, split: str,
    spoken: Mapping[str, tuple[float, str]], found: re.Match[str], where: str,
) -> None:  # fmt: skip
    name, code = found["name"], found["code"]
    dialogue = Path(where).stem
    parts = _NAME.fullmatch(name)
    if parts is None or not name.startswith(dialogue):
        raise EmollamaError(f"{where}: '{name}' is not an utterance of {dialogue}")
    if code not in plan.mapping and code not in OTHER_CODES:
        raise EmollamaError(f"{where}: emotion '{code}' is unknown")
    label = plan.label(name, code)
    if label is None:
        collection.see(name, where)
        why = f"label '{code}' is not one of the {len(plan.mapping)} in use"
        collection.rejected[name] = "not in the list" if name[:5] in plan.sessions else why
        return
    collection.count(name, f"session {parts['session']}", label, where)
    collection.tally(_WHOLE, label)
    vad = [finite(v, where) for v in found["vad"].split(",")]
    if len(vad) != 3:
        raise EmollamaError(f"{where}: must hold valence, activation and dominance")
    seen = plan.media == "video"
    file = (
        folder / "dialog/avi/DivX" / f"{dialogue}.avi"
        if seen
        else folder / "sentences/wav" / dialogue / f"{name}.wav"
    )
    if not collection.usable(name, f"session {parts['session']}", file):
        return
    start, end = (finite(found[k], where) for k in ("start", "end"))
    if not 0 <= start < end:
        raise EmollamaError(f"{where}: {start:g} to {end:g} s is not a valid span")
    before = [f"{n[:5]}{n[-4]}: {text}" for n, (begin, text) in spoken.items() if begin < start]
    collection.samples.append(
        Sample(
            id=name,
            video=collection.path(file) if seen else None,
            audio=None if seen else collection.path(file),
            start=start if seen else None,
            end=end if seen else None,
            text=spoken[name][1] if name in spoken else None,
            context=tuple(before[-LONGEST_CONTEXT:]),
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


def _transcript(path: Path) -> dict[str, tuple[float, str]]:
    """{utterance: its start in seconds, what is said}, in time; other lines belong to none."""
    if not path.is_file():
        return {}
    matches = (_SPOKEN.fullmatch(line.strip()) for line in read_text(path).splitlines())
    found = {
        m["name"]: (_seconds(m["start"]), text)
        for m in matches
        if m and (text := m["text"].strip())
    }
    return dict(sorted(found.items(), key=lambda item: item[1][0]))


def _seconds(text: str) -> float:
    """A time of a transcript; one that is no number is before nothing."""
    return float(text) if re.fullmatch(r"[0-9]+(\.[0-9]+)?", text.strip()) else math.inf
