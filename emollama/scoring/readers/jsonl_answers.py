"""Emotion-LLaMA-v2's answers: JSON Lines of `video_id`, `answer`, `response` and `mode`.

The keys are those that evaluation/score_split.py, score_multilabel.py and score_hit_ov.py of
github.com/ooochen-30/Emotion-LLaMA-v2 (5f0a408) read and evaluation/eval_mme_emotion_llama_v2.py
writes: `answer` (there also `label`) is true, `response` answered, `new_response` a cleaned form of
it which comes first, `mode` the split. A true answer is one label, several with commas or
semicolons between them, or a sentiment: positive, negative or neutral.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from emollama.base.errors import EmollamaError
from emollama.base.files import read_jsonl
from emollama.manifest.labels import LabelSet, get_label_set, label_set
from emollama.scoring.predictions.parsing import parse_words
from emollama.scoring.predictions.prediction import Prediction
from emollama.scoring.readers.class_orders import DEFAULT_LABELS
from emollama.scoring.wheels.wheel_words import split_words

IDS = ("video_id", "name", "id")
TRUTHS = ("answer", "label")
RESPONSES = ("new_response", "response")
SENTIMENT = {"positive": 1.0, "neutral": 0.0, "negative": -1.0}
"""A sentiment's number; its signs are all that the published scorers use."""
SENTIMENT_LABELS = "mvsa"
"""The label set that holds these words."""
Line = tuple[str, str | None, str]
"""Clip, true answer and response."""


def read_jsonl_answers(
    path: Path, labels: LabelSet | None, split: str | None
) -> tuple[list[Prediction], LabelSet]:
    """Rows of the file and the label set that their labels are of.

    Args:
        path: the file.
        labels: the label set; by default the words of the true answers.
        split: only rows with this `mode`; all where it is None.

    Raises:
        EmollamaError: naming file and line: no id or response, an answer that is no text or no
            label of `labels`, a clip that occurs twice; or no row of the split.
    """
    lines = list(_lines(path, split))
    truths = [truth for _, (_, truth, _) in lines if truth is not None]
    several = any(len(_parts(truth)) > 1 for truth in truths)
    signs = bool(truths) and all(truth.strip().lower() in SENTIMENT for truth in truths)
    if labels is None:
        labels = _of_truths(path, truths, signs)
    rows = []
    for where, (name, truth, response) in lines:
        given: dict[str, Any] = {"id": name, "answer": response}
        if several:
            known = {x for word in _parts(response) if (x := labels.canonical(word))}
            given["labels"] = tuple(x for x in labels.labels if x in known)
            if truth is not None:
                true = {labels.require(word, where) for word in _parts(truth)}
                given["reference_labels"] = tuple(x for x in labels.labels if x in true)
        else:
            found = parse_words(response, labels)
            given |= {"label": found.label, "parse_failure": found.failure}
            given["words"] = split_words(f"[{response}]")  # as score_hit_ov.py hands it on
            if truth is not None:
                given["reference"] = labels.require(truth, where)
        if signs and truth is not None:
            given["reference_values"] = {"sentiment": SENTIMENT[truth.strip().lower()]}
            if (sign := SENTIMENT.get(response.strip().lower())) is not None:
                given["values"] = {"sentiment": sign}
        rows.append(Prediction(**given))
    return rows, labels


def _of_truths(path: Path, truths: list[str], signs: bool) -> LabelSet:
    if signs:
        return get_label_set(SENTIMENT_LABELS)
    words = sorted({word.lower() for truth in truths for word in _parts(truth)})
    return label_set(path.stem, *words) if words else get_label_set(DEFAULT_LABELS)


def _lines(path: Path, split: str | None) -> Iterator[tuple[str, Line]]:
    seen: dict[str, int] = {}
    modes: set[str] = set()
    kept = False
    for number, value in read_jsonl(path):
        where = f"{path}:{number}"
        mode = str(value.get("mode", ""))
        modes.add(mode)
        if split is not None and mode != split:
            continue
        kept = True
        name, response = _text(where, value, IDS), _text(where, value, RESPONSES)
        if not name:
            raise EmollamaError(f"{where}: has no clip name; one of: {', '.join(IDS)}")
        if response is None:
            raise EmollamaError(f"{where}: has no 'response'")
        if name in seen:
            several = len(modes) > 1 and split is None
            hint = f"; choose one of its modes with --split: {', '.join(sorted(modes))}"
            raise EmollamaError(
                f"{where}: '{name}' is already on line {seen[name]}{hint if several else ''}"
            )
        seen[name] = number
        yield where, (name, _text(where, value, TRUTHS), response)
    if split is not None and not kept:
        raise EmollamaError(
            f"{path}: no row has the mode '{split}'; there are: {', '.join(sorted(modes))}"
        )


def _text(where: str, value: dict[str, Any], keys: tuple[str, ...]) -> str | None:
    key = next((k for k in keys if value.get(k) is not None), None)
    if key is None:
        return None
    if not isinstance(value[key], str):
        raise EmollamaError(f"{where}: '{key}' must be text, not {value[key]!r}")
    return str(value[key])


def _parts(text: str) -> list[str]:
    return [part.strip() for part in re.split("[;,]", text) if part.strip()]
