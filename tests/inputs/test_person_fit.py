"""A prior fitted to corpora of which some lack a channel."""

from __future__ import annotations

import numpy as np

from emollama.inputs.person import ClipMoments, PersonPrior
from emollama.inputs.person_fit import fit_person_prior

LABELS = ("neutral", "happy", "sad")
WIDTHS = {"voice": 3, "face": 2}
PARTS = ("mean", "deviation", "within", "noise", "habit", "spread")


def clips_of(people: int, faces: bool, seed: int) -> list[tuple[ClipMoments, str, str]]:
    """Twelve clips each of some people, with or without a face."""
    draw = np.random.default_rng(seed)
    centres = np.random.default_rng(0).normal(size=(len(LABELS), 5))
    found = []
    for person in range(people):
        offset = draw.normal(scale=2, size=5)
        for clip in range(12):
            label = clip % len(LABELS)
            mean = offset + centres[label] + draw.normal(scale=0.5, size=5)
            variance = np.full(5, 0.1)
            if not faces:
                mean[3:] = variance[3:] = np.nan
            found.append((ClipMoments(mean, variance), f"{seed}-{person}", LABELS[label]))
    return found


def fitted(clips: list[tuple[ClipMoments, str, str]]) -> PersonPrior:
    return fit_person_prior(
        WIDTHS, [c for c, _, _ in clips], [p for _, p, _ in clips], [e for _, _, e in clips], LABELS
    )


def test_people_without_a_channel_say_nothing_of_it() -> None:
    seen, unseen = clips_of(6, faces=True, seed=1), clips_of(30, faces=False, seed=2)
    few, many = fitted(seen), fitted([*seen, *unseen])
    for name in PARTS:
        assert np.allclose(getattr(few, name)[3:], getattr(many, name)[3:]), name
    assert np.allclose(few.classes[:, 3:], many.classes[:, 3:])
    assert not np.allclose(few.spread[:3], many.spread[:3])
