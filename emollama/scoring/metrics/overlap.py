"""Clue and label overlap of generated explanations, marked by a judge (EMER).

Lian et al. ("Explainable Multimodal Emotion Reasoning", 2023) let a language model compare a
reference description with a generated one and give 1 to 10: for *clues*, how far the two
descriptions of the person's emotional state overlap; for *labels*, both are first reduced to
emotion words, and the words are compared. The score is the mean over clips.

Their judge (gpt-3.5-turbo-16k-0613) is retired and their prompts were Chinese, so their numbers
cannot be made again. The prompts here are this project's own; judge and prompt hash stand in each
result, and scores with another judge or hash do not compare.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np

from emollama.base.errors import EmollamaError, require_known
from emollama.base.progress import bar
from emollama.endpoints.judge import Judge
from emollama.scoring.metrics.formulas import mean
from emollama.scoring.metrics.measure import Measure, in_order
from emollama.scoring.predictions.prediction import Prediction

Overlap = Literal["clue", "label"]
LOWEST, HIGHEST = 1.0, 10.0

CLUE_PROMPT = """\
You compare two descriptions of the emotional state of one person in a video.
Consider only what each says about the person's emotions and the signs of them (face, voice, \
words, behaviour); leave style and length aside.
Rate how far the prediction overlaps with the reference: 1 means nothing in common, 10 means they \
say the same.
Begin your answer with the rating, a number from 1 to 10, then give the reason in one sentence.

Reference: {reference}

Prediction: {prediction}

Rating:"""

WORDS_PROMPT = """\
Name the emotions of the person that this description speaks of.
Answer with emotion words only, separated by commas.

Description: {text}

Emotions:"""

LABEL_PROMPT = """\
Here are two lists of emotion words about one person.
Rate how far the predicted emotions overlap with the true ones: 1 means nothing in common, 10 \
means they say the same; words of like meaning count as the same.
Begin your answer with the rating, a number from 1 to 10, then give the reason in one sentence.

True emotions: {reference}

Predicted emotions: {prediction}

Rating:"""


_BETWEEN = r"(?:-|\u2013|~|\bto\b|到|至)"
_NUMBER = rf"(?<![A-Za-z\d.])(-?\d+(?:[.,]\d+)?(?: ?{_BETWEEN} ?\d+)?)(?!\d)"
"""A number, or a range of numbers."""
_BLANKS = re.compile(r"\s+")
_MARKUP = re.compile(r"[*_#`\"'\u2018\u2019\u201c\u201d《》「」]")
_WIDE = {ord("０") + k: str(k) for k in range(10)}
_SCALE = re.compile(
    rf"(?:\b(?:on )?a scale )?(?:\b(?:from|of) )?(?<![\d.-])1\s*{_BETWEEN}\s*10(?![\d.])分?"
    r"|(?:/|\bout of|满分(?:为|是)?)\s*10(?![\d.])分?",
    re.IGNORECASE,
)
_FIRST = re.compile(
    rf"\W*?{_NUMBER}(?= ?(?:[^\w ]|分(?![钟之])|because\b|since\b|as\b|for\b|given\b|因为|由于|$))"
)
"""Not "2 clues are shared", which counts something."""
_CALLED = re.compile(
    r"\b(?:rat(?:e|ed|ing)|scored?|marked|mark|grade|give|assign)\b"
    r"(?: (?:it|this|them|the overlap))?"
    rf"\s*(?:\([^()]*\))?\s*(?:is|would be|of|at|as|with|:|=|,)*\s*(?:an? )?{_NUMBER}"
    rf"|(?:分数|得分|评分|打分|分值|重叠度|[给打])\s*(?:（[^（）]*）)?\s*(?:应?[为是]|[:：=])*\s*{_NUMBER}",
    re.IGNORECASE,
)
_ANY = re.compile(_NUMBER)
_RANGE = re.compile(rf"\d\s*{_BETWEEN}")


def prompt_hash(kind: Overlap) -> str:
    """The first 12 digits of the SHA-256 of the prompts that a kind uses."""
    require_known("overlap", kind, get_args(Overlap))
    texts = [CLUE_PROMPT] if kind == "clue" else [WORDS_PROMPT, LABEL_PROMPT]
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:12]


def rating(answer: str) -> float | None:
    """The mark that an answer gives, else None.

    A mark is what the answer begins with, as it was asked to, or what it calls its rating ("8分",
    "'score': 8", "预测分数：8"). Where it does neither, it is the one number of the answer. Numbers
    of the scale ("1-10", "out of 10", "满分10分") are none. Two marks, a range, or one that is not
    from 1 to 10 are no mark.
    """
    # One blank, so that no pattern goes back over a long run of them.
    text = _BLANKS.sub(lambda m: "\n" if "\n" in m[0] else " ", _MARKUP.sub("", answer))
    text = _SCALE.sub("", text.translate(_WIDE))
    given = [m for m in (_FIRST.match(text), *_CALLED.finditer(text)) if m]
    found = {m[m.lastindex or 0] for m in given or _ANY.finditer(text)}
    values = {float(number.replace(",", ".")) for number in found if not _RANGE.search(number)}
    if len(found) != len(values) or len(values) != 1:
        return None
    value = values.pop()
    return value if LOWEST <= value <= HIGHEST else None


def overlap(rows: Sequence[Prediction], judge: Judge, kind: Overlap) -> Measure:
    """Mean rating over the rows with `reason` and `reference_reason`.

    Rows without a reason, and ratings that cannot be read, are left out and counted.
    """
    require_known("overlap", kind, get_args(Overlap))
    known = [r for r in in_order(rows) if r.reference_reason and r.reference_reason.strip()]
    kept: list[Prediction] = []
    values: list[float] = []
    failures: Counter[str] = Counter()
    with bar("explanations, judged") as advance:
        for done, row in enumerate(known):
            advance(done, len(known))
            if not (row.reason and row.reason.strip()):
                failures["no reason"] += 1
                continue
            try:
                question = _question(judge, kind, str(row.reference_reason), row.reason)
                value = None if question is None else rating(judge.ask(question))
            except EmollamaError as error:
                raise EmollamaError(f"'{row.id}': {error}") from error
            if value is None:
                failures["no rating in the judge's answer"] += 1
                continue
            kept.append(row)
            values.append(value)
        advance(len(known), len(known))
    each = np.array(values)
    detail: dict[str, object] = {
        "judge": judge.name,
        "prompt_hash": prompt_hash(kind),
        "temperature": 0,
    }
    return Measure(
        tuple(kept), lambda w: mean(each, w), len(rows), dict(sorted(failures.items())),
        detail, f"judge {judge.name}, prompt {prompt_hash(kind)}, 1 to 10",
    )  # fmt: skip


def _question(judge: Judge, kind: Overlap, reference: str, prediction: str) -> str | None:
    """What the judge is asked for a mark; None where it named no words to mark."""
    if kind == "clue":
        return CLUE_PROMPT.format(reference=reference.strip(), prediction=prediction.strip())
    words = [
        judge.ask(WORDS_PROMPT.format(text=t.strip())).strip() for t in (reference, prediction)
    ]
    if not all(words):
        return None
    return LABEL_PROMPT.format(reference=words[0], prediction=words[1])
