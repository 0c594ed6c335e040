"""Classical baselines: the performance of the same features without the learned model.

Multinomial logistic regression on standardised, pooled features, for every set of channels: joint
(features side by side) and late (mean log-probability of the single-channel models). The majority
class and chance mark the floor. All of them write `Prediction` rows, so the same code scores them.

An absent track is never a vector of zeros that looks like data: its columns take the training mean
and, if some training samples lack it too, an extra column marks it as absent.
"""

from __future__ import annotations

import random
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.preprocessing import StandardScaler

from emollama.base.errors import EmollamaError
from emollama.encoders.base import FeatureTrack
from emollama.inputs.segments import pooled
from emollama.manifest.channels import Channel
from emollama.manifest.labels import LabelSet
from emollama.manifest.sample import Sample
from emollama.scoring.predictions.prediction import Prediction, channel_sets, set_name
from emollama.scoring.predictions.systems import CHANCE, JOINT, LATE, MAJORITY

STRENGTHS = tuple(10.0**k for k in range(-4, 2))
"""Values of C (inverse L2 penalty) to try, from strong to weak regularisation."""

SMALL = 0.01
"""The value of C if there are too few training samples to choose one."""

_FLOOR = 1e-12


class Tracks(Protocol):
    """The part of a feature reader's interface used here."""

    @property
    def width(self) -> int: ...  # noqa: D102

    def get(self, id: str) -> FeatureTrack | None: ...  # noqa: D102


@dataclass(frozen=True)
class FeatureMatrix:
    """One vector per sample: [n, D] `values` of n `ids`; row i is valid if `present[i]`.

    Raises:
        EmollamaError: shapes that do not match, or NaN or infinity in a valid row.
    """

    name: str
    ids: tuple[str, ...]
    values: np.ndarray
    present: np.ndarray

    def __post_init__(self) -> None:
        if self.values.ndim != 2 or not len(self.ids) == len(self.values) == len(self.present):
            raise EmollamaError(
                f"features '{self.name}': {len(self.ids)} ids, values {self.values.shape} and "
                f"present {self.present.shape} do not match"
            )
        finite = np.isfinite(self.values).all(axis=1)
        for i in np.flatnonzero(~finite & self.present):
            raise EmollamaError(f"features '{self.name}': id '{self.ids[i]}' has NaN or infinity")

    def rows(self, ids: Sequence[str]) -> np.ndarray:
        """Values [len(ids), D] as float64, NaN where absent."""
        place = {name: i for i, name in enumerate(self.ids)}
        for name in ids:
            if name not in place:
                raise EmollamaError(f"features '{self.name}': id '{name}' is not among them")
        index = np.array([place[i] for i in ids], dtype=np.int64)
        values = self.values[index].astype(np.float64)
        values[~self.present[index].astype(bool)] = np.nan
        return values


ChannelFeatures = Mapping[Channel, Sequence[FeatureMatrix]]
"""The features of each channel: one matrix per encoder."""


def pool_tracks(
    name: str, tracks: Tracks, ids: Sequence[str], deviation: bool = False
) -> FeatureMatrix:
    """One vector per sample: the mean over a track's steps and, optionally, their deviation.

    An absent track is marked absent; one that failed or was never extracted is the reader's
    `EmollamaError`.
    """
    width = tracks.width * (2 if deviation else 1)
    values = np.zeros((len(ids), width), dtype=np.float32)
    present = np.zeros(len(ids), dtype=bool)
    for i, sample in enumerate(ids):
        track = tracks.get(sample)
        if track is None:
            continue
        values[i], present[i] = pooled(np.asarray(track.values), deviation), True
    return FeatureMatrix(name, tuple(ids), values, present)


class NothingToLearn(EmollamaError):  # noqa: N818
    """The training samples are not sufficient for a baseline."""


@dataclass(frozen=True)
class BaselineResult:
    """Rows of all baselines, and their chosen settings for the header."""

    predictions: list[Prediction]
    settings: dict[str, str]


