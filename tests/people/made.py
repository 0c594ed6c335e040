"""Small files like those of the model that ships: predictions, curves, records."""

from __future__ import annotations

from pathlib import Path

from benchmarks.people.results import (
    CORPORA,
    CORPORA_FILE,
    KNOWN,
    MODELS,
    REGRESSION,
    Corpus,
    baseline_file,
    curve_file,
    predictions_file,
)
from emollama.base.files import write_json
from emollama.evaluation.known_people import SETTING
from emollama.manifest.labels import get_label_set
from emollama.scoring.calibration.calibration import (
    Calibration,
    ChannelCalibration,
    write_calibration,
)
from emollama.scoring.enrolment.curve import ALL, ANY, NOBODY, Curve, CurveRow, write_curve
from emollama.scoring.predictions.prediction import MODEL, Prediction
from emollama.scoring.predictions.predictions import Header, write_predictions

LABELS = get_label_set("people")
PEOPLE = {
    "ravdess": ("actor-03", "actor-09", "actor-14", "actor-20"),
    "emodb": ("speaker-15", "speaker-16"),
    "javased": ("actor-08",),
}
SAID = {
    "none": {},
    "4": {SETTING: "4 of their clips, unlabelled and not scored"},
    "all": {SETTING: "all their clips of this split (transductive)"},
}


def row(name: str, person: str, truth: str, answer: str, system: str) -> Prediction:
    """An answer with a probability of .7."""
    rest = 0.3 / (len(LABELS.labels) - 1)
    scores = {x: 0.7 if x == answer else rest for x in LABELS.labels}
    return Prediction(
        id=name, group=person, reference=truth, label=answer, channels=("voice",), system=system,
        scores=scores, latency_ms=2.0 if system == MODEL else None,
    )  # fmt: skip


def rows(corpus: Corpus, system: str, wrong: int) -> list[Prediction]:
    """A clip of each label and person; of each person the first `wrong` are answered wrongly."""
    names = LABELS.labels
    return [
        row(f"{person}-{label}", person, label, names[(k + (k < wrong)) % len(names)], system)
        for person in PEOPLE[corpus.name]
        for k, label in enumerate(names)
    ]  # fmt: skip


def header(corpus: Corpus, model: str, known: str) -> Header:
    return Header(
        labels=LABELS, corpus=corpus.name, split="test", model=f"runs/{model}", settings=SAID[known]
    )


def results(folder: Path) -> Path:
    """results/people: 2 of 7 wrong without enrolment, 1 with; the regression 3."""
    folder.mkdir(parents=True, exist_ok=True)
    for model in MODELS:
        for corpus in CORPORA:
            for known in KNOWN:
                head = header(corpus, model, known)
                mine = rows(corpus, MODEL, 2 if known == "none" else 1)
                write_predictions(folder / predictions_file(model, corpus.name, known), head, mine)
                beside = rows(corpus, REGRESSION, 3)
                write_predictions(folder / baseline_file(model, corpus.name, known), head, beside)
            write_curve(curve(corpus, model), folder / curve_file(model, corpus.name))
    counts = {
        c.name: {
            "train": {"clips": 70, "people": 10},
            "val": {"clips": 14, "people": 2},
            "test": {"clips": 7, "people": len(PEOPLE[c.name])},
        }
        for c in CORPORA
    }
    write_json(folder / CORPORA_FILE, counts)
    return folder


def curve(corpus: Corpus, model: str) -> Curve:
    """Nobody is known: one of each person's clips is wrong; else none, the first enrolled."""
    size = len(LABELS.labels)
    people = PEOPLE[corpus.name]
    truth = tuple(range(size)) * len(people)
    first = (1, *range(1, size)) * len(people)
    enrolled = (-1, *range(1, size)) * len(people)
    made = [
        CurveRow(system, case, clips, draw, answers)
        for system in (f"the {MODELS[model]}", REGRESSION)
        for case, clips, draw, answers in (
            (NOBODY, 0, 0, first), (ANY, 1, 0, enrolled), (ANY, 1, 1, enrolled), (ALL, 0, 0, truth),
        )
    ]  # fmt: skip
    ids = tuple(f"{person}-{label}" for person in people for label in LABELS.labels)
    persons = tuple(person for person in people for _ in LABELS.labels)
    return Curve(LABELS.labels, ids, truth, persons, tuple(made), {"corpus": corpus.name})


def shipped(folder: Path) -> Path:
    """models/people: training records of both models, and a calibration of the fusion model."""
    mixture = [
        {
            "corpus": c.name, "samples": 70, "language": c.language,
            "channels": ["voice"], "labels": list(LABELS.labels),
        }
        for c in CORPORA
    ]  # fmt: skip
    streams = [
        {"name": "prosody", "channel": "voice", "source": "prosody+segments=1"},
        {"name": "voice_states", "channel": "voice", "source": "whisper-tiny.en+layer=2"},
    ]
    for model, split, inputs in (
        ("llm", "train+val", {"model": {"streams": streams}}),
        ("fusion", "train", {"fusion": {"modalities": streams}}),
    ):
        config = {"data": {"train_split": split}, **inputs}
        record = {"config": config, "mixture": mixture}
        write_json(folder / model / "training_record.json", record)
    one = ChannelCalibration(
        channels=("voice",), temperature=2, oddness="simple", people=((0.9, 0.9),)
    )
    calibration = Calibration(labels=LABELS.labels, sets=(one,))
    write_calibration(folder / "fusion/calibration.json", calibration)
    return folder
