"""The explanation of a clip as one plain sentence."""

from __future__ import annotations

from collections import defaultdict

from emollama.explain.case import Case
from emollama.explain.occlusion import Curve

_LITTLE = 0.02  # of probability: a smaller share is not told


def plain_sentence(case: Case) -> str:
    """Which channels the answer rests on, which speak against it, and which moment counts most."""
    shares: dict[str, float] = defaultdict(float)
    for modality, share in case.answered.probability.items():
        shares[case.channels[modality]] += share
    ranked = sorted(shares, key=lambda c: -shares[c])
    told = f"The answer is {case.answered.label} ({100 * case.answered.full:.0f} %)"
    first, *others = [c for c in ranked if shares[c] >= _LITTLE] or [""]
    against = [c for c in ranked if shares[c] <= -_LITTLE]
    if len(ranked) == 1:
        told += f" from the {ranked[0]} alone, the only channel that is read"
    elif first:
        told += f", mostly because of the {first} ({_points(shares[first])})"
        told += "".join(f", then the {c} ({_points(shares[c])})" for c in others)
    else:
        told += ", though no channel speaks for it"
    for channel in against:
        verb = "speak" if channel == "words" else "speaks"
        told += f"; the {channel} {verb} against it ({_points(shares[channel])})"
    return f"{told}; {_moment(case)}." if case.curves else f"{told}."


def _moment(case: Case) -> str:
    """The stretch whose hiding lowers the score most."""
    best: Curve | None = None
    for curve in case.curves:
        if curve.drop.max() > case.noise(curve) and (
            best is None or curve.drop.max() > best.drop.max()
        ):
            best = curve
    if best is None:
        return "no single moment counts more than any other"
    at = int(best.drop.argmax())
    points = f"{100 * best.drop[at]:.0f} points"
    if best.lane.timed:
        return f"hiding the {best.lane.channel} around {best.centres[at]:.1f} s costs it {points}"
    if best.lane.words and len(best.lane.words) == len(best.drop):
        return f'hiding the word "{best.lane.words[at].strip()}" costs it {points}'
    return f"hiding step {best.centres[at]:.0f} of the {best.lane.name} costs it {points}"


def _points(share: float) -> str:
    return f"{100 * share:+.0f} points"
