"""Train the model that ships anew, with the commands that a user would type.

make people DATA=/path/to/corpora
python -m benchmarks.people.making /path/to/corpora

DATA holds the folders ravdess, emodb and javased. Everything is written below runs/people, then
the weights to models/people and the predictions to results/people. A run that was interrupted is
resumed by the same command. Measured on two cores that others used too: features 3 minutes, the
fusion model with its evaluation and curves 4, the language model 25 to 50 (1.3 to 0.7 samples/s).
"""

from __future__ import annotations

import shlex
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.people.results import CORPORA, KNOWN, MODELS, Corpus
from emollama.base.errors import EmollamaError, one_line_errors
from emollama.base.paths import need_folder

EMOLLAMA = (sys.executable, "-m", "emollama")
RUN = Path("runs/people")
FEATURES = RUN / "features"
ENCODERS = "whisper-tiny.en+layer=2+segments=12,prosody+segments=1"
TRAINING = {"llm": (RUN / "llm", "people"), "fusion": (RUN / "early", "people-early")}
"""Of each model: the folder of its run, and the preset."""

RAVDESS = next(corpus for corpus in CORPORA if corpus.name == "ravdess")
VALIDATED = "val"
"""The evaluation on RAVDESS's validation people, on whom probabilities are calibrated."""


def stages(data: Path) -> list[tuple[str, ...]]:
    """The commands in order."""
    return [
        (*EMOLLAMA, "assets", "fetch"),
        *(_prepare(data, corpus) for corpus in CORPORA),
        *(_extract(corpus) for corpus in CORPORA),
        *((*EMOLLAMA, "train", preset) for _, preset in TRAINING.values()),
        *(_evaluate(m, c, known) for m in MODELS for c in CORPORA for known in KNOWN),
        *(
            (
                *_evaluate(m, RAVDESS, "none", evaluated(m, RAVDESS, VALIDATED)),
                "data.split=val",
                "data.validation_split=null",
            )
            for m in MODELS
        ),
        *(_curve("fusion", corpus) for corpus in CORPORA),
        (sys.executable, "-m", "benchmarks.people.collecting"),
        (sys.executable, "-m", "benchmarks.people.reasons"),
        (sys.executable, "-m", "benchmarks.people.card"),
    ]


def manifest(corpus: Corpus) -> Path:
    """The manifest of a corpus."""
    return RUN / f"{corpus.name}.jsonl"


def evaluated(model: str, corpus: Corpus, known: str) -> Path:
    """Where a model's answers to the people kept back are written."""
    return RUN / "evaluation" / f"{model}-{corpus.name}-{known}"


def _prepare(data: Path, corpus: Corpus) -> tuple[str, ...]:
    out = str(manifest(corpus))
    return (*EMOLLAMA, "prepare", corpus.name, str(data / corpus.name), "--out", out)


def _extract(corpus: Corpus) -> tuple[str, ...]:
    store = ("--store", str(FEATURES), "--encoders", ENCODERS)
    return (*EMOLLAMA, "extract", str(manifest(corpus)), *store)


def _about(model: str, corpus: Corpus) -> tuple[str, ...]:
    return (
        f"model={TRAINING[model][0] / 'model'}", f"data.manifest={manifest(corpus)}",
        f"data.store={FEATURES}",
    )  # fmt: skip


def _evaluate(model: str, corpus: Corpus, known: str, out: Path | None = None) -> tuple[str, ...]:
    more = (f"output={out or evaluated(model, corpus, known)}", f"data.enrol={known}")
    return (*EMOLLAMA, "evaluate", "people", *_about(model, corpus), *more)


def _curve(model: str, corpus: Corpus) -> tuple[str, ...]:
    out = evaluated(model, corpus, "enrolment")
    return (*EMOLLAMA, "enrolment", "people", *_about(model, corpus), f"output={out}")


def run(data: Path) -> None:
    """Run all stages in the current folder, telling what each took.

    Raises:
        EmollamaError: a corpus is not there, or a stage fails.
    """
    for corpus in CORPORA:
        need_folder(data / corpus.name, f"the corpus {corpus.title}")
    began = time.monotonic()
    for command in stages(data):
        shown = shlex.join(("python" if part == sys.executable else part) for part in command)
        print(f"== {shown}", flush=True)
        started = time.monotonic()
        code = subprocess.run(command, check=False).returncode
        if code != 0:
            raise EmollamaError(f"exit code {code} of: {shown}; the same command resumes")
        print(f"== {time.monotonic() - started:.0f} s", flush=True)
    print(f"== all: {(time.monotonic() - began) / 60:.0f} minutes", flush=True)


@one_line_errors
def main() -> None:
    """Entry point."""
    if len(sys.argv) != 2:
        raise EmollamaError(
            "name the folder that holds ravdess, emodb and javased: make people DATA=/path/to/it"
        )
    run(Path(sys.argv[1]))


if __name__ == "__main__":
    main()
