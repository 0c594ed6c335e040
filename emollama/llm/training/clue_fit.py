"""Fitting clue heads: which clues a clip shows, from what is known of the training clips.

In training the prompt of a reason holds the clues that are known to be in the clip, so the language
model learns to name what the prompt names. When it is asked, the heads fill in: how much is named
that is not there is a matter of their threshold alone, which can be chosen without training again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold

from emollama.base.errors import EmollamaError
from emollama.features.tracks import TrackReader
from emollama.inputs.enrolment import Enrolment, Known
from emollama.llm.clues import ClueWords
from emollama.llm.configuration import StreamConfig
from emollama.llm.evidence import fit_clues
from emollama.llm.heads.clue_heads import ClueHeads
from emollama.llm.heads.head import Head, Weights, drawn_means, draws_of, fitted, streams_of
from emollama.llm.training.config import TrainConfig
from emollama.llm.training.methods.phrases import affirmed, clues_named
from emollama.llm.training.probe import FOLDS, groups_of
from emollama.manifest.channels import Channel
from emollama.manifest.sample import Sample
from emollama.probe.vocabulary import (
    PHRASES,
    channel_of,
    face_clues,
    rendered_clues,
    without_article,
)

FEWEST = 8
"""Clips with a clue, and without, for it to be learned."""
STRENGTHS = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3)
"""C of the regressions of a channel: the one with the best held-out likelihood is taken."""

_IDS: dict[Channel, str] = {"voice": "voice_id", "face": "face_id", "words": "sentence_id"}
"""Keys of `Sample.truth`: one voice may stand with many faces, so a channel has its own groups."""

Words = dict[str, dict[str, str]]
"""Known clues in words, by sample id and channel."""


@dataclass(frozen=True)
class _Known:
    """The training clips of a channel whose clues are known.

    Attributes:
        rows: means [draws * n, D] of their tracks, of all clips once for each draw.
        shown: bool [n, K], whether a clip shows each clue.
        folds: (fitted on, held out) indices of the first draw.
    """

    rows: np.ndarray
    shown: np.ndarray
    folds: Sequence[tuple[np.ndarray, np.ndarray]]


def training_clues(
    config: TrainConfig,
    streams: Sequence[StreamConfig],
    readers: Mapping[str, TrackReader],
    samples: Sequence[Sample],
    people: Enrolment | None = None,
) -> tuple[ClueWords, Words]:
    """A run's rules and clue heads, and the known clues of its training clips in words.

    `people`: of the samples, where a stream is measured against them.
    """
    clues = fit_clues(readers, samples, config.tasks.reason.voice_rules)
    if not config.model.clue_heads:
        return clues, {}
    draws = draws_of(people, config.seed)
    heads = fit_clue_heads(streams, readers, samples, config.model.clue_heads, draws)
    return replace(clues, heads=heads), {s.id: known_words(s, heads.heads) for s in samples}


def fit_clue_heads(
    streams: Sequence[StreamConfig],
    readers: Mapping[str, TrackReader],
    samples: Sequence[Sample],
    threshold: float,
    draws: Sequence[Known | None] = (None,),
) -> ClueHeads:
    """The clue heads of the channels that have streams, and whose clues are known often enough.

    The others keep their rules.

    Args:
        streams: of the model.
        readers: their tracks.
        samples: training clips.
        threshold: probability from which a clue is named.
        draws: what the people of the clips are known by, each time that a clip is seen.

    Raises:
        EmollamaError: too few clips have known clues of any channel.
    """
    found: dict[Channel, Head] = {}
    names: dict[Channel, tuple[str, ...]] = {}
    known_clues = {s.id: clues_known(s) for s in samples}
    for channel, widths in streams_of(streams).items():
        clues = [c for c in PHRASES if channel_of(c) == channel]
        known = _known(channel, clues, widths, readers, samples, known_clues, draws)
        if known is None:
            continue
        kept = [k for k in range(len(clues)) if _often_enough(known.shown[:, k])]
        if len(kept) < 2:
            continue
        names[channel] = tuple(_words(clues[k]) for k in kept)
        shown = known.shown[:, kept]
        strength = _strength(widths, known, shown)
        # A clip that is seen again is no new one: C counts losses.
        repeated = np.tile(shown, (len(draws), 1))
        found[channel] = _fit(widths, known.rows, repeated, strength / len(draws))
    if not found:
        raise EmollamaError(
            f"model.clue_heads needs a channel with streams and two clues of it that {FEWEST} "
            f"training samples have and {FEWEST} have not; their reasons and truth name too few"
        )
    return ClueHeads(threshold, found, names)


def clues_known(sample: Sample) -> tuple[str, ...]:
    """The clues of a training sample, units from the strongest on: what was rendered, else what its
    reference reason names.
    """
    if "face_units" in sample.truth:
        units, clues = face_clues(sample.truth["face_units"]), rendered_clues(sample.truth)
        return (*units, *(c for c in PHRASES if c in clues and c not in units))
    named = clues_named(affirmed(sample.targets.reason or ""))
    return tuple(c for c in PHRASES if c in named)


def known_words(sample: Sample, channels: Iterable[str]) -> dict[str, str]:
    """The known clues of a training sample, as they stand in a prompt, by channel.

    Of a sample whose clues are known a channel that shows none has "": what its head finds there is
    not so. {} where nothing is known.
    """
    clues = clues_known(sample)
    found = {
        channel: ", ".join(_words(clue) for clue in clues if channel_of(clue) == channel)
        for channel in channels
    }
    return found if clues else {}


def _words(clue: str) -> str:
    """A clue as it stands in a prompt: "high pitch", but "an accusation"."""
    phrase = PHRASES[clue]
    return phrase if channel_of(clue) == "words" else without_article(phrase)


def _often_enough(shown: np.ndarray) -> bool:
    return bool(min(shown.sum(), (~shown).sum()) >= FEWEST)


def _known(
    channel: Channel,
    clues: Sequence[str],
    widths: Mapping[str, int],
    readers: Mapping[str, TrackReader],
    samples: Sequence[Sample],
    known_clues: Mapping[str, Sequence[str]],
    draws: Sequence[Known | None],
) -> _Known | None:
    """The clips of a channel whose clues are known; None if they are too few."""
    described = [sample for sample in samples if known_clues[sample.id]]
    seen = [(s, x) for s, x in drawn_means(widths, readers, described, draws) if x is not None]
    kept = [sample for sample, _ in seen[: len(seen) // len(draws)]]
    if len(kept) < 2 * FEWEST:
        return None
    shown = np.array([[c in known_clues[sample.id] for c in clues] for sample in kept])
    own_id = _IDS[channel]
    groups = [
        str(s.truth.get(own_id, group)) for s, group in zip(kept, groups_of(kept), strict=True)
    ]
    if len(set(groups)) < FOLDS:
        groups = [s.id for s in kept]
    rows = np.stack([x for _, x in seen])
    return _Known(rows, shown, list(GroupKFold(FOLDS).split(kept, groups=groups)))


def _strength(widths: Mapping[str, int], known: _Known, shown: np.ndarray) -> float:
    """The best of `STRENGTHS` for regressions of clues [n, K]."""
    losses = []
    for strength in STRENGTHS:
        logits = np.zeros(shown.shape)
        for fit, rest in known.folds:
            head = _fit(widths, known.rows[fit], shown[fit], strength)
            logits[rest] = head.columns(known.rows[rest]) @ head.coefficients.T + head.intercept
        losses.append(float(np.logaddexp(0, np.where(shown, -logits, logits)).mean()))
    return STRENGTHS[int(np.argmin(losses))]


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