def baseline_predictions(
    features: ChannelFeatures,
    labels: LabelSet,
    train: Sequence[Sample],
    test: Sequence[Sample],
    validation: Sequence[Sample] = (),
    *,
    seed: int = 0,
    folds: int = 5,
    largest: int = 2,
) -> BaselineResult:
    """Fit every baseline on `train` and answer `test` with it.

    C is the one of `STRENGTHS` with the lowest negative log-likelihood on `validation` or, where
    that is empty, in cross-validation inside `train` whose folds never cut through a group. Fewer
    samples of every label than folds make fewer folds; too few for two leave C at `SMALL`. The
    baseline is fitted on `train` alone, like the model.

    Args:
        features: for each channel its feature matrices; they must hold every sample's id.
        labels: the label set.
        train: samples to fit on; those without an emotion are skipped.
        test: samples to answer.
        validation: samples for choosing C.
        seed: of folds and the chance row.
        folds: largest number of folds if there is no validation split.
        largest: largest size of channel sets to answer, besides all together.
    """
    fit = [s for s in train if s.targets.emotion is not None]
    choose = [s for s in validation if s.targets.emotion is not None]
    if len({s.targets.emotion for s in fit}) < 2:
        raise NothingToLearn(
            "the training split has fewer than two emotions, so there is nothing to learn"
        )
    known = [c for c in features if features[c]]
    if not known:
        raise EmollamaError("no features were given to the baseline")
    rows: list[Prediction] = []
    settings: dict[str, str] = {}
    single: dict[Channel, np.ndarray] = {}
    heard: dict[Channel, np.ndarray] = {}
    for channels in channel_sets(known):
        asked = len(channels) <= largest or len(channels) == len(known)
        if not asked and len(channels) > 1:
            continue
        matrices = [m for c in channels for m in features[c]]
        probabilities, chosen = logistic_regression(
            matrices, labels, fit, choose, test, seed, folds
        )
        if asked:
            settings[f"{JOINT}: {set_name(channels)}"] = chosen
            rows += _rows(test, labels, probabilities, channels, JOINT)
        if len(channels) == 1:
            single[channels[0]] = probabilities
            heard[channels[0]] = _any_present(matrices, test)
        else:
            fused = _late([single[c] for c in channels], [heard[c] for c in channels])
            rows += _rows(test, labels, fused, channels, LATE)
    rows += _majority(fit, test, labels) + _chance(test, labels, seed)
    return BaselineResult(rows, settings)


def _rows(
    samples: Sequence[Sample],
    labels: LabelSet,
    probabilities: np.ndarray,
    channels: Sequence[Channel],
    system: str,
) -> list[Prediction]:
    return [
        Prediction.scored(s, labels, p.tolist(), channels, system)
        for s, p in zip(samples, probabilities, strict=True)
    ]


def _any_present(matrices: Sequence[FeatureMatrix], samples: Sequence[Sample]) -> np.ndarray:
    ids = [s.id for s in samples]
    return np.any([~np.isnan(m.rows(ids)).all(axis=1) for m in matrices], axis=0)


def _late(probabilities: Sequence[np.ndarray], heard: Sequence[np.ndarray]) -> np.ndarray:
    """Normalised mean log-probability [n, K] of a sample's channels.

    If it has none of them, each single-channel model still gives its prior.
    """
    logs = np.log(np.maximum(np.stack(probabilities), _FLOOR))
    weights = np.stack(heard).astype(np.float64)
    weights[:, weights.sum(0) == 0] = 1
    mean = (logs * weights[:, :, None]).sum(0) / weights.sum(0)[:, None]
    fused = np.exp(mean - mean.max(1, keepdims=True))
    return fused / fused.sum(1, keepdims=True)


def _majority(
    train: Sequence[Sample], test: Sequence[Sample], labels: LabelSet
) -> list[Prediction]:
    counts = Counter(s.targets.emotion for s in train)
    shares = np.array([counts[x] / len(train) for x in labels.labels])
    return _rows(test, labels, np.tile(shares, (len(test), 1)), (), MAJORITY)


def _chance(test: Sequence[Sample], labels: LabelSet, seed: int) -> list[Prediction]:
    """A uniformly drawn label, a function of (seed, sample id) only."""
    even = [1 / len(labels.labels)] * len(labels.labels)
    rows = []
    for sample in test:
        drawn = random.Random(f"{seed} {sample.id}").choice(labels.labels)
        row = Prediction.scored(sample, labels, even, (), CHANCE)
        rows.append(row.model_copy(update={"label": drawn}))
    return rows


class _Space:
    """Standardises and imputes a list of feature matrices, fitted on the training samples."""

    def __init__(self, matrices: Sequence[FeatureMatrix], train: Sequence[str]) -> None:
        self.matrices = matrices
        self.flags = []
        blocks = [m.rows(train) for m in matrices]
        for matrix, block in zip(matrices, blocks, strict=True):
            absent = np.isnan(block[:, 0])
            if absent.all():
                raise EmollamaError(f"features '{matrix.name}': no training sample has them")
            self.flags.append(bool(absent.any()))
        # StandardScaler passes over NaN, so an absent row takes no part in mean and deviation.
        self.scaler = StandardScaler().fit(self._raw(blocks))
        # The L2 penalty does not change under rotation: with fewer samples than columns the fit
        # is the same, and much cheaper, in the space that the training samples span.
        self.rotation: np.ndarray | None = None
        standard = self._standard(blocks)
        if standard.shape[0] < standard.shape[1]:
            self.rotation = np.linalg.svd(standard, full_matrices=False)[2].T

    def _raw(self, blocks: Sequence[np.ndarray]) -> np.ndarray:
        flags = [
            np.isnan(b[:, :1]).astype(float)
            for b, flag in zip(blocks, self.flags, strict=True)
            if flag
        ]
        return np.concatenate([*blocks, *flags], axis=1)

    def _standard(self, blocks: Sequence[np.ndarray]) -> np.ndarray:
        return np.nan_to_num(self.scaler.transform(self._raw(blocks)), nan=0.0)

    def of(self, ids: Sequence[str]) -> np.ndarray:
        """Features [len(ids), columns] of these samples."""
        standard = self._standard([m.rows(ids) for m in self.matrices])
        return standard if self.rotation is None else standard @ self.rotation


