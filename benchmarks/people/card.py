"""Write the card of the model that ships, models/people/README.md, from committed predictions.

python -m benchmarks.people.card
python -m benchmarks.people.card --check   # says whether the card is the one that the files make
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.people.calibration import calibration_table
from benchmarks.people.enrolment import enrolment_tables, falls
from benchmarks.people.reasons import reasons_table
from benchmarks.people.results import (
    CORPORA,
    CORPORA_FILE,
    MODELS,
    RESULTS,
    SHIPPED,
    read_people,
    read_training,
)
from benchmarks.people.scores import corpus_tables, sex_tables
from emollama.base.errors import EmollamaError, one_line_errors
from emollama.base.files import read_text, write_text
from emollama.runs.card import INTENDED_USE
from emollama.scoring.report.cells import Table
from emollama.scoring.report.tables import table_markdown

CARD = "README.md"

HEAD = """---
license: cc-by-nc-sa-4.0
library_name: emollama
language: [en, de, jv]
tags: [emotion-recognition, multimodal, speech]
---

# The model that ships with emollama

Two models of acted emotion in the voices of real people: `llm`, adapter and projectors of a
language model (SmolLM2-135M-Instruct), which gives label scores and a reason, and `fusion`, a small
classifier of the same features. Both answer with {labels}.
`emollama predict CLIP` uses `llm` when no `--model` is named.

Not Apache-2.0 as the code is: **CC BY-NC-SA 4.0, not for commercial use**
([LICENSE](LICENSE), with the attribution of each corpus).

Every figure below is made from `results/people` by `python -m benchmarks.people.card`; the models
are trained anew by `make people DATA=/path/to/corpora`.
"""

KEPT_BACK = """\
Kept back from both models, and what all figures below are measured on: RAVDESS actors 03, 09, 14
and 20, EMO-DB speakers 15 and 16, Java-SED actor 08."""

REGRESSION = """\
The regression in these tables is fitted on all three corpora, as the models are."""

NOT_TRAINED_ON = """\
## What it was not trained on

No faces and no words: both models hear the voice alone. On people of Java-SED left out of a
training the face did not raise UAR beyond an interval, so it does not enter the score; nor does
what a person says.
Not on MELD, MERR or MER2023 (research only), nor on the OpenFace means of RAVDESS that circulate
without terms. No felt emotion, no conversation, no children, no noise, and no language but English,
German and Javanese. RAVDESS's label "calm" and EMO-DB's "boredom" were left out."""


def card(results: Path, shipped: Path) -> str:
    """The card in Markdown, a pure function of the files in both folders.

    Raises:
        EmollamaError: a file cannot be read, or there are no predictions.
    """
    records = {model: read_training(shipped, model) for model in MODELS}
    people = read_people(results)
    labels = dict.fromkeys(x for part in records["llm"]["mixture"] for x in part["labels"])
    scores = [*corpus_tables(results), *sex_tables(results)]
    if not scores:
        raise EmollamaError(f"{results}: holds no predictions of the model that ships")
    parts = [HEAD.format(labels=", ".join(labels)), "## What it was trained on\n"]
    parts += [_shown(table) for table in (corpora_table(records, people), *(
        stream_table(title, records[model], people) for model, title in MODELS.items()
    ))]  # fmt: skip
    parts += [KEPT_BACK + "\n", NOT_TRAINED_ON + "\n", INTENDED_USE, "## How good it is\n"]
    parts += [_shown(table) for table in scores]
    curves = list(enrolment_tables(results))
    if curves:
        parts += ["## What enrolling a person gains\n", f"{falls(results)} {REGRESSION}\n"]
        parts += [_shown(table) for table in curves]
    calibrated = calibration_table(results, shipped)
    parts += ["## Calibration\n"]
    parts += [_shown(calibrated) if calibrated else "Neither model is calibrated.\n"]
    if reasons := reasons_table(results, shipped):
        parts += ["## Are its reasons true?\n", _shown(reasons)]
    return "\n".join(parts).rstrip("\n") + "\n"


def _shown(table: Table) -> str:
    note = f"\n{table.note}\n" if table.note else ""
    return f"### {table.title}\n\n{table_markdown(table)}\n{note}"


def corpora_table(
    records: Mapping[str, Mapping[str, Any]], people: Mapping[str, Mapping[str, Any]]
) -> Table:
    """A row for each corpus: clips and people that each model was trained on, and kept back."""
    rows = []
    for corpus in CORPORA:
        known = _splits(people, corpus.name)
        trained = []
        for model in MODELS:
            part = _part(records[model], corpus.name)
            count = _people(known, _split_of(records[model]))
            trained.append(_counted(part["samples"], count) if part else "–")
        tested = known["test"]
        rows.append(
            (corpus.title, corpus.language, *trained,
             _counted(tested["clips"], tested["people"]))
        )  # fmt: skip
    return Table(
        "Corpora", ("corpus", "language", *MODELS.values(), "kept back"), tuple(rows),
        "Clips kept back are counted before labels are left out.",
    )  # fmt: skip


def stream_table(
    title: str, record: Mapping[str, Any], people: Mapping[str, Mapping[str, Any]]
) -> Table:
    """A row for each stream of a model: how many clips, people and languages it saw."""
    config = record["config"]
    streams = config["model"]["streams"] if "model" in config else config["fusion"]["modalities"]
    rows = []
    for stream in streams:
        parts = [part for part in record["mixture"] if stream["channel"] in part["channels"]]
        languages = [str(part["language"]) for part in parts]
        count = sum(_people(_splits(people, part["corpus"]), _split_of(record)) for part in parts)
        rows.append(
            (stream["name"], stream["channel"], f"`{stream['source']}`",
             str(sum(part["samples"] for part in parts)), str(count),
             f"{len(set(languages))}: {', '.join(dict.fromkeys(languages))}")
        )  # fmt: skip
    return Table(
        f"What each stream of the {title} saw",
        ("stream", "channel", "features", "clips", "people", "languages"), tuple(rows),
    )  # fmt: skip


def _counted(clips: int, people: int) -> str:
    return f"{clips} clips, {people} {'person' if people == 1 else 'people'}"


def _part(record: Mapping[str, Any], corpus: str) -> dict[str, Any] | None:
    return next((part for part in record["mixture"] if part["corpus"] == corpus), None)


def _split_of(record: Mapping[str, Any]) -> str:
    return str(record["config"]["data"]["train_split"])


def _splits(people: Mapping[str, Mapping[str, Any]], corpus: str) -> Mapping[str, Any]:
    if corpus not in people:
        raise EmollamaError(f"{CORPORA_FILE}: does not name the corpus {corpus}")
    return people[corpus]


def _people(splits: Mapping[str, Any], trained: str) -> int:
    """People of the splits in "train+val"; no person is in two."""
    return sum(int(splits[name]["people"]) for name in trained.split("+"))


@one_line_errors
def main() -> None:
    """Entry point."""
    path, text = SHIPPED / CARD, card(RESULTS, SHIPPED)
    if sys.argv[1:] == ["--check"]:
        if not path.is_file() or read_text(path) != text:
            raise EmollamaError(f"{path}: is not the card that {RESULTS} makes; write it anew")
        print(f"{path}: as {RESULTS} makes it")
        return
    if sys.argv[1:]:
        raise EmollamaError(f"{sys.argv[1]}: the only option is --check")
    write_text(path, text)
    print(f"card in {path}")


if __name__ == "__main__":
    main()
