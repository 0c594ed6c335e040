"""Readers of public systems' result files, by name."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError

from emollama.base.errors import EmollamaError, did_you_mean
from emollama.base.files import read_text
from emollama.manifest.labels import LabelSet, get_label_set
from emollama.scoring.metrics.preference import PREFERENCE
from emollama.scoring.predictions.checks import NO_VALENCE, NO_WORDS
from emollama.scoring.predictions.prediction import Prediction
from emollama.scoring.predictions.predictions import Header, Predictions, first_problem
from emollama.scoring.readers.class_orders import (
    DEFAULT_LABELS,
    class_order,
    label_of,
    sets_of_width,
)
from emollama.scoring.readers.columns import read_answers
from emollama.scoring.readers.jsonl_answers import read_jsonl_answers
from emollama.scoring.readers.npz import read_npz
from emollama.scoring.readers.predict_rows import PREDICT, read_predict_rows
from emollama.scoring.readers.truths import UNNAMED, with_references
from emollama.scoring.wheels.wheel_words import split_words

SUM_TOLERANCE = 1e-3
MOST_ROWS = 1_000_000
"""Clips that the counts of a confusion matrix may come to; each becomes a row."""


def read_public(
    path: Path,
    reader: str,
    labels: LabelSet | None = None,
    reference: Path | None = None,
    split: str | None = None,
) -> Predictions:
    """A public system's results as predictions.

    What channels the system was given is not in its files: rows have none.

    Args:
        path: the result file.
        reader: one of `ALL_READERS`.
        labels: the label set its labels are of; by default MER2023's, or the words of the true
            answers where the file holds them. For the order of class numbers see `class_order`.
        reference: true values, where the results hold none; see `with_references`.
        split: of an Emotion-LLaMA-v2 file, only the rows of this `mode`.

    Raises:
        EmollamaError: an unknown reader, or a file that is not in its format.
    """
    if reader not in ALL_READERS:
        raise EmollamaError(f"reader '{reader}' is unknown{did_you_mean(reader, ALL_READERS)}")
    if split is not None and reader != EMOTION_LLAMA_V2:
        raise EmollamaError(
            f"{path}: --split is for the results of Emotion-LLaMA-v2, whose rows name their split"
        )
    try:
        if reader == EMOTION_LLAMA_V2:
            rows, known = read_jsonl_answers(path, labels, split)
        elif reader == PREDICT:
            rows, known = read_predict_rows(path)
        else:
            known = OWN_LABELS.get(reader, labels or get_label_set(DEFAULT_LABELS))
            rows = READERS[reader](path, known)
    except ValidationError as error:
        raise EmollamaError(f"{path}: {first_problem(error)}") from error
    if not rows:
        raise EmollamaError(f"{path}: holds no results")
    if reference is not None:
        rows = with_references(rows, reference, known, declared=labels is not None)
    rows = [r.model_copy(update={"channels": (), "system": reader}) for r in rows]
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    header = Header(labels=known, model=reader, split=split or "")
    return Predictions(header, tuple(rows), path, digest)


def emotion_llama(path: Path, labels: LabelSet) -> list[Prediction]:
    """Emotion-LLaMA: a csv of answers by clip, or the released txt with a confusion matrix.

    The txt holds counts only, in alphabetical order of labels; each count becomes a row of its
    own, so that every metric of labels (not of clips) can be computed. That system answers
    "neutral" where it cannot parse, so its failures cannot be told from neutral answers.
    """
    if path.suffix.lower() in (".csv", ".tsv"):
        return read_answers(path, labels)
    # One class, repeated once: what is in brackets is read in time linear in its length.
    lines = [re.findall(r"\d+", line) for line in re.findall(r"\[([\d\s,]+)\]", read_text(path))]
    if any(len(number) > len(str(MOST_ROWS)) for line in lines for number in line):
        raise EmollamaError(f"{path}: a count is above {MOST_ROWS:,}; it is not a confusion matrix")
    counts = [[int(n) for n in line] for line in lines if line]
    names = sorted(labels.labels)
    if len(counts) != len(names) or any(len(row) != len(names) for row in counts):
        raise EmollamaError(
            f"{path}: holds no confusion matrix of {len(names)} rows and columns, one "
            f"per label of '{labels.name}'"
        )
    if (total := sum(map(sum, counts))) > MOST_ROWS:
        raise EmollamaError(f"{path}: counts {total:,} clips; at most {MOST_ROWS:,} are read")
    return [
        Prediction(id=f"{truth}-{answer}-{i}", reference=truth, label=answer)
        for truth, row in zip(names, counts, strict=True)
        for answer, count in zip(names, row, strict=True)
        for i in range(count)
    ]


def mertools(path: Path, labels: LabelSet) -> list[Prediction]:
    """MERTools npz: class scores and valence by clip, or explanations by clip (`name2reason`).

    Arrays, with or without the underscore: `names` or `filenames`; `emo_probs` [n, K] (scores, or
    logits, which become probabilities), `emo_labels` [n]; `val_preds`, `val_labels` [n]. Class k
    is the k-th of `class_order`. A valence of -10 means none. Files of 2023 and 2024 hold
    `emo_probs` alone, in the order of the labels' file: `with_references` gives them their names.
    A model of sentiment has scores of width 0 and `emo_labels` of 0 throughout, which are no
    classes; its `val_preds` are sentiment.
    """
    arrays = {_plain(k): v for k, v in read_npz(path, lambda k: _plain(k) in _MERTOOLS).items()}
    if "name2reason" in arrays:
        return _reasons(path, arrays["name2reason"])
    classless = _classless(arrays.get("emoprobs"))
    if classless:
        del arrays["emoprobs"]
    known = [k for k in ("emoprobs", "valpreds") if _size(arrays.get(k))]
    if not known:
        lost = "emo_probs has no classes (width 0), as of a model of sentiment, and there are no"
        raise EmollamaError(
            f"{path}: {lost} val_preds: its answers are not in the file"
            if classless
            else f"{path}: holds neither emo_probs nor val_preds nor name2reason"
        )
    n = _size(arrays[known[0]])
    names = arrays.get("names", arrays.get("filenames"))
    ids = [UNNAMED.format(i) for i in range(n)] if names is None else _texts(path, "names", names)
    columns: dict[str, np.ndarray] = {}
    for key in ("emoprobs", "emolabels", "valpreds", "vallabels"):
        if _size(arrays.get(key)):
            columns[key] = _numbers(path, key, arrays[key])
    for key, values in columns.items():
        if len(values) != n or len(ids) != n:
            raise EmollamaError(
                f"{path}: '{key}' has {len(values)} rows, but there are {len(ids)} names"
            )
    quantity = "valence"
    if "emoprobs" in columns:
        columns["emoprobs"] = _probabilities(path, columns["emoprobs"], labels)
    elif "emolabels" in columns and not columns["emolabels"].any():
        del columns["emolabels"]
        quantity = "sentiment"
    return [_mertools_row(path, i, ids[i], columns, labels, quantity) for i in range(n)]


def openset(path: Path, labels: LabelSet) -> list[Prediction]:
    """AffectGPT's `*-openset.npz`: `filenames`, and `fileitems` (a list of words, or its text)."""
    del labels
    arrays = read_npz(path, lambda name: name in ("filenames", "fileitems"))
    missing = [k for k in ("filenames", "fileitems") if k not in arrays]
    if missing:
        raise EmollamaError(f"{path}: holds no '{missing[0]}'")
    ids = _texts(path, "filenames", arrays["filenames"])
    items = arrays["fileitems"]
    items = items.tolist() if isinstance(items, np.ndarray) else items
    if not isinstance(items, list) or len(items) != len(ids):
        raise EmollamaError(f"{path}: 'fileitems' must hold one item for each of {len(ids)} names")
    rows = []
    for name, item in zip(ids, items, strict=True):
        words = tuple(map(str, item)) if isinstance(item, list) else split_words(str(item or ""))
        failure = None if words else NO_WORDS
        rows.append(Prediction(id=name, words=words, parse_failure=failure))
    return _distinct(path, rows)


