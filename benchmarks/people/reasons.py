"""Are the reasons of the model that ships true of the clip? Measured on people kept back.

python -m benchmarks.people.reasons           # write reasons for 100 clips, then score them
python -m benchmarks.people.reasons --score   # score the committed ones

A reason names clues of the voice. Each is held against the clues measured in that clip: it is wrong
if it was not measured, or measured the other way round. Beside the model stands the sentence built
straight from the measured clues. Needs runs/people of `make people`; half a second a clip.
"""

from __future__ import annotations

import json
import random
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch

from benchmarks.people.making import FEATURES, manifest
from benchmarks.people.results import CORPORA, RESULTS, SHIPPED
from emollama.base.errors import EmollamaError, one_line_errors
from emollama.base.files import read_json, read_text, write_text
from emollama.llm.artefact import LlmArtefact, load
from emollama.llm.clues import CORPUS, ClueWords, VoiceRule
from emollama.llm.inference import REASON_TOKENS
from emollama.manifest.labels import get_label_set
from emollama.manifest.sample import read_manifest
from emollama.scoring.predictions.parsing import parse_words
from emollama.scoring.reasons.check import CheckedReason, checked_reason
from emollama.scoring.reasons.facts import facts_of
from emollama.scoring.reasons.sentences import clue_reason
from emollama.scoring.reasons.voice_words import ORDINARY
from emollama.scoring.report.cells import Table
from emollama.scoring.report.tables import table_markdown

FILE = "reasons.jsonl"
CLIPS = 100
BATCH = 8
LABELS = "people"


@dataclass(frozen=True)
class Reason:
    """A model's reason for a clip, and the sentence from the same clues.

    Attributes:
        id: of the clip.
        corpus: where it is from.
        label: the label with the highest score.
        measured: the clues measured in the clip.
        reason: by the model.
        template: from the measured clues and the label.
    """

    id: str
    corpus: str
    label: str
    measured: tuple[str, ...]
    reason: str
    template: str


def chosen() -> list[tuple[str, list[str]]]:
    """Corpora and the ids of clips of people kept back, evenly over each list; 100 in all."""
    kept = [
        [s.id for s in read_manifest(manifest(corpus)).samples if s.split == "test"]
        for corpus in CORPORA
    ]
    order = sorted(range(len(kept)), key=lambda i: len(kept[i]))
    counts = [0] * len(kept)
    for place, i in enumerate(order):
        counts[i] = min(len(kept[i]), (CLIPS - sum(counts)) // (len(kept) - place))
    places = (np.linspace(0, len(ids) - 1, n).round() for ids, n in zip(kept, counts, strict=True))
    return [
        (corpus.name, [ids[int(k)] for k in where])
        for corpus, ids, where in zip(CORPORA, kept, places, strict=True)
    ]


def write_reasons(model: LlmArtefact, corpus: str, ids: Sequence[str]) -> list[Reason]:
    """Reasons of the model for clips of one corpus, whose people are not known to it."""
    source = read_manifest(manifest(next(c for c in CORPORA if c.name == corpus)))
    samples = [s for s in source.samples if s.id in set(ids)]
    loaded = model.load_samples(source, samples, "test", FEATURES)
    channels = sorted(loaded.channels)
    labels = model.labels
    found = []
    texts = loaded.written(ids, None, "reason", REASON_TOKENS, BATCH)
    scores = loaded.answers(ids, channels, BATCH)
    for name, text, scored in zip(ids, texts, scores, strict=True):
        assert scored.scores is not None and text.text is not None
        label = labels[int(scored.scores.argmax())]
        clues = model.clues.describe({n: r.get(name) for n, r in loaded.readers.items()})
        template = clue_reason(clues, label, random.Random(name)) or ""
        measured = tuple(clues["voice"].split(", ")) if "voice" in clues else ()
        found.append(Reason(name, corpus, label, measured, text.text, template))
    return found


def shown(reason: Reason) -> CheckedReason:
    """What `emollama predict` shows where the model writes this reason."""
    labels = get_label_set(LABELS)
    clues = {"voice": ", ".join(reason.measured)} if reason.measured else {}
    facts = facts_of(reason.label, {"voice"}, clues, None, labels)
    return checked_reason(reason.reason, facts, labels, clues, CORPUS)


def read_reasons(results: Path) -> list[Reason]:
    """The reasons that were written."""
    rows = [json.loads(line) for line in read_text(results / FILE).splitlines()]
    return [Reason(**{**values, "measured": tuple(values["measured"])}) for values in rows]


def named_in(text: str, rules: Iterable[VoiceRule]) -> set[str]:
    """The clues that a text names, "a quiet sound" being a quiet voice."""
    flat = text.lower().replace(" sound", " voice")
    words = {word for rule in rules for word in (rule.low, rule.high)}
    return {word for word in words if word in flat}


def row(
    title: str, texts: Sequence[str], reasons: Sequence[Reason], rules: tuple[VoiceRule, ...]
) -> tuple[str, ...]:
    """Shares of one kind of reason."""
    named = [named_in(text, rules) for text in texts]
    wrong = sum(len(n - set(r.measured)) for n, r in zip(named, reasons, strict=True))
    labels = get_label_set(LABELS)
    found = [parse_words(text, labels).label for text in texts]
    other = [f not in (None, r.label) for f, r in zip(found, reasons, strict=True)]
    total = sum(map(len, named))
    return (
        title, f"{np.mean([len(n) >= 2 for n in named]):.2f}", f"{total / len(texts):.1f}",
        f"{wrong} of {total}", f"{np.mean(other):.2f}",
    )  # fmt: skip


def reasons_table(results: Path, shipped: Path) -> Table | None:
    """The model's reasons beside the sentences from the measured clues; None without any."""
    if not (results / FILE).is_file():
        return None
    reasons = read_reasons(results)
    clues = ClueWords.from_dict(read_json(shipped / "llm" / "clues.json"))
    rules = next(s.rules for s in clues.statistics.values() if s.columns)
    several = np.mean([len(set(r.measured) - {ORDINARY}) >= 2 for r in reasons])
    return Table(
        f"Reasons on {len(reasons)} clips of people kept back",
        ("reason", "names two clues or more", "clues named, mean", "not measured, or the other way",
         "speaks for another label than the scores"),
        (
            row("language model", [r.reason for r in reasons], reasons, rules),
            row("sentence from the measured clues", [r.template for r in reasons], reasons, rules),
        ),
        f"Two clues or more were measured in {several:.2f} of the clips. Nobody was enrolled.",
    )  # fmt: skip


@one_line_errors
def main() -> None:
    """Entry point."""
    if sys.argv[1:] not in ([], ["--score"]):
        raise EmollamaError("python -m benchmarks.people.reasons [--score]")
    if not sys.argv[1:]:
        model = load(SHIPPED / "llm", torch.float32)
        found = [reason for corpus, ids in chosen() for reason in write_reasons(model, corpus, ids)]
        lines = (json.dumps(asdict(reason), sort_keys=True) + "\n" for reason in found)
        write_text(RESULTS / FILE, "".join(lines))
    table = reasons_table(RESULTS, SHIPPED)
    if table is None:
        raise EmollamaError(f"{RESULTS / FILE}: does not exist; leave out --score to write it")
    print(f"{table_markdown(table)}\n\n{table.note}")
    told = Counter(shown(reason).origin for reason in read_reasons(RESULTS))
    print(
        f"Shown after the check: {told['model']} by the model, {told['both']} in part,"
        f" {told['clues']} from the clues."
    )


if __name__ == "__main__":
    main()
