"""Java-SED (Arifin et al. 2022): ten people say four Javanese sentences in six emotions.

A clip is named actor-sentence-emotion_repetition: 08-02-06_01. What the sentences say is not
published, so there are no words.
"""

from __future__ import annotations

import re
from pathlib import Path

from emollama.base.errors import EmollamaError
from emollama.corpora.collection import Collection, files_below, require_root
from emollama.corpora.report import PrepareReport
from emollama.corpora.splits import NamedSplit
from emollama.manifest.labels import get_label_set
from emollama.manifest.sample import Sample, Targets

EMOTIONS = {
    "01": "neutral", "02": "sad", "03": "happy", "04": "surprise", "05": "fear", "06": "angry",
}  # fmt: skip
SPLIT = NamedSplit(test=frozenset({8}), val=frozenset({7}))
"""Ours: none is published."""
CLIPS = 240

_ACTORS = frozenset(f"{actor:02d}" for actor in range(1, 11))
_SENTENCES = frozenset({"01", "02", "03", "04"})
_VIDEO = (".mp4",)
_NAME = re.compile(r"(\d{2})-(\d{2})-(\d{2})_(\d{2})")


def prepare_javased(root: Path, out: Path, *, strict: bool = False) -> PrepareReport:
    """Write a manifest of the Java-SED clips anywhere below `root`.

    Args:
        root: folder with mp4 files, e.g. the release with its `dataset-resize`.
        out: the manifest.
        strict: another number of clips than 240 is an error.

    Raises:
        EmollamaError: `root` is not a folder, it holds no Java-SED clips, or (strict) some are
            missing.
    """
    require_root(root, "Java-SED", "dataset-resize/*.mp4")
    collection = Collection("javased", out, get_label_set("javased"))
    clips: dict[str, Path] = {}
    found = files_below(root, _VIDEO)
    if not found:
        raise EmollamaError(f"{root}: holds no Java-SED clips: mp4 named like 08-02-06_01.mp4")
    for path in found:
        reason = misfit(path.stem)
        if reason or clips.setdefault(path.stem, path) is not path:
            shown = path.relative_to(root).as_posix()
            collection.rejected[shown] = reason or "another file of the same clip"
    for name, path in sorted(clips.items()):
        actor, _, code = name.partition("_")[0].split("-")
        collection.count(name, "all actors", EMOTIONS[code], path.as_posix())
        if not collection.usable(name, "all actors", path):
            continue
        collection.samples.append(
            Sample(
                id=name,
                video=collection.path(path),
                speaker=f"actor-{actor}",
                group=f"actor-{actor}",
                split=SPLIT.of(int(actor)),
                targets=Targets(emotion=EMOTIONS[code], native=code),
            )
        )
    return collection.finish({"all actors": CLIPS}, strict)


def misfit(name: str) -> str | None:
    """Why a file's name is not that of a Java-SED clip, or None where it is one."""
    found = _NAME.fullmatch(name)
    if found is None:
        return "name is not ACTOR-SENTENCE-EMOTION_REPETITION, like 08-02-06_01"
    actor, sentence, emotion, _ = found.groups()
    for what, code, known in (
        ("actor", actor, _ACTORS), ("sentence", sentence, _SENTENCES),
        ("emotion", emotion, EMOTIONS),
    ):  # fmt: skip
        if code not in known:
            return f"{what} '{code}' is not one of {min(known)} to {max(known)}"
    return None
