"""Fitting clue heads: which clues a clip shows, from what is known of the training clips.

A regression overfits its training clips: on them it names nearly every clue rightly, on people
whom it never met much less often, and a language model that learns from the former copies too
much. So a training clip is given the clues named by a regression that was fitted without its group
(cross-fitting, as in stacked generalization: Wolpert, 1992). How strongly the regressions are
regularised is chosen on the same folds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold

from emollama.base.errors import EmollamaError
from emollama.features.tracks import TrackReader
from emollama.llm.clue_heads import ClueHeads, named
from emollama.llm.clues import ClueWords
from emollama.llm.configuration import StreamConfig
from emollama.llm.evidence import fit_clues
from emollama.llm.heads import Head, Weights, fitted, means, streams_of
from emollama.llm.training.config import TrainConfig
from emollama.llm.training.methods.phrases import clues_named
from emollama.llm.training.probe import FOLDS, groups_of
from emollama.manifest.channels import Channel
from emollama.manifest.sample import Sample
from emollama.probe.vocabulary import PHRASES, rendered_clues

FEWEST = 8
"""Clips with a clue, and without, for it to be learned."""
STRENGTHS = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3)
"""C of the regressions of a channel: the one with the best held-out likelihood is taken."""

_IDS: dict[Channel, str] = {"voice": "voice_id", "face": "face_id", "words": "sentence_id"}
"""Keys of `Sample.truth`: one voice may stand with many faces, so a channel has its own groups."""

Words = dict[str, dict[str, str]]
"""Clue words by sample id and channel."""


@dataclass(frozen=True)
class _Known:
    """The training clips of a channel whose clues are known.

    Attributes:
        samples: the clips.
        rows: means [n, D] of their tracks.
        shown: bool [n, K], whether a clip shows each clue.
        folds: (fitted on, held out) indices.
    """

    samples: Sequence[Sample]
    rows: np.ndarray
    shown: np.ndarray
    folds: Sequence[tuple[np.ndarray, np.ndarray]]


def training_clues(
    config: TrainConfig,
    streams: Sequence[StreamConfig],
    readers: Mapping[str, TrackReader],
    samples: Sequence[Sample],
) -> tuple[ClueWords, Words]:
    """A run's rules and clue heads, and the clue words of training clips that differ from them."""
    clues = fit_clues(readers, samples, config.tasks.reason.voice_rules)
    if not config.model.clue_heads:
        return clues, {}
    heads, held_out = fit_clue_heads(streams, readers, samples, config.model.clue_heads)
    return replace(clues, heads=heads), held_out


def fit_clue_heads(
    streams: Sequence[StreamConfig],
    readers: Mapping[str, TrackReader],
    samples: Sequence[Sample],
    threshold: float,
) -> tuple[ClueHeads, Words]:
    """The clue heads of all channels that have streams, and the clue words of the training clips.

    Args:
        streams: of the model.
        readers: their tracks.
        samples: training clips.
        threshold: probability from which a clue is named.

    Raises:
        EmollamaError: too few clips have known clues of a channel.
    """
    found: dict[Channel, Head] = {}
    names: dict[Channel, tuple[str, ...]] = {}
    held_out: Words = {s.id: {} for s in samples}
    for channel, widths in streams_of(streams).items():
        clues = [c for c in PHRASES if channel_of(c) == channel]
        known = _known(channel, clues, widths, readers, samples)
        kept = [k for k in range(len(clues)) if _often_enough(known.shown[:, k])]
        if len(kept) < 2:
            raise EmollamaError(
                f"model.clue_heads needs two clues of the {channel} that {FEWEST} training "
                f"samples have and {FEWEST} have not; reasons or truth tell of {len(kept)}"
            )
        names[channel] = tuple(_words(clues[k]) for k in kept)
        strength, logits = _chosen(widths, known, kept)
        found[channel] = _fit(widths, known.rows, known.shown[:, kept], strength)
        for sample, row in zip(known.samples, logits, strict=True):
            held_out[sample.id][channel] = named(names[channel], row, threshold)
    return ClueHeads(threshold, found, names), held_out


def clues_known(sample: Sample) -> frozenset[str]:
    """The clues of a training sample: what was rendered, else what its reference reason names."""
    if "face_units" in sample.truth:
        return frozenset(rendered_clues(sample.truth))
    return frozenset(clues_named(sample.targets.reason or ""))


def channel_of(clue: str) -> Channel:
    """The channel that a clue is of."""
    if clue.startswith(("AU", "face=")):
        return "face"
    return "words" if clue.startswith("words=") else "voice"


def _words(clue: str) -> str:
    """A clue as it stands in a prompt: "high pitch", but "an accusation"."""
    phrase = PHRASES[clue]
    return phrase if channel_of(clue) == "words" else phrase.removeprefix("a ").removeprefix("an ")


def _often_enough(shown: np.ndarray) -> bool:
    return bool(min(shown.sum(), (~shown).sum()) >= FEWEST)


def _known(
    channel: Channel,
    clues: Sequence[str],
    widths: Mapping[str, int],
    readers: Mapping[str, TrackReader],
    samples: Sequence[Sample],
) -> _Known:
    kept, rows, shown = [], [], []
    for sample in samples:
        own = clues_known(sample)
        row = means(widths, {name: readers[name].get(sample.id) for name in widths})
        if own and row is not None:
            kept.append(sample)
            rows.append(row)
            shown.append([c in own for c in clues])
    if len(kept) < 2 * FEWEST:
        raise EmollamaError(
            f"model.clue_heads: {len(kept)} training samples have a {channel} and known clues; "
            f"{2 * FEWEST} are needed"
        )
    x, y = np.stack(rows), np.array(shown)
    own_id = _IDS[channel]
    groups = [
        str(s.truth.get(own_id, group)) for s, group in zip(kept, groups_of(kept), strict=True)
    ]
    if len(set(groups)) < FOLDS:
        groups = [s.id for s in kept]
    return _Known(kept, x, y, list(GroupKFold(FOLDS).split(x, groups=groups)))


def _chosen(
    widths: Mapping[str, int], known: _Known, kept: Sequence[int]
) -> tuple[float, np.ndarray]:
    """The best of `STRENGTHS`, and the held-out logits [n, K] with it."""
    best: tuple[float, float, np.ndarray] | None = None
    shown = known.shown[:, kept]
    for strength in STRENGTHS:
        logits = np.zeros(shown.shape)
        for fit, rest in known.folds:
            head = _fit(widths, known.rows[fit], shown[fit], strength)
            logits[rest] = head.columns(known.rows[rest]) @ head.coefficients.T + head.intercept
        loss = float(np.logaddexp(0, np.where(shown, -logits, logits)).mean())
        if best is None or loss < best[0]:
            best = loss, strength, logits
    assert best is not None
    return best[1], best[2]


def _fit(widths: Mapping[str, int], rows: np.ndarray, shown: np.ndarray, strength: float) -> Head:
    def regression(columns: np.ndarray) -> Weights:
        coefficients = np.zeros((shown.shape[1], columns.shape[1]))
        intercept = np.zeros(shown.shape[1])
        for k, y in enumerate(shown.T):
            if len(set(y)) < 2:  # in a fold: as rare as it is
                intercept[k] = np.log((y.sum() + 0.5) / (len(y) - y.sum() + 0.5))
                continue
            found = LogisticRegression(C=strength, max_iter=1000).fit(columns, y)
            coefficients[k], intercept[k] = found.coef_[0], found.intercept_[0]
        return coefficients, intercept

    return fitted(widths, rows, regression)
