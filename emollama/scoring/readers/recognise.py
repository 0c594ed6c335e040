"""Which reader a file of predictions needs, from what is in it."""

from __future__ import annotations

import json
from pathlib import Path

from emollama.base.errors import EmollamaError
from emollama.base.files import read_lines, read_text
from emollama.scoring.readers.columns import LABELS, NAMES, REASONS, VALENCES, WORDS, rows_of
from emollama.scoring.readers.jsonl_answers import RESPONSES
from emollama.scoring.readers.npz import array_names
from emollama.scoring.readers.predict_rows import KEYS, PREDICT
from emollama.scoring.readers.public import ALL_READERS, EMOTION_LLAMA_V2

_SAY = f"name its kind with --reader: {', '.join(ALL_READERS)} (docs/metrics.md says what each is)"


def recognise(path: Path) -> str | None:
    """The reader of a public system's file; None for a predictions file of emollama.

    Raises:
        EmollamaError: a file of neither kind, or true values where answers are wanted.
    """
    suffix = path.suffix.lower()
    if suffix == ".npz":
        return _of_arrays(path)
    if suffix in (".csv", ".tsv"):
        return _of_columns(path)
    if suffix == ".txt":
        if "[[" in read_text(path):
            return "emotion-llama"
        raise EmollamaError(
            f"{path}: holds no confusion matrix, and is no predictions file; {_SAY}"
        )
    first = next(read_lines(path), (1, ""))[1]
    if first.lstrip().startswith("["):
        raise EmollamaError(f"{path}: is a JSON list; write JSON Lines, one object a line")
    try:
        value = json.loads(first)
    except ValueError:
        value = None
    if not isinstance(value, dict) or "predictions" in value:
        return None
    if set(value) & set(RESPONSES):
        return EMOTION_LLAMA_V2
    if set(value) >= KEYS:
        return PREDICT
    if "manifest" in value:
        raise EmollamaError(
            f"{path}: is a manifest, not predictions; `emollama evaluate` writes predictions"
        )
    raise EmollamaError(
        f"{path}:1: is no header of predictions, and has no answer ({', '.join(RESPONSES)}); "
        f"it has {', '.join(value)[:200] or 'no keys'}"
    )


def _of_arrays(path: Path) -> str:
    written = array_names(path)
    names = {name.replace("_", "").lower() for name in written}
    if "fileitems" in names:
        return "openset"
    if {"emoprobs", "valpreds", "name2reason"} & names:
        return "mertools"
    if any(name.endswith("corpus") for name in names):
        raise EmollamaError(f"{path}: holds true labels, not answers; give it as --reference")
    shown = ", ".join(written[:3])
    raise EmollamaError(
        f"{path}: holds neither answers that are known (fileitems, emo_probs, val_preds, "
        f"name2reason) nor is it a predictions file; its arrays: {shown}"
        f"{', ...' if len(written) > 3 else ''}; true labels go with --reference"
    )


def _of_columns(path: Path) -> str:
    _, header = next(rows_of(path), (1, []))
    spelled = {name.strip().lower() for name in header}
    if spelled >= KEYS:
        return PREDICT
    if "preference" in spelled:
        return "preference"
    if spelled & set(NAMES) and spelled & {*LABELS, *WORDS, *VALENCES, *REASONS}:
        return "emotion-llama"
    raise EmollamaError(
        f"{path}:1: has no columns that are known as clips ({', '.join(NAMES)}) and answers "
        f"({', '.join((*LABELS, *WORDS, *VALENCES, *REASONS))}); it has {', '.join(header)}"
    )
