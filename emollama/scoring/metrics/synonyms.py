"""MER2024-OV: overlap of word sets once the synonyms of each clip are merged.

For a clip let G be the true and P the answered words, in lower case, each replaced by the first
word of its group of synonyms. Set accuracy = mean over clips of |G and P| / |P|, set recall = mean
of |G and P| / |G|, both 0 where P is empty; the score is the mean of the two (Lian et al., "MER
2024").

The groups were made by gpt-3.5-turbo-16k-0613, clip by clip, from true and answered words together:
they belong to one system's answers, and another system needs its own. Stored groups give the
published number again (0.5398 for the baseline); nothing else does.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from emollama.base.errors import EmollamaError, require_known
from emollama.base.files import read_json
from emollama.scoring.metrics.formulas import mean, overlap_of
from emollama.scoring.metrics.measure import Measure, in_order
from emollama.scoring.predictions.checks import NO_WORDS
from emollama.scoring.predictions.prediction import Prediction

Part = Literal["mean", "accuracy", "recall"]
Groups = Mapping[str, Sequence[Sequence[str]]]
"""Clip to its groups of words that mean the same."""

NO_GROUPS = "no groups of synonyms"


def merged_overlap(rows: Sequence[Prediction], groups: Groups, part: Part) -> Measure:
    """Set accuracy, set recall, or the mean of the two, over clips with true words and groups.

    Clips without groups are left out and counted, as the published script leaves them out; those
    without an answered word score 0.
    """
    require_known("part", part, get_args(Part))
    known = [r for r in in_order(rows) if r.reference_words]
    kept = [r for r in known if r.id in groups]
    failures = Counter(NO_GROUPS for r in known if r.id not in groups)
    failures += Counter(r.parse_failure or NO_WORDS for r in kept if not r.words)
    accuracy, recall = np.zeros(len(kept)), np.zeros(len(kept))
    for i, row in enumerate(kept):
        first = {word: group[0] for group in groups[row.id] for word in group}
        true, answered = (
            {first.get(w.lower(), w.lower()) for w in words or ()}
            for words in (row.reference_words, row.words)
        )
        accuracy[i], recall[i], _ = overlap_of(true, answered)
    each = {"accuracy": accuracy, "recall": recall, "mean": (accuracy + recall) / 2}[part]
    return Measure(tuple(kept), lambda w: mean(each, w), len(rows), dict(sorted(failures.items())))


def read_groups(path: Path) -> Groups:
    """Groups of synonyms by clip.

    Args:
        path: a folder of `<name>.npy`, each the text of a list of lists, as MERTools stores them;
            or JSON `{name: [[word, ...], ...]}`.

    Raises:
        EmollamaError: no such folder or file, none inside, or one that is not in that form.
    """
    if not path.is_dir():
        return _of_json(path, read_json(path))
    files = sorted(path.glob("*.npy"))
    if not files:
        raise EmollamaError(f"{path}: holds no <name>.npy")
    return {f.stem: _of_text(f) for f in files}


def _of_json(path: Path, found: Any) -> Groups:
    def words(value: Any) -> bool:
        return isinstance(value, list) and bool(value) and all(isinstance(w, str) for w in value)

    if not isinstance(found, dict):
        raise EmollamaError(f"{path}: must hold an object {{name: [[word, ...], ...]}}")
    for name, groups in found.items():
        if not isinstance(groups, list) or not all(words(g) for g in groups):
            raise EmollamaError(f"{path}: '{name}': must be a list of lists of words")
    return {name: [[w.lower() for w in g] for g in groups] for name, groups in found.items()}


def _of_text(path: Path) -> list[list[str]]:
    try:
        value = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise EmollamaError(f"{path}: is not an array of text: {error}") from error
    if value.shape != () or value.dtype.kind != "U":
        raise EmollamaError(f"{path}: is not an array of one text")
    # As the published script cuts it: groups at brackets, words at quotes.
    groups = [_words(part) for part in re.split(r"[\[\]]", str(value))]
    return [group for group in groups if group]


def _words(text: str) -> list[str]:
    return [w for w in re.split("['\"]", text) if w.strip() not in ("", ",")]
