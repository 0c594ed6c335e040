"""Fits a `PersonPrior` to the training clips of several people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from emollama.base.errors import EmollamaError
from emollama.inputs.person import ClipMoments, PersonPrior, column_slices, mean_of_known

STRENGTH = 0.01
"""C of the regression that expects a clip's label."""
ROUNDS = 10
"""Alternations between the means of people and of labels."""
_SMALLEST = 1e-3


def fit_person_prior(
    widths: Mapping[str, int],
    clips: Sequence[ClipMoments],
    people: Sequence[str | None],
    emotions: Sequence[str | None],
    labels: Sequence[str],
    faces: Sequence[str] = (),
) -> PersonPrior:
    """What these clips say of people.

    A clip whose person is not known counts for the corpus only, one without a label for its person
    only.

    Args:
        widths: of the inputs, in the order of the columns.
        clips: moments of the training clips.
        people: who is in each.
        emotions: the label of each.
        labels: the label set.
        faces: the inputs that show the face.

    Raises:
        EmollamaError: fewer than two people have two clips.
    """
    means = np.stack([c.mean for c in clips])
    variances = np.stack([c.variance for c in clips])
    for name, part in column_slices(widths).items():
        if np.isnan(means[:, part]).all():
            raise EmollamaError(f"input '{name}': no training clip has features of it")
    mean, inside = np.nanmean(means, axis=0), np.nanmean(variances, axis=0)
    deviation = np.sqrt(inside + np.nanvar(means, axis=0))
    deviation = np.where(deviation > 1e-6, deviation, 1.0)
    counts = {p: list(people).count(p) for p in set(people) if p is not None}
    several = sorted(p for p, n in counts.items() if n > 1)
    if len(several) < 2:
        raise _too_few(len(several))
    rows = np.array([i for i, p in enumerate(people) if p in several])
    who = np.array([several.index(str(people[i])) for i in rows])
    present = [k for k in labels if any(emotions[i] == k for i in rows)]
    if len(present) < 2:
        present = []
    which = np.array([present.index(e) if (e := emotions[i]) in present else -1 for i in rows])
    standard = (means[rows] - mean) / deviation
    people_means, classes = _additive(standard, who, which, len(several), len(present))
    of_label = np.where(which[:, None] >= 0, np.append(classes, [0 * mean], axis=0)[which], 0.0)
    residuals = standard - people_means[who] - of_label
    noise, habit = _components(residuals, who, which)
    # People of a corpus without a channel say nothing of it.
    shown = np.array([(~np.isnan(standard[who == p])).sum(axis=0) for p in range(len(several))])
    having = np.maximum((shown > 0).sum(axis=0), 1)
    if (most := int(having.max())) < 2:  # One who speaks, and one who is seen.
        raise _too_few(most)
    error = noise * having / np.maximum(shown.sum(axis=0), 1) + habit / max(len(present), 1)
    people_means = np.where(shown > 0, people_means, np.nan)
    about_all = (people_means - mean_of_known(people_means)) ** 2
    variance = mean_of_known(about_all) * having / np.maximum(having - 1, 1)
    spread = np.maximum(variance - error, _SMALLEST)
    about = standard - people_means[who]
    within = np.sqrt(np.maximum(inside / deviation**2 + mean_of_known(about**2), _SMALLEST))
    weights, bias = _regression(about / within, which, len(present))
    return PersonPrior(
        dict(widths), tuple(present), mean, deviation, within, noise, habit, spread, classes,
        weights, bias, _noisiest(residuals, who, which, noise),
        tuple(faces),
    )  # fmt: skip


def _too_few(people: int) -> EmollamaError:
    return EmollamaError(
        "standardise: person needs the training clips of at least two people with two clips each, "
        f"but the manifest's `speaker`, `group` and `face` name {people}"
    )


def _additive(
    values: np.ndarray, who: np.ndarray, which: np.ndarray, people: int, labels: int
) -> tuple[np.ndarray, np.ndarray]:
    """Means of people [P, D] and departures of labels [K, D] that add up to the clips' means."""
    width = values.shape[1]
    classes = np.zeros((labels + 1, width))  # the last one is of clips without a label
    means = np.zeros((people, width))
    for _ in range(ROUNDS):
        for p in range(people):
            means[p] = mean_of_known((values - classes[which])[who == p])
        for k in range(labels):
            classes[k] = mean_of_known((values - means[who])[which == k])
        if labels:
            shown = np.where(np.isnan(values), np.nan, classes[which])
            classes[:labels] -= mean_of_known(shown[which >= 0])
    return means, classes[:labels]


def _components(
    residuals: np.ndarray, who: np.ndarray, which: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Variances [D] of clips about the mean of their person and label, and of those means."""
    inside, between, sizes = [], [], []
    for person, label in sorted(set(zip(who.tolist(), which.tolist(), strict=True))):
        cell = residuals[(who == person) & (which == label)]
        if label < 0:
            inside.append(cell**2)
            continue
        # By column, for clips of some corpora lack a channel.
        count = (~np.isnan(cell)).sum(axis=0)
        several, centre = count > 1, mean_of_known(cell)
        own = (cell - centre) ** 2 * count / np.maximum(count - 1, 1)
        inside.append(np.where(several, own, cell**2))
        between.append(np.where(several, centre**2, np.nan))
        sizes.append(np.where(several, 1 / np.maximum(count, 1), np.nan))
    noise = np.maximum(mean_of_known(np.concatenate(inside)), _SMALLEST)
    if not between:
        return noise, np.zeros_like(noise)
    return noise, np.maximum(
        mean_of_known(np.stack(between)) - noise * mean_of_known(np.stack(sizes)), 0.0
    )


def _noisiest(
    residuals: np.ndarray, who: np.ndarray, which: np.ndarray, noise: np.ndarray
) -> float:
    """The noise of the person with the most of it over that of all, in the columns they have."""
    found = []
    for person in np.unique(who):
        own = residuals[who == person]
        known = ~np.isnan(own).all(axis=0)
        if known.any():
            part = _components(own[:, known], who[who == person], which[who == person])[0]
            found.append(part.mean() / noise[known].mean())
    return float(max(found))


def _regression(
    values: np.ndarray, which: np.ndarray, labels: int
) -> tuple[np.ndarray, np.ndarray]:
    """Weights [K, D] and bias [K] of a logistic regression of the labels."""
    if not labels:
        return np.zeros((0, values.shape[1])), np.zeros(0)
    from sklearn.linear_model import LogisticRegression

    known = which >= 0
    found = LogisticRegression(C=STRENGTH, max_iter=1000)
    found.fit(np.nan_to_num(values[known]), which[known])
    weights, bias = found.coef_, found.intercept_
    if labels == 2:  # one row for the second label
        weights, bias = np.vstack([-weights, weights]) / 2, np.append(-bias, bias) / 2
    return weights, bias