def preference(path: Path, labels: LabelSet) -> list[Prediction]:
    """A csv of `name` and `preference` (a1 or a2), as MER2026's track 3 has it."""
    return read_answers(path, labels)


READERS: dict[str, Callable[[Path, LabelSet], list[Prediction]]] = {
    "emotion-llama": emotion_llama,
    "mertools": mertools,
    "openset": openset,
    "preference": preference,
}
EMOTION_LLAMA_V2 = "emotion-llama-v2"
ALL_READERS = (*READERS, EMOTION_LLAMA_V2, PREDICT)
OWN_LABELS = {"preference": PREFERENCE}
"""Label set of a reader whose answers are no emotions."""

_MERTOOLS = {
    "names", "filenames", "emoprobs", "emolabels", "valpreds", "vallabels", "name2reason",
}  # fmt: skip


def _plain(name: str) -> str:
    return name.replace("_", "").lower()


def _mertools_row(
    path: Path, i: int, name: str, columns: dict[str, np.ndarray], labels: LabelSet, quantity: str
) -> Prediction:
    given: dict[str, Any] = {"id": name}
    if "emoprobs" in columns:
        scores, order = columns["emoprobs"][i], class_order(labels)
        given["label"] = order[int(scores.argmax())]
        by_label = dict(zip(order, scores.tolist(), strict=True))
        given["scores"] = {label: by_label[label] for label in labels.labels}
    if "emolabels" in columns:
        code = float(columns["emolabels"][i])
        given["reference"] = label_of(code, labels, f"{path}: emo_labels: '{name}'")
        if "label" not in given:
            given["parse_failure"] = "no label in the file"
    for key, target in (("valpreds", "values"), ("vallabels", "reference_values")):
        if key in columns and float(columns[key][i]) != NO_VALENCE:
            given[target] = {quantity: float(columns[key][i])}
    return Prediction(**given)


