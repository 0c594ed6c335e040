"""What the clue heads of a model name, by threshold: how well the clues can be read at all.

python -m benchmarks.reasons.perception [SPLIT [RUN]]    # needs runs/ of docs/reasons.md

No words are written: a clip's reason is the list of its clues above a threshold, and is scored as
the model's reasons are. The threshold of the presets was chosen on the split `val`. A model that
measures people knows each by all of their clips in the split.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

from benchmarks.reasons.table import COLUMNS, cells, scores
from emollama.base.errors import EmollamaError, one_line_errors
from emollama.evaluation.known_clues import KNOWN_CLUES
from emollama.features.store import open_tracks
from emollama.inputs.enrolment import enrolment, face_inputs
from emollama.inputs.opening import Readers
from emollama.inputs.person import PersonPrior
from emollama.inputs.person_file import PRIOR_FILE, read_prior
from emollama.llm.artefact import read_processor
from emollama.llm.evidence import read_tracks
from emollama.llm.heads.clue_heads import ClueHeads, read_heads
from emollama.manifest.sample import read_manifest
from emollama.runs.checkpoints import MODEL as MODEL_FOLDER
from emollama.scoring.predictions.prediction import MODEL, Prediction
from emollama.scoring.predictions.predictions import Header, Predictions
from emollama.scoring.report.cells import Table
from emollama.scoring.report.tables import table_markdown

RUNS = Path("runs")
THRESHOLDS = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8)


def named(
    heads: ClueHeads,
    sources: dict[str, str],
    prior: PersonPrior | None,
    corpus: str,
    split: str,
) -> Predictions:
    """The clues that the heads name of the clips of a split, as reasons."""
    manifest = read_manifest(RUNS / corpus / "manifest.jsonl")
    store = RUNS / f"{corpus}-features"
    readers: Readers = {name: open_tracks(store, source) for name, source in sources.items()}
    if prior is not None:
        people = enrolment(prior, readers, manifest.split(split))
        readers = people.transductive.readers(readers)
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


def perception_table(split: str = "test", run: str = "quickstart-twins") -> Table:
    """A row for each threshold.

    Raises:
        EmollamaError: the model has no clue heads.
    """
    folder = RUNS / run / MODEL_FOLDER
    processor = read_processor(folder)
    heads = read_heads(folder, processor.streams)
    if heads is None:
        raise EmollamaError(f"{folder}: has no clue heads; train it with model.clue_heads above 0")
    faces = face_inputs(processor.streams)
    prior = read_prior(folder / PRIOR_FILE, faces) if (folder / PRIOR_FILE).is_file() else None
    sources = {stream.name: stream.source for stream in processor.streams}
    rows = []
    for threshold in THRESHOLDS:
        at = replace(heads, threshold=threshold)
        probe, pairs = (named(at, sources, prior, corpus, split) for corpus in ("probe", "twins"))
        rows.append((f"{threshold}", *cells(scores(probe, pairs, MODEL), MODEL)[:-1]))
    columns = ("named above", *COLUMNS[2:-1])
    return Table("What the clue heads name", columns, tuple(rows))


@one_line_errors
def main() -> None:
    """Print the table."""
    print(table_markdown(perception_table(*sys.argv[1:3])))


if __name__ == "__main__":
    main()
