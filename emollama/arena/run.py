"""Runs an arena: asks every contestant every question that has no answer yet, then the report."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from emollama.arena.configuration import ArenaConfig
from emollama.arena.contestants import Answering, not_yet, opened
from emollama.arena.questions import Question, questions
from emollama.arena.report import write_arena
from emollama.arena.rows import Asked, Place
from emollama.arena.stimuli import FOLDER, Stimuli, need_clips
from emollama.base.config import load_config
from emollama.base.errors import EmollamaError
from emollama.base.files import parse_row, sole_writer, write_text
from emollama.base.journal import Journal
from emollama.base.progress import bar
from emollama.endpoints.many import Row
from emollama.inputs.common_labels import LabelMap, common_set, translated
from emollama.inputs.draws import drawn
from emollama.manifest.labels import label_set
from emollama.manifest.sample import Manifest, read_manifest, write_manifest
from emollama.manifest.split_file import read_with_splits

ANSWERS, CLIPS, CONFIG = "answers.jsonl", "clips.jsonl", "config.yaml"
"""Files of an arena from which its report is made again: answers, clips with their truth, and the
configuration."""


def run_arena(config: ArenaConfig) -> dict[str, Any]:
    """Ask what has no answer yet, and write the report.

    An answer is on disk before the next is taken: a run that was stopped goes on where it was, and
    asks nothing twice. Questions that were never answered are asked again.

    Returns:
        The content of arena.json.

    Raises:
        EmollamaError: for mistakes of the user, or where a contestant does not answer at all;
            answers so far are kept.
    """
    out = config.output
    manifest = clips_of(config)
    need_clips(manifest, list(manifest.samples))
    stimuli = Stimuli(manifest, out / FOLDER)
    everybody = [
        opened(name, how, stimuli, manifest.labels) for name, how in config.contestants.items()
    ]
    with sole_writer(out, f"{out}: another arena is writing to it"):
        write_text(out / CONFIG, _as_yaml(config))
        write_manifest(out / CLIPS, manifest.corpus, manifest.labels, manifest.samples)
        journal = Journal(out / ANSWERS, _key_of, sync=True)
        for one in everybody:
            _ask(one, config, stimuli, journal)
    return score_folder(out)


def score_folder(folder: Path) -> dict[str, Any]:
    """Make the report of an arena again from its answers.

    Raises:
        EmollamaError: the folder holds no arena.
    """
    need_arena(folder)
    config = load_config(ArenaConfig, folder / CONFIG)
    manifest = read_manifest(folder / CLIPS)
    return write_arena(asked_of(config, manifest, folder / ANSWERS), folder)


def need_arena(folder: Path) -> None:
    """Raise an error unless a folder is that of an arena.

    Raises:
        EmollamaError: naming what is missing.
    """
    for name in (CONFIG, CLIPS, ANSWERS):
        if not (folder / name).is_file():
            raise EmollamaError(f"{folder}: holds no {name}; run: emollama arena CONFIG")


def asked_of(config: ArenaConfig, manifest: Manifest, answers: Path) -> Asked:
    """Questions and answers of an arena; of rows about the same question the last one counts."""
    places = {q.place: q for q in questions(config, manifest.samples, manifest.labels.labels)}
    rows: dict[str, dict[Place, Row]] = {name: {} for name in config.contestants}
    for name, place, row in _rows(answers):
        if name in rows and place in places:
            rows[name][place] = row
    return Asked(config, manifest, places, rows)


def _rows(answers: Path) -> Iterator[tuple[str, Place, Row]]:
    """Contestant, place and row, line by line."""
    whole = answers.read_bytes().split(b"\n")[:-1] if answers.exists() else []  # the last is torn
    for number, line in enumerate(whole, start=1):
        row = parse_row(answers, number, line.decode("utf-8", "replace"))
        yield row["contestant"], (row["id"], row["prompt"], row["order"], row["ablation"]), row


def clips_of(config: ArenaConfig) -> Manifest:
    """The clips that everybody is asked about, with their labels translated.

    Raises:
        EmollamaError: the manifest cannot be read, or no clip of the split has a label.
    """
    data = config.data
    manifest = read_with_splits(data.manifest, data.split_file)
    if data.map:
        manifest = _translated(manifest, data.map)
    samples = [s for s in manifest.split(data.split) if s.targets.emotion is not None]
    if not samples:
        raise EmollamaError(
            f"{data.manifest}: no clip of split '{data.split}' has an emotion to be asked about"
        )
    chosen = tuple(drawn(config.seed, samples, data.limit))
    return Manifest(manifest.path, manifest.corpus, manifest.labels, chosen)


def _translated(manifest: Manifest, given: LabelMap) -> Manifest:
    """The manifest with other labels; what each channel shows is translated, too."""
    kept = [given.get(label, label) for label in manifest.labels.labels]
    if not any(kept):
        raise EmollamaError(f"{manifest.path}: data.map leaves no label of it")
    common = common_set([x for x in dict.fromkeys(kept) if x is not None], [])
    found = translated(manifest, given, common, "data.map")
    labels = label_set(manifest.labels.name, *common.labels)
    samples = []
    for sample in found.samples:
        truth = {k: given.get(v, v) if isinstance(v, str) else v for k, v in sample.truth.items()}
        samples.append(sample.model_copy(update={"truth": truth}))
    return Manifest(manifest.path, manifest.corpus, labels, tuple(samples))


@dataclass(frozen=True)
class _Left:
    """The questions to a contestant that have no answer yet.

    `again` are rows to append, so that the last about each question is of this configuration: an
    earlier answer to the same question, or that there is none yet.
    """

    questions: dict[str, Question]
    total: int
    again: dict[str, Row]

    @property
    def answered(self) -> bool:
        return len(self.questions) < self.total


def _left(one: Answering, config: ArenaConfig, stimuli: Stimuli, journal: Journal[str]) -> _Left:
    manifest = stimuli.manifest
    clips = {sample.id: stimuli.identity(sample) for sample in manifest.samples}
    last = {place: row["key"] for name, place, row in _rows(journal.path) if name == one.name}
    found, total, again = {}, 0, {}
    for question in questions(config, manifest.samples, manifest.labels.labels):
        total += 1
        asked = [one.name, one.identity, clips[question.sample.id], question.place,
                 question.labels, question.text]  # fmt: skip
        key = hashlib.sha256(json.dumps(asked, default=str).encode()).hexdigest()[:20]
        if key not in journal:
            found[key] = question
        if last.get(question.place, key) != key:
            told = (
                not_yet()
                if key in found
                else parse_row(journal.path, 0, journal.line(key).decode())
            )
            again[key] = {"key": key, **_named(one, question), **told}
    return _Left(found, total, again)


def _ask(
    one: Answering, config: ArenaConfig, stimuli: Stimuli, journal: Journal[str]
) -> None:  # fmt: skip
    left = _left(one, config, stimuli, journal)
    for key, row in left.again.items():
        journal.add(key, row)
    done = left.total - len(left.questions)
    if done:
        print(f"{one.name}: {done} of {left.total} answers are there already", file=sys.stderr)
    if not left.questions:
        return
    with bar(f"answers, {one.name}") as advance:
        advance(done, left.total)
        for key, row in one.rows(iter(left.questions.items()), left.answered):
            journal.add(key, {"key": key, **_named(one, left.questions[key]), **row})
            done += 1
            advance(done, left.total)


def _named(one: Answering, question: Question) -> Row:
    sample, prompt, order, ablation = question.place
    return {
        "contestant": one.name, "id": sample, "prompt": prompt, "order": order,
        "ablation": ablation,
    }  # fmt: skip


def _key_of(line: bytes) -> str | None:
    """The key of a row; None of one without an answer, which is asked for again."""
    row = json.loads(line)
    return None if row["status"] == "failed" else str(row["key"])


def _as_yaml(config: ArenaConfig) -> str:
    values = config.model_dump(mode="json", exclude_defaults=True)
    values["prompts"] = dict(config.wordings)  # those of another release may be others
    return yaml.safe_dump(values, sort_keys=False, allow_unicode=True)
