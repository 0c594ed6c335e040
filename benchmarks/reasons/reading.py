"""Fifty reasons read by others than the scorer: do the clue scores depend on who reads?

    python -m benchmarks.reasons.reading           # the table of docs/reasons.md
    python -m benchmarks.reasons.reading sheet     # draw the reasons to be read

Two readers saw `guide.md` and the texts of `sheet.jsonl` in results/reasons/reading, no clip and
no program. Both are runs of a language model, so their agreement says nothing about people.
"""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Mapping

from benchmarks.reasons.table import BEST, RESULTS
from emollama.base.errors import one_line_errors
from emollama.base.files import write_jsonl
from emollama.evaluation.known_clues import KNOWN_CLUES
from emollama.scoring.metrics.faithfulness import clue_faithfulness
from emollama.scoring.predictions.prediction import MODEL, Prediction
from emollama.scoring.predictions.predictions import read_predictions
from emollama.scoring.report.cells import Table, score_text
from emollama.scoring.report.tables import table_markdown

FOLDER = RESULTS / "reading"
COUNT = 50
READERS = ("a", "b")


def reasons() -> dict[str, Prediction]:
    """The reasons of the best training for clips whose clues are known, by clip."""
    rows = read_predictions(RESULTS / f"{BEST}-probe.jsonl").rows
    return {r.id: r for r in rows if r.system == MODEL and r.reason is not None and r.clues}


def drawn() -> dict[str, str]:
    """The texts to be read, by clip."""
    found = reasons()
    ids = random.Random(COUNT).sample(sorted(found), COUNT)
    return {name: found[name].reason or "" for name in ids}


def labels(reader: str) -> dict[str, set[str]]:
    """The clues that a reader found, by clip."""
    lines = (FOLDER / f"labels_{reader}.jsonl").read_text(encoding="utf-8").splitlines()
    return {row["id"]: set(row["clues"]) for row in map(json.loads, lines)}


def reading_table() -> Table:
    """A row for the scorer's reading and one for each reader's, of the same reasons."""
    texts, held = drawn(), {name: r.clues or () for name, r in reasons().items()}
    named = KNOWN_CLUES["probe"].named_in
    readings: Mapping[str, Mapping[str, set[str]]] = {
        "the scorer": {name: set(named(text)) for name, text in texts.items()},
        **{f"reader {r.upper()}": labels(r) for r in READERS},
    }
    rows = []
    for who, found in readings.items():
        # Ids stand for the texts, as the scores are given a function of a text.
        read = clue_faithfulness(
            {name: name for name in texts}, {name: held[name] for name in texts},
            found.__getitem__, resamples=1000, seed=7,
        )  # fmt: skip
        count = sum(map(len, found.values()))
        false = sum(len(found[name] - set(held[name])) for name in texts)
        rows.append(
            (who, f"{read.own.precision.value:.2f}", f"{read.own.recall.value:.2f}",
             score_text(read.own.f1.to_dict()), f"{false / count:.1%}", f"{count / COUNT:.1f}")
        )  # fmt: skip
    columns = ("read by", "clue precision", "recall", "clue F1", "clues not there",
               "clues a reason")  # fmt: skip
    return Table(f"{COUNT} reasons, read three times", columns, tuple(rows))


@one_line_errors
def main() -> None:
    """Print the table, or write the sheet."""
    if sys.argv[1:] == ["sheet"]:
        FOLDER.mkdir(exist_ok=True)
        write_jsonl(FOLDER / "sheet.jsonl", ({"id": i, "text": t} for i, t in drawn().items()))
    else:
        print(table_markdown(reading_table()))


if __name__ == "__main__":
    main()
