"""What the other people of a corpus say about a clip's label.

Rules err on one clip and are right on the next one that looks and sounds like it. A regression of
the rules' labels on the clips' features averages that out; it is fitted without the clips of the
person it is asked about, heard or seen, or it would repeat their labels (confident learning:
Northcutt et al. 2021).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from emollama.base.errors import EmollamaError
from emollama.features.store import FeatureStore
from emollama.merr.rules import log_softmax

FOLDS = 5
STRENGTH = 0.01
"""The regression's C."""
RULES = 0.5
"""Weight of the rules' log-probabilities beside the regression's: theirs are too sure, since they
take the channels for independent."""
_LEAST = 0.01  # probability of a label below which a clip does not speak for it


@dataclass(frozen=True)
class Judged:
    """A clip as the rules judged it.

    Attributes:
        id: of the clip.
        speaker, face: who is heard and who is seen; the clip's own id if unknown.
        total: log-probabilities by the rules.
        fitted: whether others' labels may depend on it; no clip of a test split.
    """

    id: str
    speaker: str
    face: str
    total: Mapping[str, float]
    fitted: bool


class Neighbours:
    """Labels of clips by the rules and by the other people's clips.

    Args:
        clips: all clips.
        labels: the label set's.
        store: with features of every clip; all of them are used, averaged over time.

    Raises:
        EmollamaError: the store has no features, lacks a clip, or there are too few people or
            labels.
    """

    def __init__(self, clips: Sequence[Judged], labels: Sequence[str], store: Path) -> None:
        self._labels = list(labels)
        features = _features([clip.id for clip in clips], store)
        shares = np.exp([[c.total.get(k, -np.inf) for k in self._labels] for c in clips])
        expected = self._held_out(features, shares, clips, store)
        self._expected = {c.id: row for c, row in zip(clips, expected, strict=True)}

    @property
    def fingerprint(self) -> str:
        """A hash of what they say of every clip."""
        rows = b"".join(row.tobytes() for row in self._expected.values())
        return hashlib.sha256(rows).hexdigest()[:16]

    def expected(self, clip: str) -> dict[str, float]:
        """Log-probabilities of labels by other people's clips."""
        return dict(zip(self._labels, self._expected[clip].tolist(), strict=True))

    def together(self, clip: str, total: Mapping[str, float]) -> dict[str, float]:
        """Log-probabilities by the rules and by the other people."""
        others = self.expected(clip)
        return log_softmax({label: RULES * own + others[label] for label, own in total.items()})

    def _held_out(
        self, features: np.ndarray, shares: np.ndarray, clips: Sequence[Judged], store: Path
    ) -> np.ndarray:
        """Log-probabilities [n, K] of each clip by clips with neither its speaker nor its face.

        Faces have folds of their own, for where every face comes with several speakers, all clips
        may be linked by one or the other. Where it is always the speaker's, these are the same.
        """
        from sklearn.linear_model import LogisticRegression

        fitted = np.array([clip.fitted for clip in clips])
        heard = _folds([clip.speaker for clip in clips], fitted, "speakers", store)
        seen = _folds([clip.face for clip in clips], fitted, "faces", store)
        found = np.full(shares.shape, np.log(_LEAST / 10))
        for voice, face in sorted(set(zip(heard.tolist(), seen.tolist(), strict=True))):
            asked = np.flatnonzero((heard == voice) & (seen == face))
            others = np.flatnonzero((heard != voice) & (seen != face) & fitted)
            if not len(others):
                raise EmollamaError(
                    f"evidence.features: {store}: leaves no clip of other people to judge "
                    f"'{clips[asked[0]].id}' by: all have a speaker or a face of its folds"
                )
            rows, columns = np.nonzero(shares[others] >= _LEAST)
            if len(set(columns.tolist())) < 2:
                raise EmollamaError(
                    f"evidence.features: {store}: the rules see only one label in these clips"
                )
            model = LogisticRegression(C=STRENGTH, max_iter=1000)
            model.fit(features[others][rows], columns, sample_weight=shares[others][rows, columns])
            found[np.ix_(asked, model.classes_)] = model.predict_log_proba(features[asked])
        return np.round(np.maximum(found, np.log(_LEAST / 10)), 4)


def _folds(people: Sequence[str], fitted: np.ndarray, kind: str, store: Path) -> np.ndarray:
    """The fold of each clip [n], all clips of a person in one; -1 for who is in none."""
    from sklearn.model_selection import GroupKFold

    groups = [person for person, use in zip(people, fitted, strict=True) if use]
    if (count := len(set(groups))) < FOLDS:
        raise EmollamaError(
            f"evidence.features: {store}: needs clips of at least {FOLDS} {kind} outside the "
            f"test split, and has {count}"
        )
    found: dict[str, int] = {}
    for fold, (_, own) in enumerate(GroupKFold(FOLDS).split(groups, groups=groups)):
        found |= dict.fromkeys((groups[i] for i in own), fold)
    return np.array([found.get(person, -1) for person in people])


def _features(ids: Sequence[str], store: Path) -> np.ndarray:
    """Standardised features [n, columns], rotated into as few columns as hold them exactly."""
    found = FeatureStore.open(store)
    if not found.encoders():
        raise EmollamaError(f"evidence.features: {store}: holds no features")
    blocks = []
    for name in found.encoders():
        reader = found.reader(name)
        tracks = [reader.get(clip) for clip in ids]
        absent = np.full(reader.width, np.nan)
        means = [absent if t is None else t.values.mean(axis=0, dtype=float) for t in tracks]
        blocks.append(np.array(means))
    raw = np.concatenate(blocks, axis=1)
    raw = raw[:, ~np.isnan(raw).all(axis=0)]
    spread = np.nanstd(raw, axis=0)
    standard = np.nan_to_num((raw - np.nanmean(raw, axis=0)) / np.where(spread > 0, spread, 1))
    if len(ids) >= standard.shape[1]:
        return standard
    left, sizes, _ = np.linalg.svd(standard, full_matrices=False)
    return np.asarray(left * sizes)
