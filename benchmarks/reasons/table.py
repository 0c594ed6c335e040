"""Are the reasons true, and do they follow a changed cue? The tables of docs/reasons.md.

python -m benchmarks.reasons.table    # from the predictions in results/reasons

NAME-probe.jsonl and NAME-twins.jsonl there are the `predictions.jsonl` of `emollama evaluate` on
the test split of the probe corpus and on twins; those called baseline are the `baseline.jsonl`
beside them.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from emollama.base.errors import one_line_errors
from emollama.evaluation.known_clues import KNOWN_CLUES
from emollama.scoring.metrics.bootstrap import Draws
from emollama.scoring.metrics.context import Context
from emollama.scoring.metrics.faithfulness import ClueScores, Faithfulness, clue_faithfulness
from emollama.scoring.metrics.hallucination import Hallucination, hallucination
from emollama.scoring.metrics.twins import Following, Twins, twins
from emollama.scoring.predictions.prediction import MODEL
from emollama.scoring.predictions.predictions import Predictions, read_predictions
from emollama.scoring.predictions.systems import JOINT, SHOWN, TEMPLATE, WITHOUT_CLUES
from emollama.scoring.report.cells import Table, score_text
from emollama.scoring.report.scoring import score_predictions
from emollama.scoring.report.tables import table_markdown

RESULTS = Path(__file__).parents[2] / "results" / "reasons"
BEST = "sft"
ROWS = (
    ("before", MODEL, "before: quickstart"),
    ("before", WITHOUT_CLUES, "before, without clues in the prompt"),
    ("nobody", MODEL, "sft on twins, nobody known"),
    (BEST, MODEL, "sft, people known by their clips"),
    (BEST, SHOWN, "its reasons as they are shown"),
    (BEST, TEMPLATE, "its labels, and a template of its clues"),
    (BEST, WITHOUT_CLUES, "the same model, without clues in the prompt"),
    ("dpo", MODEL, "sft, then dpo"),
    ("dpo", SHOWN, "its reasons as they are shown"),
    ("grpo", MODEL, "sft, then grpo"),
    ("grpo", SHOWN, "its reasons as they are shown"),
    ("combined", MODEL, "sft, dpo, then grpo"),
    ("combined", SHOWN, "its reasons as they are shown"),
    ("known-baseline", JOINT, "regression, people known by their clips, and a template"),
    ("baseline", JOINT, "regression, and a template of the quickstart's clues"),
)
"""File, system and title of each row; all of seed 7."""
METHODS = {
    "sft": "sft", "dpo": "sft, then dpo", "grpo": "sft, then grpo",
    "combined": "sft, dpo, then grpo",
}  # fmt: skip
"""File and title of what was trained with several seeds."""
SEEDS = (8, 9)
"""Further ones: NAME-8-probe.jsonl."""
SEED_COLUMNS = {
    "weighted F1": ".3f", "clue F1": ".3f", "clues not there": ".1%", "change mentioned": ".2f",
    "the rest unchanged": ".2f",
}  # fmt: skip
COLUMNS = (
    "", "weighted F1", "clue precision", "recall", "clue F1", "clues not there", "opposite",
    "clues a reason", "change mentioned", "the rest unchanged", "labels differ",
)  # fmt: skip

_DRAWS: Draws = {"resamples": 1000, "seed": 7}
_KNOWN = KNOWN_CLUES["probe"]


@dataclass(frozen=True)
class Scores:
    """Scores of the reasons of one system.

    Attributes:
        clues: named, against those of the clip.
        wrong: named and not there.
        count: clues named, a reason.
        pairs: of twins, where there are any.
    """

    clues: Faithfulness
    wrong: Hallucination
    count: float
    pairs: Twins | None


def scores(probe: Predictions, pairs: Predictions | None, system: str) -> Scores:
    """Score the reasons of a system for clips whose clues are known, and for twins."""
    rows = [r for r in probe.rows if r.system == system and r.reason is not None and r.clues]
    reasons = {r.id: r.reason or "" for r in rows}
    held = {r.id: r.clues or () for r in rows}
    wrong = hallucination(rows, _KNOWN, **_DRAWS)
    assert wrong is not None
    return Scores(
        clue_faithfulness(reasons, held, _KNOWN.named_in, **_DRAWS),
        wrong,
        float(np.mean([len(_KNOWN.named_in(reason)) for reason in reasons.values()])),
        _paired(pairs, system) if pairs else None,
    )


def cells(found: Scores, system: str) -> tuple[str, ...]:
    """The cells of a row from the clues on."""
    pairs = found.pairs
    followed = pairs.reasons.get(system) if pairs else None
    differ = pairs.labels.get(system) if pairs else None
    return (
        *_clue_cells(found.clues.own),
        f"{found.wrong.own.all.value:.1%}", f"{found.wrong.own.opposite.value:.1%}",
        f"{found.count:.1f}", *_following_cells(followed),
        f"{differ.value:.2f}" if differ else "",
    )  # fmt: skip


def reasons_table(results: Path) -> Table:
    """A row for each of `ROWS`, and one for the shuffled reasons of `BEST`."""
    rows = []
    for name, system, title in ROWS:
        probe, pairs = _read(results, name)
        found = scores(probe, pairs, system)
        # Only these have labels of their own.
        labels = score_text(_label_f1(probe, system)) if system in (MODEL, JOINT) else ""
        rows.append((title, labels, *cells(found, system)))
        if (name, system) == (BEST, MODEL):
            shuffled = found.pairs.shuffled if found.pairs else None
            rows.append(
                ("its reasons, shuffled", "", *_clue_cells(found.clues.shuffled), "", "", "",
                 *_following_cells(shuffled), "")
            )  # fmt: skip
    return Table("Reasons on held-out voices, faces and sentences", COLUMNS, tuple(rows))


def seeds_table(results: Path) -> Table:
    """Labels, and the reasons as they are shown, of each method: the mean and each seed."""
    rows = []
    for method, title in METHODS.items():
        seeds = [_of_seed(results, method), *(_of_seed(results, f"{method}-{s}") for s in SEEDS)]
        cells = []
        for values, form in zip(zip(*seeds, strict=True), SEED_COLUMNS.values(), strict=True):
            each = ", ".join(format(value, form) for value in values)
            cells.append(f"{format(float(np.mean(values)), form)} ({each})")
        rows.append((title, *cells))
    return Table("Seeds 7, 8, 9: reasons as they are shown", ("", *SEED_COLUMNS), tuple(rows))


def _of_seed(results: Path, name: str) -> tuple[float, ...]:
    probe, pairs = _read(results, name)
    found = scores(probe, pairs, SHOWN)
    assert found.pairs is not None
    followed = found.pairs.reasons[SHOWN]
    values = (
        _label_f1(probe, MODEL)["value"], found.clues.own.f1.value, found.wrong.own.all.value,
        followed.recall.value, followed.specificity.value,
    )  # fmt: skip
    return tuple(np.array(values, dtype=float).tolist())


def _read(results: Path, name: str) -> tuple[Predictions, Predictions | None]:
    pairs = results / f"{name}-twins.jsonl"
    probe = read_predictions(results / f"{name}-probe.jsonl")
    return probe, read_predictions(pairs) if pairs.is_file() else None


def _paired(found: Predictions, system: str) -> Twins | None:
    most = max(len(r.channels) for r in found.rows)
    rows = [r for r in found.rows if r.system == system and len(r.channels) == most]
    return twins({system: rows}, _KNOWN.named_in, **_DRAWS)


def _clue_cells(clues: ClueScores) -> tuple[str, str, str]:
    return (
        f"{clues.precision.value:.2f}", f"{clues.recall.value:.2f}", score_text(clues.f1.to_dict()),
    )  # fmt: skip


def _following_cells(found: Following | None) -> tuple[str, str]:
    if found is None:
        return "", ""
    return score_text(found.recall.to_dict()), f"{found.specificity.value:.2f}"


def _label_f1(found: Predictions, system: str) -> dict[str, Any]:
    rows = tuple(r for r in found.rows if r.system == system)
    scored = score_predictions(
        Predictions(found.header, rows), Context(found.header.labels), ["weighted_f1"], **_DRAWS
    )
    first: dict[str, Any] = scored["results"][0]
    return first


@one_line_errors
def main() -> None:
    """Print both tables."""
    print(table_markdown(reasons_table(RESULTS)))
    print(table_markdown(seeds_table(RESULTS)))


if __name__ == "__main__":
    main()
