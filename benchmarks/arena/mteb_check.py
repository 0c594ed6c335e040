"""Runs a task that `emollama arena --mteb` wrote in MTEB itself, and compares accuracies.

    python -m benchmarks.arena.mteb_check runs/arena/task runs/arena CONTESTANT

needs the package `mteb` (2.26.24 here) beside ours. The answers of a contestant serve as a model of
MTEB's: a clip's vector is its label's place, a candidate's its own, so MTEB's accuracy over the
clips with sound must be the arena's. MTEB's own conditions for a task are checked before: all of
its metadata is filled and valid, and its statistics can be computed.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import importlib.util
import json
from pathlib import Path
from typing import Any

import mteb
import numpy as np
from mteb._content_hashes import hash_audio
from mteb.abstasks import AbsTask
from mteb.models.model_meta import ModelMeta

from emollama.arena.mteb import TABLE, TASK
from emollama.scoring.predictions.predictions import read_predictions


class Answers:
    """A contestant's answers as an encoder of MTEB's."""

    def __init__(self, vectors: dict[str, np.ndarray], candidates: list[str]) -> None:
        self.vectors, self.candidates = vectors, candidates
        self.mteb_model_meta = ModelMeta.create_empty({"modalities": ["audio", "text"]})

    def encode(self, inputs: Any, **more: Any) -> np.ndarray:
        """Vectors [n, K] of candidates or sounds."""
        del more
        inputs.collate_fn = list
        rows = [row for batch in inputs for row in batch]
        if "text" in rows[0]:
            return np.eye(len(self.candidates))[[self.candidates.index(r["text"]) for r in rows]]
        return np.stack([self.vectors[hash_audio(row["audio"])] for row in rows])

    def similarity(self, one: np.ndarray, two: np.ndarray) -> np.ndarray:
        """Scalar products [n, m]."""
        return one @ two.T

    def similarity_pairwise(self, one: np.ndarray, two: np.ndarray) -> np.ndarray:
        """Scalar products [n]."""
        return (one * two).sum(1)


def opened(folder: Path) -> AbsTask:
    """The task in a folder."""
    spec = importlib.util.spec_from_file_location("emollama_task", folder / TASK)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    kinds = [v for v in vars(module).values() if isinstance(v, type) and v.__module__ == spec.name]
    return kinds[0]()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("task", type=Path)
    parser.add_argument("arena", type=Path)
    parser.add_argument("contestant")
    given = parser.parse_args()
    task: Any = opened(given.task)
    task.metadata._validate_metadata()
    empty = [f for f in type(task.metadata).model_fields if getattr(task.metadata, f) is None]
    assert task.metadata.is_filled(), f"not filled: {empty}"
    task.load_data()
    statistics = task._calculate_descriptive_statistics_from_split("test")
    found = read_predictions(given.arena / "predictions.jsonl")
    rows = {r.id: r for r in found.rows if r.system == given.contestant and len(r.channels) == 3}
    labels = found.header.labels.labels
    table = [json.loads(line) for line in (given.task / TABLE).read_text().splitlines()]
    vectors, right = {}, []
    for row, sound in zip(table, task.dataset["test"]["audio"], strict=True):
        answer = rows[row["id"]]
        vector = np.array([float(label == answer.label) for label in labels])
        vectors[hash_audio(sound)] = vector
        # A clip without an answer has no vector; MTEB takes the first candidate for it.
        right.append((answer.label or labels[0]) == labels[row["label"]])
    model: Any = Answers(vectors, task.get_candidate_labels())
    scores = mteb.evaluate(model, task, cache=None).task_results[0].scores["test"][0]
    print(f"mteb {importlib.metadata.version('mteb')}: {task.metadata.name}, "
          f"{statistics['num_samples']} clips, "
          f"{statistics['audio_statistics']['total_duration_seconds']:.1f} s")  # fmt: skip
    ours = float(np.mean(right))
    print(f"accuracy of MTEB {scores['accuracy']:.6f}, of the arena {ours:.6f}")
    assert abs(scores["accuracy"] - ours) < 1e-9


if __name__ == "__main__":
    main()