def _path(
    space: _Space,
    labels: LabelSet,
    train: Sequence[Sample],
    others: Sequence[Sequence[Sample]],
    strengths: Sequence[float],
) -> Iterator[list[np.ndarray]]:
    """For each C: probabilities [n, K] for each of `others`; each fit starts at the one before."""
    model = LogisticRegression(max_iter=2000, warm_start=True)
    inputs = space.of([s.id for s in train])
    targets = [s.targets.emotion for s in train]
    spread = [space.of([s.id for s in other]) for other in others]
    for strength in strengths:
        model.set_params(C=strength)
        model.fit(inputs, targets)
        columns = [labels.labels.index(x) for x in model.classes_]
        answers = []
        for features in spread:
            probabilities = np.zeros((len(features), len(labels.labels)))
            if len(features):
                probabilities[:, columns] = model.predict_proba(features)
            answers.append(probabilities)
        yield answers


def _log_loss(probabilities: np.ndarray, samples: Sequence[Sample], labels: LabelSet) -> float:
    """Summed over samples."""
    codes = [labels.labels.index(s.targets.emotion or "") for s in samples]
    picked = probabilities[np.arange(len(codes)), codes]
    return float(-np.log(np.maximum(picked, _FLOOR)).sum())


def logistic_regression(
    matrices: Sequence[FeatureMatrix],
    labels: LabelSet,
    train: Sequence[Sample],
    validation: Sequence[Sample],
    test: Sequence[Sample],
    seed: int,
    folds: int,
) -> tuple[np.ndarray, str]:
    """One fit over all matrices, as in `baseline_predictions` for a set of channels.

    Returns:
        Probabilities [n, K] for `test`, and the chosen settings in words.
    """
    space = _Space(matrices, [s.id for s in train])
    width = sum(m.values.shape[1] for m in matrices)
    if validation:
        losses, answers = [], []
        for held, tested in _path(space, labels, train, [validation, test], STRENGTHS):
            losses.append(_log_loss(held, validation, labels))
            answers.append(tested)
            if _past_the_best(losses):
                break
        how = f"on {len(validation)} validation samples"
    else:
        losses, used = _cross_validate(matrices, labels, train, seed, folds)
        if not losses:
            note = "not chosen: too few training samples for two folds"
            answer = next(_path(space, labels, train, [test], [SMALL]))[0]
            return answer, f"C={SMALL:g}, {note}; {width} features, {len(train)} training samples"
        how = f"by grouped cross-validation in {used} folds"
        tried = STRENGTHS[: int(np.argmin(losses)) + 1]
        answers = [fit[0] for fit in _path(space, labels, train, [test], tried)]
    best = int(np.argmin(losses))
    note = f"C={STRENGTHS[best]:g} chosen {how}; {width} features, {len(train)} training samples"
    return answers[best], note


def _past_the_best(losses: Sequence[float]) -> bool:
    """Whether the loss has risen twice in a row: weaker penalties are slow and even worse."""
    return len(losses) > 2 and losses[-1] > losses[-2] > losses[-3]


def _cross_validate(
    matrices: Sequence[FeatureMatrix],
    labels: LabelSet,
    train: Sequence[Sample],
    seed: int,
    folds: int,
) -> tuple[list[float], int]:
    """Summed loss of each C over folds that keep a group (else a speaker, else a sample) together.

    Stops once the loss has risen twice. Also returns the number of folds: at most the number of
    samples of the most frequent label. No losses if there are fewer than two folds.
    """
    groups = [s.group or s.speaker or s.id for s in train]
    if len(set(groups)) < 2:
        groups = [s.id for s in train]
    targets = [s.targets.emotion for s in train]
    splits = min(folds, len(set(groups)), max(Counter(targets).values()))
    if splits < 2:
        return [], 0
    splitter = StratifiedGroupKFold(n_splits=splits, shuffle=True, random_state=seed)
    paths = []
    with warnings.catch_warnings():
        # A label with fewer samples than folds is balanced as far as it goes.
        warnings.simplefilter("ignore")
        parts = list(splitter.split(np.zeros(len(train)), targets, groups))
    for inside, outside in parts:
        fit, held = [train[i] for i in inside], [train[i] for i in outside]
        if len({s.targets.emotion for s in fit}) < 2 or not held:
            continue
        space = _Space(matrices, [s.id for s in fit])
        paths.append((_path(space, labels, fit, [held], STRENGTHS), held))
    losses: list[float] = []
    for _ in STRENGTHS if paths else ():
        losses.append(sum(_log_loss(next(path)[0], held, labels) for path, held in paths))
        if _past_the_best(losses):
            break
    return losses, splits
