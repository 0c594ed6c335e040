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
from emollama.scoring.metrics.faithfulness import Faithfulness, clue_faithfulness
from emollama.scoring.metrics.hallucination import hallucination
from emollama.scoring.metrics.twins import Twins, twins
from emollama.scoring.predictions.prediction import MODEL, Prediction
from emollama.scoring.predictions.predictions import Predictions, read_predictions
from emollama.scoring.predictions.systems import JOINT
from emollama.scoring.report.cells import Table, score_text
from emollama.scoring.report.scoring import score_predictions
from emollama.scoring.report.tables import table_markdown

RESULTS = Path(__file__).parents[2] / "results" / "reasons"
BASELINE = "baseline"
NAMES = {
    "before": "before: quickstart",
    "before-unaided": "before, without measured clues in the prompt",
    "twins": "sft on twins",
    "twins-unaided": "sft on twins, without measured clues in the prompt",
    "dpo": "then dpo",
    "grpo": "then grpo",
    "combined": "dpo, then grpo",
    "combined-unaided": "dpo, then grpo, without measured clues in the prompt",
    BASELINE: "regression, and a template of the measured clues",
}
"""Rows of the table, by the beginning of the files' names."""

_DRAWS: Draws = {"resamples": 1000, "seed": 7}
_VOCABULARY = KNOWN_CLUES["probe"]


def explained(found: Predictions, system: str) -> list[Prediction]:
    """The rows of a system that give a reason for a clip whose clues are known."""
    return [r for r in found.rows if r.system == system and r.reason is not None and r.clues]


def faithful(rows: Iterable[Prediction]) -> Faithfulness:
    """The scores of the clues in reasons."""
    rows = list(rows)
    reasons = {r.id: r.reason or "" for r in rows}
    clues = {r.id: r.clues or () for r in rows}
    return clue_faithfulness(reasons, clues, _VOCABULARY.named_in, **_DRAWS)


def paired(found: Predictions, system: str) -> Twins | None:
    """The scores of pairs."""
    most = max(len(r.channels) for r in found.rows)
    rows = [r for r in found.rows if r.system == system and len(r.channels) == most]
    return twins({system: rows}, _VOCABULARY.named_in, **_DRAWS)


def reasons_table(results: Path, names: Mapping[str, str] = NAMES) -> Table:
    """A row for each pair of files in `results`, and one for the best system's shuffled reasons."""
    rows = []
    for name, title in names.items():
        if not (results / f"{name}-probe.jsonl").is_file():
            continue
        system = JOINT if name == BASELINE else MODEL
        on = {
            part: read_predictions(results / f"{name}-{part}.jsonl") for part in ("probe", "twins")
        }
        told = explained(on["probe"], system)
        clues, pairs = faithful(told), paired(on["twins"], system)
        wrong = hallucination(told, _VOCABULARY, **_DRAWS)
        own = clues.own
        assert pairs is not None and wrong is not None
        count = sum(len(set(_VOCABULARY.named_in(r.reason or ""))) for r in told) / len(told)
        follows = pairs.reasons[system]
        rows.append(
            (
                title, _f1(on["probe"], system),
                *(f"{s.value:.2f}" for s in (own.precision, own.recall)),
                score_text(own.f1.to_dict()),
                f"{wrong.own.all.value:.1%}", f"{wrong.own.opposite.value:.1%}", f"{count:.1f}",
                score_text(follows.recall.to_dict()), f"{follows.specificity.value:.2f}",
                f"{pairs.labels[system].value:.2f}",
            )
        )  # fmt: skip
        if name == "combined" and pairs.shuffled is not None:
            moved = clues.shuffled
            rows.append(
                (
                    "its reasons, shuffled", "",
                    *(f"{s.value:.2f}" for s in (moved.precision, moved.recall)),
                    score_text(moved.f1.to_dict()), "", "", "",
                    score_text(pairs.shuffled.recall.to_dict()),
                    f"{pairs.shuffled.specificity.value:.2f}", "",
                )
            )  # fmt: skip
    return Table(
        "Reasons on held-out voices, faces and sentences",
        ("", "weighted F1", "clue precision", "recall", "clue F1", "clues not there", "opposite",
         "clues a reason", "change mentioned", "the rest unchanged", "labels differ"),
        tuple(rows),
    )  # fmt: skip


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
