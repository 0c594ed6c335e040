"""How well could the clues be read at all? A regression for every clue, on the model's features.

python -m benchmarks.reasons.perception    # needs runs/ of docs/reasons.md

For each clue of the vocabulary a logistic regression on the features of its channel, fitted on the
training splits of the corpus and of the twins. A clip's clues are those above a threshold; the
table says what they come to on the test split, threshold by threshold. No words are written.
"""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from emollama.base.errors import one_line_errors
from emollama.features.store import open_tracks
from emollama.llm.training.clue_probe import FEWEST, channel_of
from emollama.manifest.channels import Channel
from emollama.manifest.sample import Sample, read_manifest
from emollama.probe.vocabulary import PHRASES, rendered_clues
from emollama.scoring.metrics.formulas import overlap_of
from emollama.scoring.report.cells import Table
from emollama.scoring.report.tables import table_markdown

RUNS = Path("runs")
SOURCES: dict[Channel, tuple[str, ...]] = {
    "voice": ("whisper-tiny.en+layer=2+segments=8", "prosody+segments=1"),
    "face": ("expression+frames=8",),
    "words": ("smollm2-135m-instruct",),
}
STRENGTH = 0.003
THRESHOLDS = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8)


def features(samples: list[Sample], store: Path, channel: Channel) -> np.ndarray:
    """Mean of each track of a channel [n, D]."""
    parts = []
    for source in SOURCES[channel]:
        tracks = open_tracks(store, source)
        found = [tracks.get(s.id) for s in samples]
        parts.append(np.stack([t.values.mean(0) for t in found if t is not None]))
    return np.concatenate(parts, axis=1)


def probabilities(
    train: list[tuple[Path, list[Sample]]], test: tuple[Path, list[Sample]]
) -> dict[str, np.ndarray]:
    """By clue, how probable it is in each test clip [n]; of those seen often enough."""
    clips = [s for _, samples in train for s in samples]
    held = [rendered_clues(s.truth) for s in clips]
    found = {}
    for channel in SOURCES:
        x = np.concatenate([features(samples, store, channel) for store, samples in train])
        shown = features(test[1], test[0], channel)
        for clue in (c for c in PHRASES if channel_of(c) == channel):
            y = np.array([clue in clues for clues in held])
            if min(y.sum(), (~y).sum()) < FEWEST:
                continue
            fit = make_pipeline(StandardScaler(), LogisticRegression(C=STRENGTH, max_iter=1000))
            found[clue] = fit.fit(x, y).predict_proba(shown)[:, 1]
    return found


def perception_table(runs: Path) -> Table:
    """A row for each threshold."""
    corpora = {n: read_manifest(runs / n / "manifest.jsonl") for n in ("probe", "twins")}
    train = [(runs / f"{n}-features", list(m.split("train"))) for n, m in corpora.items()]
    tested = list(corpora["probe"].split("test"))
    found = probabilities(train, (runs / "probe-features", tested))
    rows = []
    for threshold in THRESHOLDS:
        named = [{c for c, p in found.items() if p[i] > threshold} for i in range(len(tested))]
        held = [rendered_clues(s.truth) for s in tested]
        values = np.array([overlap_of(h, n) for h, n in zip(held, named, strict=True)]).mean(0)
        false = sum(len(n - h) for h, n in zip(held, named, strict=True))
        total = sum(map(len, named))
        rows.append(
            (f"{threshold}", *(f"{v:.2f}" for v in values), f"{false / max(total, 1):.1%}",
             f"{total / len(tested):.1f}")
        )  # fmt: skip
    columns = ("named above", "clue precision", "recall", "clue F1", "clues not there",
               "clues a clip")  # fmt: skip
    return Table("A regression for every clue", columns, tuple(rows))


@one_line_errors
def main() -> None:
    """Print the table."""
    warnings.filterwarnings("ignore")
    print(table_markdown(perception_table(RUNS)))


if __name__ == "__main__":
    main()
