"""The referee on people: a face and a voice of the same person that show different emotions.

python -m benchmarks.reasons.conflicts       # RAVDESS, from committed answers
python -m benchmarks.reasons.conflicts OUT   # Java-SED: films of benchmarks.reasons.swapped, their
                                             # features in OUT/features, and the shipped models'
                                             # answers to the split "swapped" in OUT/llm, OUT/fusion

RAVDESS is swapped at feature level: what a system says of the voice of one take is put beside what
it says of the face of another take, and the two are fused late. Java-SED is swapped as films.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression

from benchmarks.javased_inputs import PROSODY, STRENGTH, WHISPER, clip_features
from benchmarks.people.results import RESULTS
from benchmarks.people.splits import MODEL, REGRESSION, answers
from benchmarks.reasons.swapped import SWAPPED, WHOLE
from emollama.base.errors import EmollamaError, one_line_errors
from emollama.manifest.channels import Channel
from emollama.manifest.labels import LabelSet
from emollama.manifest.sample import Sample, read_manifest
from emollama.scoring.metrics.measure import Score, mean_score
from emollama.scoring.metrics.referee import COVERAGE, referee
from emollama.scoring.predictions.prediction import Prediction
from emollama.scoring.predictions.predictions import read_predictions
from emollama.scoring.report.cells import Table, score_text
from emollama.scoring.report.modality import channel_conflicts
from emollama.scoring.report.report import plain
from emollama.scoring.report.tables import table_markdown

CHANNELS: tuple[Channel, ...] = ("voice", "face")
_NAMES = {MODEL: "language model, late", REGRESSION: "logistic regression, late"}
UNHEARD = "actor-08"
"""Of Java-SED, the one person whom the shipped models never heard."""
_FLOOR = 1e-12
Answers = tuple[list[Prediction], list[list[Prediction]]]
"""With both channels, and with each alone."""


def ravdess() -> tuple[LabelSet, dict[str, Answers]]:
    """Each system's late answers to RAVDESS's takes and to swapped ones, people left out."""
    labels, rows = answers(RESULTS, "all")
    found = {}
    for system, name in _NAMES.items():
        alone: dict[str, dict[str, Prediction]] = {c: {} for c in CHANNELS}
        for row in rows:
            if row.system == system and len(row.channels) == 1:
                alone[row.channels[0]][row.id] = row
        pairs = [(i, i) for i in sorted(alone["face"])]
        pairs += [(i, other) for i, _ in pairs if (other := _other_take(i, alone["voice"]))]
        made = [_late(alone["voice"][b], alone["face"][a], labels) for a, b in pairs]
        found[name] = ([row for row, _ in made], [[s[k] for _, s in made] for k in range(2)])
    return labels, found


def _other_take(name: str, takes: dict[str, Prediction]) -> str | None:
    """A take of the same actor and statement whose emotion is another, drawn by the name."""
    parts, own = name.split("-"), takes[name].reference
    same = [
        i for i in sorted(takes)
        if (i.split("-")[4], i.split("-")[6]) == (parts[4], parts[6]) and takes[i].reference != own
    ]  # fmt: skip
    return random.Random(name).choice(same) if same else None


def _late(
    voice: Prediction, face: Prediction, labels: LabelSet
) -> tuple[Prediction, list[Prediction]]:
    """The answer from the voice of one take and the face of one, and of each alone."""
    logs = sum(
        np.log(np.maximum([(p.scores or {})[x] for x in labels.labels], _FLOOR))
        for p in (voice, face)
    )
    scores = np.exp(logs - np.max(logs))
    scores = scores / scores.sum()
    about: dict[str, Any] = {
        "id": face.id if face.id == voice.id else f"{face.id}+{voice.id}",
        "group": face.group, "reference": voice.reference,
        "truth": {"voice": voice.reference, "face": face.reference},
    }  # fmt: skip
    whole = Prediction(
        **about, channels=CHANNELS, label=labels.labels[int(scores.argmax())],
        scores=dict(zip(labels.labels, scores.tolist(), strict=True)),
    )  # fmt: skip
    alone = [p.model_copy(update=about) for p in (voice, face)]
    return whole, alone


def javased(folder: Path) -> tuple[LabelSet, dict[str, Answers]]:
    """The regression's answers to films as they are and swapped, the person left out."""
    manifest = read_manifest(folder / "manifest.jsonl")
    samples, labels = list(manifest.samples), manifest.labels
    store = folder / "features"
    voice = np.hstack([clip_features(store, key, "mean", samples)
                       for key in (PROSODY, WHISPER.format(2))])  # fmt: skip
    face = clip_features(store, "expression+frames=8", "mean", samples)
    sets = {CHANNELS: np.hstack([voice, face]), ("voice",): voice, ("face",): face}
    rows = [list(_left_out(samples, x, c, labels)) for c, x in sets.items()]
    return labels, {"logistic regression, together": (rows[0], rows[1:])}


