"""Fits the measure of familiarity to a model's training clips, and reads it anew from a record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from emollama.base.errors import EmollamaError
from emollama.features.same_encoder import require_same_encoder
from emollama.features.tracks import TrackReader
from emollama.inputs.config import DataSection
from emollama.inputs.enrolment import clip_moments, enrolment, face_of, person_of
from emollama.inputs.familiarity import Against, Familiarity, Spread, Yardstick
from emollama.inputs.mixture import read_corpora, store_of
from emollama.inputs.opening import open_inputs
from emollama.inputs.person import PersonPrior
from emollama.inputs.spec import Described, InputSpec
from emollama.manifest.channels import CHANNELS
from emollama.manifest.sample import Sample

FOLDS = 5
"""Parts of the training people that are left out in turn."""
SHARE = 0.99
"""Share of the clips of people left out that lie within the limit."""

DIRECTIONS = 48
"""Directions with a variance of their own; 24 to 96 are about as good."""
CLIPS_PER_DIRECTION = 8
"""Fewest training clips for each of them."""

_LEAST = 1e-6


def fit_familiarity(
    inputs: Sequence[Described],
    readers: Mapping[str, TrackReader],
    samples: Sequence[Sample],
    prior: PersonPrior | None = None,
) -> Familiarity | None:
    """The measure of these training clips; None where no input is a feature track, or all lack it.

    Where fewer than two people are known, clips are left out in turn instead of people.

    Args:
        inputs: of the model.
        readers: of their tracks.
        samples: the training samples.
        prior: what they say of people, where an input is measured against them.
    """
    cached = [one.spec for one in inputs if one.spec.cached and one.spec.name in readers]
    names = [sample.id for sample in samples]
    who = [person_of(sample) for sample in samples]
    shifts = _shifts(prior, readers, samples)
    widths: dict[str, dict[str, int]] = {}
    yardsticks: dict[str, dict[Against, Yardstick]] = {}
    for channel in CHANNELS:
        own = {one.name: readers[one.name].width for one in cached if one.channel == channel}
        if not own:
            continue
        moments = clip_moments(readers, own, names)
        clips = np.stack([moments[name].mean for name in names])
        has = ~np.isnan(clips).all(axis=1)
        if has.sum() < 2:
            continue
        shown = [face_of(sample) for sample in samples] if channel == "face" else who
        people = [person for person, one in zip(shown, has, strict=True) if one]
        widths[channel] = own
        yardsticks[channel] = {"corpus": _fit(clips[has], people)}
        if prior is not None and any(name in prior.widths for name in own):
            scale = np.concatenate([shifts[name][0] if name in shifts else np.ones((len(names), w))
                                    for name, w in own.items()], axis=1)  # fmt: skip
            shift = np.concatenate([shifts[name][1] if name in shifts else np.zeros((len(names), w))
                                    for name, w in own.items()], axis=1)  # fmt: skip
            yardsticks[channel]["person"] = _fit((clips * scale + shift)[has], people)
    if not yardsticks:
        return None
    known = {person for person in who if person is not None}
    return Familiarity(widths, yardsticks, len(samples), len(known))


def familiarity_of_record(
    record: Mapping[str, Any], inputs: Sequence[InputSpec], prior: PersonPrior | None
) -> Familiarity:
    """The measure of a finished model, from the training clips that its record names.

    Args:
        record: its `training_record.json`; paths in it are relative to the current folder.
        inputs: of the model.
        prior: of the model.

    Raises:
        EmollamaError: the record does not name its data, they are no longer there, or the features
            are of another encoder.
    """
    data = (record.get("config") or {}).get("data")
    if not isinstance(data, dict):
        raise EmollamaError("the training record names no data: train the model again")
    section = DataSection.model_validate({k: v for k, v in data.items() if v is not None})
    manifest = read_corpora(section)
    cached = [one for one in inputs if one.cached]
    found, readers = open_inputs(store_of(manifest, section), cached)
    for one in found:
        mine = next(known for known in cached if known.name == one.name)
        require_same_encoder(mine, one.fingerprint, str(section.store))
    samples = manifest.split(section.train_split)
    measure = fit_familiarity(found, readers, samples, prior)
    if measure is None:
        raise EmollamaError("no input of this model is a feature track: nothing can be measured")
    return measure


def _shifts(
    prior: PersonPrior | None, readers: Mapping[str, TrackReader], samples: Sequence[Sample]
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """By input scale and shift [n, D] that measure each clip against all clips of its person."""
    if prior is None:
        return {}
    known = enrolment(prior, readers, samples).transductive
    found = {}
    for name, width in prior.widths.items():
        rows = [known.affine(name, sample.id) for sample in samples]
        found[name] = (
            np.stack([np.ones(width) if one is None else one.scale for one in rows]),
            np.stack([np.zeros(width) if one is None else one.shift for one in rows]),
        )
    return found


def _fit(clips: np.ndarray, people: Sequence[str | None]) -> Yardstick:
    """The yardstick of clips [n, D], with the distances of people left out in turn."""
    named = sorted({person for person in people if person is not None})
    if len(named) < 2:
        keys, count = np.arange(len(clips)), len(clips)
    else:
        # Clips of nobody known are always among those that are fitted to.
        keys = np.array([-1 if person is None else named.index(person) for person in people])
        count = len(named)
    folds = min(FOLDS, count)
    held = []
    for fold in range(folds):
        out = (keys % folds == fold) & (keys >= 0)
        held.append(_spread(clips[~out]).distance(clips[out]))
    distances = np.concatenate(held)
    usual = max(float(np.median(distances)), _LEAST)
    limit = float(np.quantile(distances, SHARE, method="higher")) / usual
    return Yardstick(_spread(clips), usual, max(limit, 1.0))


def _spread(clips: np.ndarray) -> Spread:
    """How clips [n, D] are spread; a constant or unknown column is only centred."""
    from sklearn.decomposition import PCA

    known = ~np.isnan(clips)
    count = np.maximum(known.sum(axis=0), 1)
    mean = np.where(known, clips, 0.0).sum(axis=0) / count
    square = np.where(known, (clips - mean) ** 2, 0.0).sum(axis=0) / count
    deviation = np.where(square > _LEAST**2, np.sqrt(square), 1.0)
    apart = np.where(known, (clips - mean) / deviation, 0.0)
    few = min(DIRECTIONS, len(clips) // CLIPS_PER_DIRECTION, clips.shape[1] - 1)
    none = np.zeros((0, clips.shape[1]))
    if few < 1:
        return Spread(mean, deviation, none, np.zeros(0), max(float((apart**2).mean()), _LEAST))
    found = PCA(few, svd_solver="randomized", random_state=0).fit(apart)
    varies = found.explained_variance_ > _LEAST
    return Spread(
        mean, deviation, found.components_[varies], found.explained_variance_[varies],
        max(float(found.noise_variance_), _LEAST),
    )  # fmt: skip
