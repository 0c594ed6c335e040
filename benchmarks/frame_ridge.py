"""Ridge regression frame by frame: the baseline of valence and arousal over time.

python -m benchmarks.frame_ridge train_configs/probe-va-transformer.yaml --out runs/probe-va-ridge

Reads the splits, modalities and targets of a training configuration with task `frames`; of all
modalities together, a frame's columns are the tracks in a straight line between steps, standardised
over the training frames. The penalty is chosen by the mean CCC of the validation split. Writes
`val.jsonl` and `test.jsonl`, predictions files as of a model, one row a video.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from sklearn.linear_model import Ridge

from emollama.base.config import load_config
from emollama.base.errors import EmollamaError, one_line_errors
from emollama.evaluation.rows import values_over_time
from emollama.fusion.data.data import FusionData, open_modalities, read_data
from emollama.fusion.data.track_table import TrackTable
from emollama.fusion.training.config import FusionTrainConfig
from emollama.inputs.mixture import read_corpora, store_of
from emollama.manifest.channels import Channel
from emollama.scoring.metrics.continuous import concordance
from emollama.scoring.predictions.prediction import Prediction
from emollama.scoring.predictions.predictions import Header, write_predictions

PENALTIES = tuple(10.0**k for k in range(7))
FEWEST = 1e-6
"""A column that deviates less is left at 0."""


def columns(data: FusionData) -> list[np.ndarray]:
    """For each sample float64 [L, D]: every modality at the times of the targets; NaN if absent."""
    made = []
    for row, times in enumerate(data.targets.times):
        parts = []
        for name, table in data.tracks.items():
            if not isinstance(table, TrackTable):
                raise EmollamaError(f"modality '{name}': a ridge regression reads tracks only")
            values, at = table.row(row)
            if len(values):
                parts.append(np.stack([np.interp(times, at, v) for v in values.T], axis=1))
            else:
                parts.append(np.full((len(times), values.shape[1]), np.nan))
        made.append(np.concatenate(parts, axis=1))
    return made


def answered(
    data: FusionData, values: Sequence[np.ndarray], names: Sequence[str], channels: list[Channel]
) -> list[Prediction]:
    """One row per sample, over its annotated frames."""
    rows = []
    for i, sample in enumerate(data.samples):
        truth, answer = data.targets.frames[i].astype(float), values[i]
        told = ~np.isnan(truth).any(1)
        rows.append(
            Prediction(
                id=sample.id,
                channels=tuple(channels),
                values=values_over_time(names, answer[told]),
                reference_values=values_over_time(names, truth[told]),
                times=tuple(round(float(t), 4) for t in data.targets.times[i][told]),
                group=sample.group,
            )
        )
    return rows


def fit_and_write(config: FusionTrainConfig, test: str, out: Path) -> float:
    """Choose the penalty on validation, answer validation and test; returns the penalty.

    Raises:
        EmollamaError: the configuration has another task or no validation split, or its data
            cannot be read.
    """
    held_out = config.data.validation_split
    if config.task.kind != "frames" or not held_out:
        raise EmollamaError(
            f"task.kind is {config.task.kind}, data.validation_split {held_out}: values over time "
            "(frames) and a split to choose the penalty on are needed"
        )
    manifest = read_corpora(config.data)
    sections, readers = open_modalities(store_of(manifest, config.data), config.fusion.modalities)
    names = list(config.task.values)
    splits = {
        split: read_data(manifest, split, config.task, manifest.labels, sections, readers)
        for split in (config.data.train_split, held_out, test)
    }
    frames = {split: columns(data) for split, data in splits.items()}
    stacked = np.concatenate(frames[config.data.train_split])
    mean, deviation = np.nanmean(stacked, 0), np.nanstd(stacked, 0)
    scale = np.where(deviation > FEWEST, 1 / np.maximum(deviation, FEWEST), 0.0)
    ready = {s: [np.nan_to_num((x - mean) * scale) for x in f] for s, f in frames.items()}
    learned = np.concatenate(ready[config.data.train_split])
    truth = np.concatenate(splits[config.data.train_split].targets.frames).astype(float)
    known = ~np.isnan(truth).any(1)
    channels: list[Channel] = [s.channel for s in sections]
    channels = list(dict.fromkeys(channels))

    def asked(model: Ridge, split: str) -> list[Prediction]:
        found = [model.predict(x).reshape(len(x), len(names)) for x in ready[split]]
        return answered(splits[split], found, names, channels)

    tried = []
    for penalty in PENALTIES:
        model = Ridge(penalty).fit(learned[known], truth[known])
        tried.append((concordance(asked(model, held_out), *names).value() or 0.0, penalty, model))
    score, penalty, model = max(tried, key=lambda t: t[0])
    for split, name in ((held_out, "val"), (test, "test")):
        header = Header(
            labels=manifest.labels,
            corpus=manifest.corpus,
            split=split,
            model="ridge regression",
            settings={"penalty": f"{penalty:g}", "mean CCC on validation": f"{score:.4f}"},
        )
        write_predictions(out / f"{name}.jsonl", header, asked(model, split))
    return penalty


@one_line_errors
def main() -> None:
    """Fit, write, and print the chosen penalty."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("config", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--test", default="test")
    given = parser.parse_args()
    config = load_config(FusionTrainConfig, given.config)
    penalty = fit_and_write(config, given.test, given.out)
    print(f"penalty {penalty:g}; val.jsonl and test.jsonl in {given.out}")


if __name__ == "__main__":
    main()
