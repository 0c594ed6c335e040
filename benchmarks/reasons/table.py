"""Are the reasons true, and do they follow a changed cue? The table of docs/reasons.md.

python -m benchmarks.reasons.table    # from the predictions in results/reasons

NAME-probe.jsonl and NAME-twins.jsonl there are the `predictions.jsonl` of `emollama evaluate` on
the test split of the probe corpus and on twins; those called baseline are the `baseline.jsonl`
beside them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from emollama.base.errors import one_line_errors
from emollama.evaluation.known_clues import KNOWN_CLUES
from emollama.scoring.metrics.bootstrap import Draws
from emollama.scoring.metrics.context import Context
from emollama.scoring.metrics.faithfulness import ClueScores, Faithfulness, clue_faithfulness
from emollama.scoring.metrics.hallucination import hallucination
from emollama.scoring.metrics.twins import Following, Twins, twins
from emollama.scoring.predictions.prediction import MODEL, Prediction
from emollama.scoring.predictions.predictions import Predictions, read_predictions
from emollama.scoring.predictions.systems import JOINT
from emollama.scoring.report.cells import Table, score_text
from emollama.scoring.report.scoring import score_predictions
from emollama.scoring.report.tables import table_markdown

RESULTS = Path(__file__).parents[2] / "results" / "reasons"
BASELINE = "baseline"
SHUFFLED = "combined"
NAMES = {
    "before": "before: quickstart",
    "before-unaided": "before, without measured clues in the prompt",
    "twins": "sft on twins",
    "dpo": "sft, then dpo",
    "grpo": "sft, then grpo",
    "combined": "sft, dpo, then grpo",
    "combined-unaided": "the same, without measured clues in the prompt",
    BASELINE: "regression, and a template of the measured clues",
}
"""Rows of the table, by the beginning of the files' names."""

_DRAWS: Draws = {"resamples": 1000, "seed": 7}
_KNOWN = KNOWN_CLUES["probe"]


def explained(found: Predictions, system: str) -> list[Prediction]:
    """The rows of a system that give a reason for a clip whose clues are known."""
    return [r for r in found.rows if r.system == system and r.reason is not None and r.clues]


def faithful(rows: Iterable[Prediction]) -> Faithfulness:
    """The scores of the clues in reasons."""
    rows = list(rows)
    reasons = {r.id: r.reason or "" for r in rows}
    clues = {r.id: r.clues or () for r in rows}
    return clue_faithfulness(reasons, clues, _KNOWN.named_in, **_DRAWS)


def paired(found: Predictions, system: str) -> Twins | None:
    """The scores of pairs."""
    most = max(len(r.channels) for r in found.rows)
    rows = [r for r in found.rows if r.system == system and len(r.channels) == most]
    return twins({system: rows}, _KNOWN.named_in, **_DRAWS)


def reasons_table(results: Path, names: Mapping[str, str] = NAMES) -> Table:
    """A row for each system in `results`, and one for the shuffled reasons of `SHUFFLED`."""
    rows = []
    for name, title in names.items():
        if not (results / f"{name}-probe.jsonl").is_file():
            continue
        system = JOINT if name == BASELINE else MODEL
        found = read_predictions(results / f"{name}-probe.jsonl")
        told = explained(found, system)
        clues, wrong = faithful(told), hallucination(told, _KNOWN, **_DRAWS)
        assert wrong is not None
        count = sum(len(_KNOWN.named_in(r.reason or "")) for r in told) / len(told)
        path = results / f"{name}-twins.jsonl"
        pairs = paired(read_predictions(path), system) if path.is_file() else None
        own = pairs.reasons[system] if pairs else None
        rows.append(
            (
                title, _f1(found, system), *_cells(clues.own),
                f"{wrong.own.all.value:.1%}", f"{wrong.own.opposite.value:.1%}", f"{count:.1f}",
                *_follows(own),
                f"{pairs.labels[system].value:.2f}" if pairs else "",
            )
        )  # fmt: skip
        if name == SHUFFLED:
            moved = _follows(pairs.shuffled if pairs else None)
            rows.append(
                ("its reasons, shuffled", "", *_cells(clues.shuffled), "", "", "", *moved, "")
            )
    return Table(
        "Reasons on held-out voices, faces and sentences",
        ("", "weighted F1", "clue precision", "recall", "clue F1", "clues not there", "opposite",
         "clues a reason", "change mentioned", "the rest unchanged", "labels differ"),
        tuple(rows),
    )  # fmt: skip


def _cells(clues: ClueScores) -> tuple[str, str, str]:
    return (
        f"{clues.precision.value:.2f}", f"{clues.recall.value:.2f}", score_text(clues.f1.to_dict()),
    )  # fmt: skip


def _follows(found: Following | None) -> tuple[str, str]:
    if found is None:
        return "", ""
    return score_text(found.recall.to_dict()), f"{found.specificity.value:.2f}"


def _f1(found: Predictions, system: str) -> str:
    rows = tuple(r for r in found.rows if r.system == system)
    scored = score_predictions(
        Predictions(found.header, rows), Context(found.header.labels), ["weighted_f1"], **_DRAWS
    )
    return score_text(scored["results"][0])


@one_line_errors
def main() -> None:
    """Print the table."""
    print(table_markdown(reasons_table(RESULTS)))


if __name__ == "__main__":
    main()
