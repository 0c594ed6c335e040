"""UAR of the shipped models on people kept back: by corpus, which is a language, and by sex."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from benchmarks.people.results import CORPORA, KNOWN, MODELS, Answers, read_answers
from emollama.manifest.labels import get_label_set
from emollama.scoring.metrics.formulas import uar
from emollama.scoring.metrics.label_scores import label_cases
from emollama.scoring.metrics.measure import Measure, paired, scored
from emollama.scoring.predictions.prediction import Prediction
from emollama.scoring.report.cells import Table, number

LABELS = "people"
COLUMNS = ("known", "people", "clips", "model", "regression", "difference")
OVER_PEOPLE = (
    "UAR; intervals are 95 % over people, and stand where there are at least two; with so few "
    "people they are too narrow. The regression "
    "is fitted on the training people of the tested corpus alone, with the same features and the "
    "same standardisation. Clips by which a person is known are not scored, except where they are "
    "known by all (transductive)."
)
SEXES = ("men", "women")
Rows = Sequence[Prediction]


def measured(rows: Rows) -> Measure:
    """UAR bound to rows."""
    return label_cases(rows, get_label_set(LABELS)).measure(uar)


def people_in(rows: Rows) -> int:
    """How many people answered rows are of."""
    return len({row.group for row in rows})


def value_cell(rows: Rows) -> str:
    """'0.812 [0.771, 0.850]'; without an interval for one person, a dash without rows."""
    if not rows:
        return "–"
    score = scored(measured(rows), by="group")
    if people_in(rows) < 2 or score.ci_low is None:
        return number(score.value)
    return f"{score.value:.3f} [{score.ci_low:.3f}, {score.ci_high:.3f}]"


def difference_cell(a: Rows, b: Rows) -> str:
    """The first less the second, on the same clips: '+0.031 [+0.002, +0.060]'."""
    if not a or not b:
        return "–"
    found = paired(measured, a, b, by="group")
    if people_in(a) < 2:
        return f"{found.value:+.3f}"
    return f"{found.value:+.3f} [{found.ci_low:+.3f}, {found.ci_high:+.3f}]"


def score_cells(model: Rows, regression: Rows) -> tuple[str, ...]:
    """People, clips, and the scores of both."""
    return (
        str(people_in(model)), str(len(model)), value_cell(model), value_cell(regression),
        difference_cell(model, regression),
    )  # fmt: skip


def corpus_tables(folder: Path) -> Iterable[Table]:
    """A table for each model: a row for each corpus, which is a language, and enrolment."""
    for model, title in MODELS.items():
        answers = {known: read_answers(folder, model, known) for known in KNOWN}
        rows = []
        for corpus in CORPORA:
            for known, said in KNOWN.items():
                for one in answers[known]:
                    if one.corpus is corpus:
                        name = f"{corpus.title} ({corpus.language})"
                        rows.append((name, said, *score_cells(one.rows(), one.beside())))
        if rows:
            yield Table(
                f"The {title}, by corpus and language", ("corpus", *COLUMNS), tuple(rows),
                OVER_PEOPLE,
            )  # fmt: skip


def sex_tables(folder: Path) -> Iterable[Table]:
    """A table for each model: men and women of the corpora that name the sex."""
    for model, title in MODELS.items():
        rows = []
        for sex in SEXES:
            for known, said in KNOWN.items():
                answers = read_answers(folder, model, known)
                mine = [row for one in answers for row in _of_sex(one, sex, one.rows())]
                beside = [row for one in answers for row in _of_sex(one, sex, one.beside())]
                if mine:
                    rows.append((sex, said, *score_cells(mine, beside)))
        if rows:
            yield Table(
                f"The {title}, by sex", ("sex", *COLUMNS), tuple(rows),
                "RAVDESS and EMO-DB together; the sex of the Java-SED actor is not published.",
            )  # fmt: skip


def _of_sex(answers: Answers, sex: str, rows: Rows) -> Rows:
    corpus = answers.corpus
    return [row for row in rows if corpus.sex((row.group or "").partition("/")[2]) == sex]
