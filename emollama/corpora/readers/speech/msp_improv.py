"""MSP-IMPROV (Busso et al., IEEE TAC 2017): six dyads, 8,438 turns, labels by several raters.

`Evaluation.txt` (also released as `Evalution.txt`) has a line a clip,
`UTD-IMPROV-S01A-F01-S-FM01.avi; N; A:3.000000; V:3.500000; D:3.000000 ; N:NaN;`, then a line a
rater. The form of both is that of the public parser Strong-AI-Lab/emotion,
datasets/MSP-IMPROV/process.py, commit 4888a90862b770a3225a0fbb213fdaa81184adb0; the counts of the
four labels are the paper's (Table 4). *Unverified*: the release is under a licence, so no whole
file was seen, and no public line of a rater; votes follow the parser's description of them.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from emollama.base.errors import EmollamaError
from emollama.base.files import read_lines
from emollama.corpora.collection import Collection, Expected, files_below, require_root
from emollama.corpora.report import PrepareReport
from emollama.manifest.labels import get_label_set
from emollama.manifest.sample import Sample, Targets

EMOTIONS = {"A": "angry", "H": "happy", "S": "sad", "N": "neutral"}
WITHOUT = {"O": "raters chose another emotion", "X": "raters did not agree"}
"""Codes of clips without one of the four labels, which papers leave out."""
RECORDINGS = {"P": "natural", "R": "read", "S": "improvised", "T": "target improvised"}
EXPECTED: Expected = {"all clips": {"angry": 792, "happy": 2644, "sad": 885, "neutral": 3477}}
TABLES = ("Evaluation.txt", "Evalution.txt")

_NAME = re.compile(r"(?:UTD|MSP)-IMPROV-(S\d\d([AHSN])-([FM]0(\d))-([PRST])-[FM]{2}\d+)")
_CLIP = re.compile(r"(\S+)\.avi\s*;\s*([A-Z])\s*;(.*)")
_RATER = re.compile(r"([^;]+);\s*(Angry|Happy|Sad|Neutral|Other)\s*;")
_MEAN = re.compile(r"\b([AVDN])\s*:\s*(NaN|\d+(?:\.\d+)?)")


@dataclass
class _Clip:
    """A clip's line: its place, the code of its label, means of the ratings and the raters."""

    where: str
    code: str
    means: dict[str, float]
    raters: dict[str, str] = field(default_factory=dict)


def prepare_msp_improv(
    root: Path,
    out: Path,
    *,
    test_session: int = 6,
    val_session: int | None = None,
    strict: bool = False,
) -> PrepareReport:
    """Write a manifest of the clips with one of the four labels.

    An id is the clip's name without its prefix: S01A-F01-S-FM01. The group is the session, of which
    one is tested. `valence` and `arousal` are the raters' means, from 1 to 5; `votes` count the
    raters who chose each of the four labels, other choices left out.

    Args:
        root: folder with `Evaluation.txt`, and wav or avi files anywhere below it.
        out: the manifest.
        test_session: session to test on, 1 to 6.
        val_session: session to validate on; None for none.
        strict: counts other than the published ones, or missing files, are errors.

    Raises:
        EmollamaError: no table, a line that is neither a clip nor a rater, a session that does not
            exist, or no usable sample.
    """
    require_root(root, "MSP-IMPROV", "Evaluation.txt and session1/ to session6/")
    for flag, asked in (("--test-session", test_session), ("--val-session", val_session)):
        if asked not in (None, 1, 2, 3, 4, 5, 6):
            raise EmollamaError(f"{flag} {asked}: there are sessions 1 to 6")
    if test_session == val_session:
        raise EmollamaError(f"session {test_session} cannot be both for validation and for test")
    table = next((p for name in TABLES for p in sorted(root.rglob(name))), None)
    if table is None:
        raise EmollamaError(f"{root}: has no {TABLES[0]}, which holds the labels")
    collection = Collection("msp-improv", out, get_label_set("msp-improv"))
    files: dict[tuple[str, str], Path] = {}
    for path in files_below(root, (".wav", ".avi")):
        if found := _NAME.fullmatch(path.stem):
            files.setdefault((found[1], path.suffix.lower()), path)
    splits = {test_session: "test", val_session: "val"}
    for name, clip in _clips(table).items():
        said = _NAME.fullmatch(f"UTD-IMPROV-{name}")
        assert said is not None
        intended, speaker, session, recording = said.groups()[1:]
        label = EMOTIONS.get(clip.code)
        collection.count(name, "all clips", label or "(none)", clip.where)
        if label is None:
            collection.rejected[name] = WITHOUT[clip.code]
            continue
        sound, film = files.get((name, ".wav")), files.get((name, ".avi"))
        if not collection.usable(name, "all clips", sound or film):
            continue
        votes = Counter(v.lower() for v in clip.raters.values() if v != "Other")
        collection.samples.append(
            Sample(
                id=name,
                video=collection.path(film),
                audio=collection.path(sound),
                speaker=speaker,
                group=f"session-{session}",
                split=splits.get(int(session), "train"),
                targets=Targets(
                    emotion=label,
                    native=clip.code,
                    votes=dict(votes) or None,
                    valence=clip.means.get("V"),
                    arousal=clip.means.get("A"),
                ),
                truth={"intended": EMOTIONS[intended], "recording": RECORDINGS[recording]},
            )
        )
    return collection.finish(EXPECTED, strict)


def _clips(table: Path) -> dict[str, _Clip]:
    """{name: clip} in the table's order; a rater who is listed twice counts once."""
    clips: dict[str, _Clip] = {}
    last: _Clip | None = None
    for number, line in read_lines(table):
        where = f"{table}:{number}"
        if found := _CLIP.fullmatch(line.strip()):
            name = _NAME.fullmatch(found[1])
            if name is None or found[2] not in {**EMOTIONS, **WITHOUT}:
                raise EmollamaError(
                    f"{where}: '{line.strip()[:60]}' must be a clip like "
                    "UTD-IMPROV-S01A-F01-S-FM01.avi with a label A, H, S, N, O or X"
                )
            if name[1] in clips:
                raise EmollamaError(f"{where}: '{name[1]}' is already at {clips[name[1]].where}")
            means = {k: float(v) for k, v in _MEAN.findall(found[3])}
            known = {k: v for k, v in means.items() if not math.isnan(v)}
            last = clips[name[1]] = _Clip(where, found[2], known)
        elif (said := _RATER.match(line.strip())) and last is not None:
            last.raters[said[1].strip()] = said[2]
        else:
            raise EmollamaError(f"{where}: '{line.strip()[:60]}' is neither a clip nor a rater")
    return clips
