"""The committed predictions of the model that ships, and what it was trained on.

In results/people, for each MODEL (llm, fusion), CORPUS and KNOWN (none, 4, all: by how many of
their own clips the tested people were known):
- MODEL-CORPUS-KNOWN.jsonl and MODEL-CORPUS-KNOWN-baseline.jsonl, of `emollama evaluate`;
- MODEL-CORPUS-enrolment.jsonl, of `emollama enrolment`;
- corpora.json, clips and people of each corpus and split.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emollama.base.errors import EmollamaError
from emollama.base.files import read_json
from emollama.base.paths import RECORD_FILE
from emollama.corpora.readers.emodb import SEXES
from emollama.evaluation.known_people import SETTING
from emollama.scoring.enrolment.curve import Curve, read_curve
from emollama.scoring.predictions.prediction import Prediction
from emollama.scoring.predictions.predictions import Predictions, read_predictions

RESULTS, SHIPPED = Path("results/people"), Path("models/people")
CORPORA_FILE = "corpora.json"
MODELS = {"llm": "language model", "fusion": "fusion model"}
KNOWN = {"none": "nobody is known", "4": "by 4 clips", "all": "by all their clips"}
_SAID = {"4": "4 of their clips", "all": "all their clips"}
REGRESSION = "logistic regression"


@dataclass(frozen=True)
class Corpus:
    """One of the corpora, under the name of its reader."""

    name: str
    title: str
    language: str

    def sex(self, person: str) -> str | None:
        """ "men" or "women" for a person's id, None where it is not known."""
        code = person.rpartition("-")[2]
        if self.name == "ravdess":
            return "men" if int(code) % 2 else "women"
        if self.name == "emodb":
            return {"male": "men", "female": "women"}[SEXES[code]]
        return None


CORPORA = (
    Corpus("ravdess", "RAVDESS", "English"),
    Corpus("emodb", "EMO-DB", "German"),
    Corpus("javased", "Java-SED", "Javanese"),
)


@dataclass(frozen=True)
class Answers:
    """A model's answers to a corpus's people kept back, and the regression's beside them."""

    corpus: Corpus
    predictions: Predictions
    baseline: Predictions | None

    def rows(self) -> list[Prediction]:
        """The model's rows with all its channels; ids and groups name the corpus."""
        return self._named(self.predictions, self.predictions.headline()[0])

    def beside(self) -> list[Prediction]:
        """As `rows`, of the regression; [] without one."""
        return self._named(self.baseline, REGRESSION) if self.baseline else []

    def _named(self, of: Predictions, system: str) -> list[Prediction]:
        given, name = self.predictions.headline()[1], self.corpus.name
        return [
            r.model_copy(update={"id": f"{name}/{r.id}", "group": f"{name}/{r.group}"})
            for r in of.select(given, system)
        ]


def predictions_file(model: str, corpus: str, known: str) -> str:
    """The name of a file of predictions."""
    return f"{model}-{corpus}-{known}.jsonl"


def baseline_file(model: str, corpus: str, known: str) -> str:
    """The name of a file of the regression's predictions."""
    return f"{model}-{corpus}-{known}-baseline.jsonl"


def curve_file(model: str, corpus: str) -> str:
    """The name of a file of an enrolment curve."""
    return f"{model}-{corpus}-enrolment.jsonl"


def read_answers(folder: Path, model: str, known: str) -> list[Answers]:
    """The answers of a model to each corpus that there is a file of.

    Raises:
        EmollamaError: a file cannot be read, or is of another corpus or another enrolment than its
            name says.
    """
    found = []
    for corpus in CORPORA:
        path = folder / predictions_file(model, corpus.name, known)
        if not path.is_file():
            continue
        answers = read_predictions(path)
        _check(path, answers, corpus.name, known)
        beside = folder / baseline_file(model, corpus.name, known)
        baseline = read_predictions(beside) if beside.is_file() else None
        if baseline is not None:
            _check(beside, baseline, corpus.name, known)
        found.append(Answers(corpus, answers, baseline))
    return found


def _check(path: Path, found: Predictions, corpus: str, known: str) -> None:
    if found.header.corpus != corpus:
        raise EmollamaError(f"{path}: is of the corpus {found.header.corpus}, not {corpus}")
    said = found.header.settings.get(SETTING, "")
    if not said.startswith(_SAID.get(known, "")) or (known == "none" and said):
        raise EmollamaError(f"{path}: its people are known by {said or 'no clip'}, not '{known}'")


def read_curves(folder: Path, corpus: str) -> list[Curve]:
    """The enrolment curves of a corpus, one for each model that there is a file of.

    Raises:
        EmollamaError: a file cannot be read.
    """
    paths = (folder / curve_file(model, corpus) for model in MODELS)
    return [read_curve(path) for path in paths if path.is_file()]


def read_training(shipped: Path, model: str) -> dict[str, Any]:
    """The training record of a shipped model.

    Raises:
        EmollamaError: it cannot be read, or names no mixture of corpora.
    """
    path = shipped / model / RECORD_FILE
    record = read_json(path)
    if not isinstance(record, dict) or not record.get("mixture"):
        raise EmollamaError(f"{path}: is not the record of a training on several corpora")
    return record


def read_people(folder: Path) -> dict[str, dict[str, dict[str, int]]]:
    """Clips and people of each corpus and split: {corpus: {split: {"clips": n, "people": n}}}."""
    found: dict[str, dict[str, dict[str, int]]] = read_json(folder / CORPORA_FILE)
    return found