def _left_out(
    samples: Sequence[Sample], features: np.ndarray, channels: Sequence[Channel], labels: LabelSet
) -> Iterator[Prediction]:
    """Each clip answered by a regression on the others' clips as they are."""
    truth = np.array([str(s.targets.emotion) for s in samples])
    people = np.array([s.group for s in samples])
    whole = np.array([s.split == WHOLE for s in samples])
    for person in np.unique(people):
        learned, tested = whole & (people != person), np.flatnonzero(people == person).tolist()
        model = LogisticRegression(C=STRENGTH, max_iter=1000)
        found = model.fit(features[learned], truth[learned]).predict_proba(features[tested])
        columns = [list(model.classes_).index(x) for x in labels.labels]
        for i, row in zip(tested, found[:, columns], strict=True):
            yield Prediction.scored(samples[i], labels, row.tolist(), channels)


def shipped(folder: Path, labels: LabelSet) -> dict[str, Answers]:
    """The shipped models' answers to swapped films, which they hear and do not see, of a person
    whom they never heard.
    """
    clips = read_manifest(folder / "manifest.jsonl").split(SWAPPED)
    truth = {s.id: s.truth for s in clips if s.group == UNHEARD}
    found: dict[str, Answers] = {}
    for name, what in (("llm", "shipped language model"), ("fusion", "shipped fusion model")):
        path = folder / name / "predictions.jsonl"
        if path.is_file():
            rows = [r for r in read_predictions(path).select(("voice",)) if r.id in truth]
            seen = [r.model_copy(update={"channels": CHANNELS, "truth": truth[r.id]}) for r in rows]
            found[f"{what} (hears only)"] = (seen, [])
    return found


def table(title: str, labels: LabelSet, systems: dict[str, Answers]) -> Table:
    """Detection, whom answers to swapped takes follow, and accuracy on takes as they are."""
    rows = []
    for name, (whole, alone) in systems.items():
        judged = referee(whole, alone, by="group") if alone else None
        several = len({row.group for row in whole}) > 1
        clash = channel_conflicts(whole, labels, by="group" if several else "sample")
        if clash is None:
            raise EmollamaError(f"{title}: no take is swapped")
        agreed = [r for r in whole if r.truth and r.truth["voice"] == r.truth["face"]]
        cells = [judged and judged.detection, *(clash.followed[c] for c in CHANNELS), clash.none,
                 *(_accuracy(agreed, share) for share in (1.0, COVERAGE))]  # fmt: skip
        rows.append((name, *(score_text(plain(c)) if c else "–" for c in cells)))
    return Table(
        title,
        ("system", "AUROC of noticing the swap", "follows the voice", "follows the face",
         "follows neither", "accuracy, not swapped", "of the surest 80 %"),
        tuple(rows),
    )  # fmt: skip


def _accuracy(rows: Sequence[Prediction], share: float) -> Score | None:
    """Of the surest answers."""
    if not rows:
        return None
    sure = np.array([max((r.scores or {}).values()) for r in rows])
    kept = [r for r, s in zip(rows, sure, strict=True) if s >= np.quantile(sure, 1 - share)]
    right = np.array([float(r.label == r.reference) for r in kept])
    return mean_score(right, len(rows), groups=[r.group for r in kept], by="group")


@one_line_errors
def main() -> None:
    """Entry point."""
    print(table_markdown(table("RAVDESS", *ravdess())))
    for folder in map(Path, sys.argv[1:2]):
        labels, systems = javased(folder)
        print()
        print(table_markdown(table("Java-SED", labels, systems | shipped(folder, labels))))


if __name__ == "__main__":
    main()