def _reasons(path: Path, found: Any) -> list[Prediction]:
    if not isinstance(found, dict) or not found:
        raise EmollamaError(f"{path}: 'name2reason' must be a dictionary of texts")
    rows = [Prediction(id=str(k), reason=str(v) if v else None) for k, v in found.items()]
    return _distinct(path, rows)


def _distinct(path: Path, rows: list[Prediction]) -> list[Prediction]:
    seen = set()
    for row in rows:
        if row.id in seen:
            raise EmollamaError(f"{path}: '{row.id}' occurs twice")
        seen.add(row.id)
    return rows


def _size(value: list[Any] | np.ndarray | None) -> int:
    # A list of lists of unlike lengths has no dimensions that numpy could tell.
    if isinstance(value, np.ndarray):
        return len(value) if value.ndim else 0
    return len(value) if isinstance(value, list) else 0


def _classless(scores: Any) -> bool:
    """Whether there are rows of scores, each of width 0."""
    return _size(scores) > 0 and all(
        isinstance(r, list | np.ndarray) and not len(r) for r in scores
    )


def _texts(path: Path, key: str, value: Any) -> list[str]:
    items = value.tolist() if isinstance(value, np.ndarray) else value
    if not isinstance(items, list) or not all(isinstance(x, str) and x for x in items):
        raise EmollamaError(f"{path}: '{key}' must be a list of names")
    twice = {x for x in items if items.count(x) > 1} if len(set(items)) < len(items) else set()
    if twice:
        raise EmollamaError(f"{path}: '{min(twice)}' occurs twice in '{key}'")
    return items


def _numbers(path: Path, key: str, value: Any) -> np.ndarray:
    try:
        numbers = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise EmollamaError(f"{path}: '{key}' must hold numbers") from error
    if key != "emoprobs" and numbers.ndim > 1:
        numbers = numbers.reshape(len(numbers), -1)[:, 0]
    if not np.isfinite(numbers).all():
        raise EmollamaError(f"{path}: '{key}' holds a number that is not finite")
    return numbers


def _other_sets(scores: np.ndarray) -> str:
    found = sets_of_width(scores.shape[1]) if scores.ndim == 2 else ""
    return f" {found}" if found else ""


def _probabilities(path: Path, scores: np.ndarray, labels: LabelSet) -> np.ndarray:
    if scores.ndim != 2 or scores.shape[1] != len(labels.labels):
        raise EmollamaError(
            f"{path}: emo_probs has shape {scores.shape}; '{labels.name}' has "
            f"{len(labels.labels)} labels (choose with --labels{_other_sets(scores)})"
        )
    if (scores >= 0).all() and (np.abs(scores.sum(1) - 1) <= SUM_TOLERANCE).all():
        return scores / scores.sum(1, keepdims=True)
    odds = np.exp(scores - scores.max(1, keepdims=True))
    found: np.ndarray = odds / odds.sum(1, keepdims=True)
    return found
