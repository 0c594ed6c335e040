"""What the clue heads of a model name, by threshold: how well the clues can be read at all.

python -m benchmarks.reasons.perception [SPLIT]    # needs runs/ of docs/reasons.md

No words are written: a clip's reason is the list of its clues above a threshold, and is scored as
the model's reasons are. The threshold of the presets was chosen on the split `val`.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

from benchmarks.reasons.table import COLUMNS, cells, scores
from emollama.base.errors import one_line_errors
from emollama.evaluation.known_clues import KNOWN_CLUES
from emollama.features.store import open_tracks
from emollama.llm.artefact import read_processor
from emollama.llm.evidence import read_tracks
from emollama.llm.heads.clue_heads import ClueHeads, read_heads
from emollama.manifest.sample import read_manifest
from emollama.scoring.predictions.prediction import MODEL, Prediction
from emollama.scoring.predictions.predictions import Header, Predictions
from emollama.scoring.report.cells import Table
from emollama.scoring.report.tables import table_markdown

RUNS = Path("runs")
ARTEFACT = RUNS / "quickstart-twins" / "model"
THRESHOLDS = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8)


def named(heads: ClueHeads, sources: dict[str, str], corpus: str, split: str) -> Predictions:
    """The clues that the heads name of the clips of a split, as reasons."""
    manifest = read_manifest(RUNS / corpus / "manifest.jsonl")
    store = RUNS / f"{corpus}-features"
    readers = {name: open_tracks(store, source) for name, source in sources.items()}
    known = KNOWN_CLUES[manifest.corpus]
    rows = []
    for sample in manifest.split(split):
        words = heads.describe(read_tracks(readers, sample.id))
        clues = known.of(sample.truth) or set()
        rows.append(
            Prediction(
                id=sample.id, system=MODEL, reason=". ".join(words.values()),
                clues=tuple(sorted(clues)), pair=sample.truth.get("pair"),
                differs=sample.truth.get("differs"), group=sample.group,
            )
        )  # fmt: skip
    return Predictions(Header(labels=manifest.labels, corpus=manifest.corpus), tuple(rows))


def perception_table(split: str) -> Table:
    """A row for each threshold."""
    processor = read_processor(ARTEFACT)
    heads = read_heads(ARTEFACT, processor.streams)
    assert heads is not None
    sources = {stream.name: stream.source for stream in processor.streams}
    rows = []
    for threshold in THRESHOLDS:
        at = replace(heads, threshold=threshold)
        probe, pairs = (named(at, sources, corpus, split) for corpus in ("probe", "twins"))
        rows.append((f"{threshold}", *cells(scores(probe, pairs, MODEL), MODEL)[:-1]))
    columns = ("named above", *COLUMNS[2:-1])
    return Table("What the clue heads name", columns, tuple(rows))


@one_line_errors
def main() -> None:
    """Print the table."""
    print(table_markdown(perception_table(*(sys.argv[1:] or ["test"]))))


if __name__ == "__main__":
    main()
