"""EMO-DB (Burkhardt et al. 2005): ten German actors say ten sentences in seven emotions.

A file is named by the speaker (two digits), the sentence (a01 to b10), the first letter of the
German word for the emotion and the version: 03a01Fa. There are voices only.
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
    "W": "angry", "L": "boredom", "E": "disgust", "A": "fear", "F": "happy", "T": "sad",
    "N": "neutral",
}  # fmt: skip
"""Wut, Langeweile, Ekel, Angst, Freude, Trauer, neutral."""
SEXES = {
    "03": "male", "08": "female", "09": "female", "10": "male", "11": "male", "12": "male",
    "13": "female", "14": "female", "15": "male", "16": "female",
}  # fmt: skip
SENTENCES = {
    "a01": "Der Lappen liegt auf dem Eisschrank.",
    "a02": "Das will sie am Mittwoch abgeben.",
    "a04": "Heute abend könnte ich es ihm sagen.",
    "a05": "Das schwarze Stück Papier befindet sich da oben neben dem Holzstück.",
    "a07": "In sieben Stunden wird es soweit sein.",
    "b01": "Was sind denn das für Tüten, die da unter dem Tisch stehen?",
    "b02": "Sie haben es gerade hochgetragen und jetzt gehen sie wieder runter.",
    "b03": "An den Wochenenden bin ich jetzt immer nach Hause gefahren und habe Agnes besucht.",
    "b09": "Ich will das eben wegbringen und dann mit Karl was trinken gehen.",
    "b10": "Die wird auf dem Platz sein, wo wir sie immer hinlegen.",
}
SPLIT = NamedSplit(test=frozenset({15, 16}), val=frozenset({13, 14}))
"""Ours: none is published. A man and a woman are tested; two women validate."""
UTTERANCES = 535

_SOUND = (".wav", ".flac")  # in order of preference
_NAME = re.compile(r"(\d{2})([ab]\d{2})([A-Z])([a-z])")


def prepare_emodb(root: Path, out: Path, *, strict: bool = False) -> PrepareReport:
    """Write a manifest of the EMO-DB files anywhere below `root`.

    Args:
        root: folder with wav or flac files, e.g. the release with its `wav/`.
        out: the manifest.
        strict: another number of utterances than 535 is an error.

    Raises:
        EmollamaError: `root` is not a folder, it holds no EMO-DB files, or (strict) some are
            missing.
    """
    require_root(root, "EMO-DB", "wav/*.wav")
    collection = Collection("emodb", out, get_label_set("emodb"))
    files: dict[str, Path] = {}
    found = files_below(root, _SOUND)
    for path in sorted(found, key=lambda p: (_SOUND.index(p.suffix.lower()), p)):
        reason = misfit(path.stem)
        if reason or files.setdefault(path.stem, path) is not path:
            shown = path.relative_to(root).as_posix()
            collection.rejected[shown] = reason or "another file of the same utterance"
    if not found:
        raise EmollamaError(f"{root}: holds no EMO-DB files: wav or flac named like 03a01Fa.wav")
    for name, path in sorted(files.items()):
        speaker, sentence, code = name[:2], name[2:5], name[5]
        collection.count(name, "all speakers", EMOTIONS[code], path.as_posix())
        if not collection.usable(name, "all speakers", path):
            continue
        collection.samples.append(
            Sample(
                id=name,
                audio=collection.path(path),
                text=SENTENCES[sentence],
                speaker=f"speaker-{speaker}",
                group=f"speaker-{speaker}",
                split=SPLIT.of(int(speaker)),
                targets=Targets(emotion=EMOTIONS[code], native=code),
                truth={"sex": SEXES[speaker]},
            )
        )
    return collection.finish({"all speakers": UTTERANCES}, strict)


def misfit(name: str) -> str | None:
    """Why a file's name is not that of an EMO-DB utterance, or None where it is one."""
    found = _NAME.fullmatch(name)
    if found is None:
        return "name is not SPEAKER SENTENCE EMOTION VERSION, like 03a01Fa"
    speaker, sentence, emotion, _ = found.groups()
    for what, code, known in (
        ("speaker", speaker, SEXES), ("sentence", sentence, SENTENCES),
        ("emotion", emotion, EMOTIONS),
    ):  # fmt: skip
        if code not in known:
            return f"{what} '{code}' is not one of {', '.join(known)}"
    return None
