"""How well the reader of clues (`scoring.reasons.lexicon`) reads 200 labelled texts.

    python -m benchmarks.reasons.clue_reading [--faults]

A decision is a clue that a text names, with yes or no: "low pitch, yes". Texts at even positions of
the sheet are the development half, which the reader was mended on; `--faults` lists what is read
otherwise in that half, and never in the other one.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from emollama.scoring.metrics.bootstrap import RESAMPLES, interval, resample
from emollama.scoring.reasons.lexicon import clues_in

FOLDER = Path(__file__).parents[2] / "tests" / "scoring" / "reasons" / "clue_reading"
HALVES = {"development half": slice(0, None, 2), "other half": slice(1, None, 2)}
CLUES = 32
Decisions = frozenset[tuple[str, str]]


def sheet() -> list[str]:
    """The texts, in order."""
    lines = (FOLDER / "sheet.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line)["text"] for line in lines]


def labels(name: str) -> list[Decisions]:
    """What a labeller says of each text."""
    lines = (FOLDER / f"labels_{name}.jsonl").read_text(encoding="utf-8").splitlines()
    found = [json.loads(line)["clues"] for line in lines]
    return [frozenset((clue, said) for clue, all in row.items() for said in all) for row in found]


def read(texts: Sequence[str]) -> list[Decisions]:
    """What the reader says of each text."""
    known = [clues_in(text) for text in texts]
    return [
        frozenset((c.name, "no" if c.denied else "yes") for c in clues if c.name != "ordinary tone")
        for clues in known
    ]


def scores(true: Sequence[Decisions], said: Sequence[Decisions]) -> np.ndarray:
    """Precision, recall and F1 over all decisions, with their 95 % intervals [3, 3]."""
    counts = np.array([(len(t & s), len(s), len(t)) for t, s in zip(true, said, strict=True)])

    def of(weights: np.ndarray) -> np.ndarray:
        both, said_all, true_all = (weights @ counts).T
        return np.stack([both / said_all, both / true_all, 2 * both / (said_all + true_all)], 1)

    units = np.arange(len(counts))
    drawn = resample(of, units, RESAMPLES, 0)
    value = of(np.ones((1, len(counts))))[0]
    return np.stack([value, *interval(drawn)], axis=1)


def kappa(one: Sequence[Decisions], other: Sequence[Decisions]) -> float:
    """Cohen's kappa over texts x clues, each not named, yes, no, or both."""
    cells = [
        [(str(sorted(s for c, s in row if c == clue)) if row else "[]") for row in rows]
        for rows in (one, other)
        for clue in sorted({c for row in (*one, *other) for c, _ in row})
    ]
    half = len(cells) // 2
    a, b = (np.array(cells[:half]).ravel(), np.array(cells[half:]).ravel())
    blank = len(one) * CLUES - len(a)  # clues that neither names anywhere
    total = len(a) + blank
    agreed = ((a == b).sum() + blank) / total
    kinds = sorted({*a, *b, "[]"})
    shares = [
        ((a == k).sum() + blank * (k == "[]"), (b == k).sum() + blank * (k == "[]")) for k in kinds
    ]
    chance = sum(x * y for x, y in shares) / total**2
    return float((agreed - chance) / (1 - chance))


def table() -> str:
    """Agreement of the labellers, then the reader against each and against what both say."""
    texts, a, b = sheet(), labels("a"), labels("b")
    both = [x & y for x, y in zip(a, b, strict=True)]
    said = read(texts)
    against = {"A": a, "B": b, "what both say": both} if a != b else {"the labels": a}
    lines = [
        "| texts | compared | precision | recall | F1 |",
        "|---|---|---:|---:|---:|",
    ]
    for name, half in {"all": slice(None), **HALVES}.items():
        pairs = {"labeller B, by A": (a, b)} if name == "all" and a != b else {}
        pairs |= {f"reader, by {who}": (true, said) for who, true in against.items()}
        for who, (true, mine) in pairs.items():
            cells = [
                f"{v:.3f} [{lo:.3f}, {hi:.3f}]" for v, lo, hi in scores(true[half], mine[half])
            ]
            lines.append(f"| {name} | {who} | {' | '.join(cells)} |")
    lines.append(
        f"\nKappa of the labellers over {len(texts)} x {CLUES} decisions: {kappa(a, b):.3f}"
    )
    return "\n".join(lines)


def faults() -> str:
    """What the reader reads otherwise than both labellers, in the development half."""
    half = HALVES["development half"]
    texts, a, b = sheet()[half], labels("a")[half], labels("b")[half]
    lines = []
    for text, one, other, said in zip(texts, a, b, read(texts), strict=True):
        missed, wrong = (one & other) - said, said - (one | other)
        if missed or wrong:
            lines.append(f"{text}\n    missed {sorted(missed)}, read {sorted(wrong)}")
    return "\n".join(lines)


if __name__ == "__main__":
    print(faults() if "--faults" in sys.argv[1:] else table())
