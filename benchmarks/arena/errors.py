"""How often the rules of diagnosis miss a bias, and how often they find one in vain.

    python -m benchmarks.arena.errors --out results/arena/errors.json

Answerers are simulated on clips with six labels, asked as the arena asks: three wordings, four
orders of the labels, three ablations. An unbiased one answers rightly with some accuracy and
otherwise anything, thinks again at a share of the questions (`jitter`), and, for each channel, at a
fifth to three fifths of the clips that lose it. A biased one follows its bias at a share of the
questions (`strength`), and is an unbiased one at the others. Every figure is a share of `--seeds`
answerers.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

from emollama.arena.diagnosis import Behaviour, diagnosed
from emollama.base.files import write_json
from emollama.manifest.channels import CHANNELS, Channel

LABELS = ("neutral", "angry", "happy", "sad", "worried", "surprise")
WORDINGS, ORDERS = 3, 4
RULES = (
    "always happy", "first label", "last label", "words only", "voice only", "face only", "random",
)  # fmt: skip
ACCURACIES, JITTERS, STRENGTHS, CLIPS = (0.3, 0.6, 0.9), (0.0, 0.15, 0.3), (1.0, 0.9, 0.8), (30, 60)


class Answerer:
    """One simulated answerer; `bias` "" is unbiased."""

    def __init__(self, bias: str, strength: float, accuracy: float, jitter: float, clips: int,
                 seed: int) -> None:  # fmt: skip
        self.random = Random(f"{bias}/{strength}/{accuracy}/{jitter}/{clips}/{seed}")
        self.bias, self.strength = bias, strength
        self.accuracy, self.jitter = accuracy, jitter
        self.truth = [self.random.choice(LABELS) for _ in range(clips)]
        self.shown = [{c: self._shows(true) for c in CHANNELS} for true in self.truth]
        self.liked = [self._guess(k) for k in range(clips)]
        shares = {c: self.random.uniform(0.2, 0.6) for c in CHANNELS}
        self.carried = [{c: self.random.random() < shares[c] for c in CHANNELS} for _ in self.truth]

    def _shows(self, true: str) -> str:
        return true if self.random.random() < 0.8 else self.random.choice(LABELS)

    def _guess(self, clip: int) -> str:
        right = self.random.random() < self.accuracy
        return self.truth[clip] if right else self.random.choice(LABELS)

    def _unbiased(self, clip: int, gone: Channel | None) -> str:
        lost = gone is not None and self.carried[clip][gone]
        return self._guess(clip) if lost or self.random.random() < self.jitter else self.liked[clip]

    def says(self, clip: int, order: list[str], gone: Channel | None = None) -> str:
        """The answer to a question."""
        if not self.bias or self.random.random() >= self.strength:
            return self._unbiased(clip, gone)
        if self.bias.startswith("always "):
            return self.bias.removeprefix("always ")
        if self.bias in ("first label", "last label"):
            return order[0 if self.bias == "first label" else -1]
        if self.bias == "random":
            return self.random.choice(LABELS)
        channel: Any = self.bias.removesuffix(" only")
        return self.random.choice(LABELS) if gone == channel else self.shown[clip][channel]

    def behaviour(self) -> Behaviour:
        """What it does with all clips."""
        every = range(len(self.truth))
        orders = [[self.random.sample(LABELS, len(LABELS)) for _ in every] for _ in range(ORDERS)]

        def row(order: int, gone: Channel | None = None) -> list[str]:
            return [self.says(k, orders[order][k], gone) for k in every]

        first = row(0)
        return Behaviour(
            truth=self.truth,
            answers=first,
            worded=[row(0) for _ in range(WORDINGS - 1)],
            ordered=[first, *(row(order) for order in range(1, ORDERS))],
            orders=orders,
            without={c: (first, row(0, c)) for c in CHANNELS},
        )


def found_by(make: Callable[[int], Answerer], seeds: int) -> dict[str, float]:
    """By rule, the share of answerers of which it says its bias."""
    counted: Counter[str] = Counter()
    for seed in range(seeds):
        counted.update(f.bias for f in diagnosed(make(seed).behaviour()) or ())
    return {bias: n / seeds for bias, n in sorted(counted.items())}


def measure(seeds: int) -> dict[str, Any]:
    """False alarms on unbiased answerers, and what is said of biased ones."""
    false, biased = [], []
    for clips in CLIPS:
        for accuracy in ACCURACIES:
            for jitter in JITTERS:
                found = found_by(partial(Answerer, "", 0.0, accuracy, jitter, clips), seeds)
                false.append({"clips": clips, "accuracy": accuracy, "jitter": jitter,
                              "found": found})  # fmt: skip
        for rule in RULES:
            for strength in STRENGTHS:
                found = found_by(partial(Answerer, rule, strength, 0.6, 0.15, clips), seeds)
                missed = 1 - found.pop(rule, 0.0)
                biased.append({"clips": clips, "bias": rule, "strength": strength,
                               "missed": round(missed, 4), "others_found": found})  # fmt: skip
    return {"seeds": seeds, "labels": len(LABELS), "wordings": WORDINGS, "orders": ORDERS,
            "unbiased": false, "biased": biased}  # fmt: skip


def table(result: dict[str, Any]) -> str:
    """The errors as a table in Markdown."""
    sizes = sorted({row["clips"] for row in result["biased"]})
    head = ["bias", "clips", "found in unbiased ones"]
    head += [f"missed, follows at {100 * s:.0f} %" for s in STRENGTHS]
    lines = ["| " + " | ".join(head) + " |", "|---|" + "---:|" * (len(head) - 1)]
    for rule in RULES:
        for clips in sizes:
            kind = "always " if rule.startswith("always ") else rule
            false = [
                sum(n for bias, n in row["found"].items() if bias.startswith(kind))
                for row in result["unbiased"] if row["clips"] == clips
            ]  # fmt: skip
            missed = {
                row["strength"]: row["missed"] for row in result["biased"]
                if (row["bias"], row["clips"]) == (rule, clips)
            }  # fmt: skip
            cells = [rule.replace("always happy", "always a label"), str(clips)]
            total = len(false) * result["seeds"]
            cells.append(f"{sum(false) * result['seeds']:.0f} of {total}")
            cells += [f"{missed[s]:.2f}" for s in STRENGTHS]
            lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=200)
    given = parser.parse_args()
    result = measure(given.seeds)
    write_json(given.out, result)
    print(table(result))


if __name__ == "__main__":
    main()
