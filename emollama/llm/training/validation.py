"""The validation split of an instruction-tuning run: its samples and their weighted F1."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from emollama.base.errors import EmollamaError
from emollama.features.tracks import TrackReader, usable
from emollama.inputs.mixture import Mixture
from emollama.llm.training.config import TrainConfig
from emollama.manifest.sample import Manifest, Sample
from emollama.runs.run_folder import tell_left_out
from emollama.scoring.metrics.formulas import one_hot, weighted_f1


def held_out_samples(
    config: TrainConfig,
    manifest: Manifest,
    readers: Mapping[str, TrackReader],
    say: Callable[[str], None],
) -> list[Sample]:
    """Samples to validate on; [] where nothing is validated.

    Raises:
        EmollamaError: there is no validation split, or no sample of it can be scored.
    """
    split = config.data.validation_split
    if not config.training.evaluate_every_steps:
        return []
    if split is None:
        raise EmollamaError("training.evaluate_every_steps needs data.validation_split")
    samples, left_out = usable(
        [s for s in manifest.split(split) if s.targets.emotion is not None], readers
    )
    tell_left_out(left_out, say)
    if not samples:
        raise EmollamaError(f"{manifest.path}: no sample of split '{split}' can be scored")
    return samples


def validation_f1(
    probabilities: np.ndarray, samples: Sequence[Sample], manifest: Manifest
) -> tuple[float, dict[str, float]]:
    """Weighted F1 of samples from label scores [n, K]; of several corpora the mean over them, and
    each one's own as "corpus/weighted_f1".

    A clip is answered with a label of its corpus.
    """
    names = manifest.labels.labels
    truth = np.array([names.index(str(s.targets.emotion)) for s in samples])
    if not isinstance(manifest, Mixture):
        return _f1(truth, probabilities.argmax(1), len(names)), {}
    parts = {}
    for key, rows in manifest.rows_of(samples).items():
        columns = np.array(manifest.columns_of(key))
        answers = columns[probabilities[rows][:, columns].argmax(1)]
        parts[f"{key}/weighted_f1"] = _f1(truth[rows], answers, len(names))
    return float(np.mean(list(parts.values()))), parts


def _f1(truth: np.ndarray, answers: np.ndarray, size: int) -> float:
    pair = (one_hot(truth, size), one_hot(answers, size))
    return float(weighted_f1(*pair, np.ones((1, len(truth))))[0])
