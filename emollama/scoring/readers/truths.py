"""True values by clip, joined to the results of a system: a csv, or a published label npz.

MERTools' (MERBench/dataset/*/label*.npz at 89120b7) are dictionaries of `emo` and `val` by clip.
`emo` is a word (MER2023) or a class number (IEMOCAP, MELD; see `class_order`). In the files of
MOSI, MOSEI and CH-SIMS every `emo` is 0, a filler, and `val` is the sentiment.
Emotion-LLaMA-v2's (evaluation/hitrate_gt/gt_*.npz at 5f0a408) hold one word a clip, by its name.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from emollama.base.errors import EmollamaError
from emollama.manifest.labels import LabelSet
from emollama.scoring.metrics.continuous import SENTIMENT
from emollama.scoring.predictions.checks import NO_VALENCE, NO_WORDS
from emollama.scoring.predictions.prediction import Prediction
from emollama.scoring.readers.class_orders import CLASS_ORDERS, label_of
from emollama.scoring.readers.columns import read_table
from emollama.scoring.readers.npz import read_npz
from emollama.scoring.wheels.wheel_words import split_words

UNNAMED = "row{:06d}"
"""Id of the n-th row of a file that names no clips."""

_CORPUS = "_corpus"
Known = dict[str, Any]
"""Fields of a `Prediction` that are true of a clip."""


def with_references(
    rows: list[Prediction], path: Path, labels: LabelSet, declared: bool = True
) -> list[Prediction]:
    """The rows with what `path` says is true of them; others stay without a reference.

    Where the rows name no clips (MERTools' result files of 2023 and 2024 do not), they are those of
    the one table with as many clips, in its order.

    Args:
        rows: of one system.
        path: csv by clip name, or npz of `train_corpus`, `test1_corpus`, ... as MERTools has them:
            dictionaries {name: {"emo": label, "val": valence}}; or npz of one word a name.
        labels: the label set that true labels are of.
        declared: False where `labels` is a default, under which class numbers mean nothing.

    Names that only one of the two has are told on stderr.

    Raises:
        EmollamaError: a file in neither form, a true label outside the set, class numbers of no
            declared corpus, no name in common, or unnamed rows that fit no table or several.
    """
    npz = path.suffix.lower() == ".npz"
    labelled = any(r.label is not None or r.answer is not None for r in rows)
    tables = _of_npz(path, labels, declared, labelled) if npz else [_of_csv(path, labels)]
    if [r.id for r in rows] == [UNNAMED.format(i) for i in range(len(rows))]:
        fitting = [t for t in tables if len(t) == len(rows)]
        if len(fitting) != 1:
            sizes = ", ".join(str(len(t)) for t in tables)
            raise EmollamaError(
                f"{path}: the {len(rows)} results have no clip names, so exactly one table must "
                f"have as many, in the same order; there are tables of {sizes}"
            )
        tables = fitting
        rows = [r.model_copy(update={"id": n}) for r, n in zip(rows, fitting[0], strict=True)]
    ids = {r.id for r in rows}
    shared = [t for t in tables if not ids.isdisjoint(t)]
    if not shared:
        raise EmollamaError(f"{path}: has no name in common with the predictions")
    truths = {name: known for table in shared for name, known in table.items()}
    for names, what in (
        (ids - truths.keys(), f"of {len(ids)} results are of clips that it does not name"),
        (truths.keys() - ids, f"of its {len(truths)} clips have no result and are not scored"),
    ):
        if names:
            print(f"note: {path}: {len(names)} {what}, e.g. '{min(names)}'", file=sys.stderr)
    return [_joined(row, truths.get(row.id, {})) for row in rows]


def _joined(row: Prediction, known: Known) -> Prediction:
    if "reference_words" in known and row.label is None and row.answer is None:
        # Answered in words and known in words: there is no label to be right or wrong.
        known = {key: value for key, value in known.items() if key != "reference"}
    if SENTIMENT in known.get("reference_values", ()) and "valence" in (row.values or {}):
        # MERTools calls both `val`; only the truth says which of the two it is.
        values = {SENTIMENT if k == "valence" else k: v for k, v in (row.values or {}).items()}
        known = {**known, "values": values}
    if "reference" in known and row.label is None and not row.parse_failure:
        # Words and reasons are answers of another kind; a label is not among them.
        why = NO_WORDS if row.words == () else "no label in the file"
        known = {**known, "parse_failure": why}
    return row.model_copy(update=known)


def _of_csv(path: Path, labels: LabelSet) -> dict[str, Known]:
    truths = {}
    for number, row in read_table(path):
        known: Known = {}
        if row.get("label"):
            known["reference"] = labels.require(row["label"], f"{path}:{number}")
        if "words" in row:
            known["reference_words"] = split_words(row["words"])
        if "valence" in row:
            known["reference_values"] = {"valence": row["valence"]}
        if row.get("reason"):
            known["reference_reason"] = row["reason"]
        truths[row["id"]] = known
    return truths


def _of_npz(
    path: Path, labels: LabelSet, declared: bool, labelled: bool
) -> Sequence[dict[str, Known]]:
    found = read_npz(path)
    corpora = {name: value for name, value in found.items() if name.endswith(_CORPUS)}
    if not corpora:
        return [_of_words(path, found, labels if labelled else None)]
    given = [_entries(f"{path}: {name}", value) for name, value in corpora.items()]
    every = [entry.get("emo") for corpus in given for entry in corpus.values()]
    numbers = {int(emo) for emo in every if isinstance(emo, int | float)}
    filler = numbers == {0} and len(every) == sum(isinstance(emo, int | float) for emo in every)
    if numbers and not filler and not (declared and labels.name in CLASS_ORDERS):
        fitting = [
            f"{n} ({', '.join(o)})" for n, o in CLASS_ORDERS.items() if len(o) > max(numbers)
        ]
        raise EmollamaError(
            f"{path}: 'emo' holds class numbers, {min(numbers)} to {max(numbers)}; say of which "
            f"corpus they are: --labels {' or '.join(fitting)}"
        )
    return [
        {
            clip: _known(f"{path}: {name}: '{clip}'", entry, labels, filler)
            for clip, entry in corpus.items()
        }
        for name, corpus in zip(corpora, given, strict=True)
    ]


def _entries(where: str, value: Any) -> dict[str, Mapping[str, Any]]:
    if not isinstance(value, Mapping):
        raise EmollamaError(f"{where}: must be a dictionary of clips")
    for name, given in value.items():
        if not isinstance(given, Mapping):
            raise EmollamaError(f"{where}: '{name}': must be a dictionary with 'emo' or 'val'")
    return {str(name): given for name, given in value.items()}


def _known(where: str, given: Mapping[str, Any], labels: LabelSet, filler: bool) -> Known:
    known: Known = {}
    emo = given.get("emo")
    if isinstance(emo, int | float):
        if not filler:
            known["reference"] = label_of(float(emo), labels, f"{where}: 'emo'")
    elif emo not in (None, ""):
        known["reference"] = labels.require(str(emo), where)
    if given.get("val") not in (None, ""):
        try:
            number = float(given["val"])
        except (TypeError, ValueError):
            number = math.nan
        if not math.isfinite(number):
            raise EmollamaError(f"{where}: 'val' is not a number")
        if number != NO_VALENCE:
            known["reference_values"] = {SENTIMENT if filler else "valence": number}
    return known


def _of_words(path: Path, found: Mapping[str, Any], labels: LabelSet | None) -> dict[str, Known]:
    """One word a clip, as it is written, and the label that it means where answers are labels."""
    words = {name: str(value) for name, value in found.items() if _is_word(value)}
    if len(words) < len(found):
        raise EmollamaError(
            f"{path}: holds no <split>{_CORPUS} of true labels, nor one word for each clip"
        )
    truths: dict[str, Known] = {n: {"reference_words": (word,)} for n, word in words.items()}
    if labels is not None:
        for name, word in words.items():
            truths[name]["reference"] = labels.require(word, f"{path}: '{name}' (see --labels)")
    return truths


def _is_word(value: Any) -> bool:
    text = isinstance(value, np.ndarray) and value.dtype.kind == "U" and value.ndim == 0
    return text or isinstance(value, str)
