"""Stage `peak`: the frame in which the most frequent signs are strongest together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from emollama.merr.build import Build, Counts, Item
from emollama.merr.emotion import EMOTION, face_rules
from emollama.merr.fill import Plan, each, fill
from emollama.merr.measure.names import EXPRESSION_PREFIX
from emollama.merr.measure.tools import CLIPS, UNITS
from emollama.merr.norms import Norms, person_seen, read_norms
from emollama.merr.rules import Rules
from emollama.merr.stagefile import Row

PEAK = "peak"
MOST_SIGNS = 5
_NEUTRAL = EXPRESSION_PREFIX + "neutral"


def frequent(frames: Sequence[Sequence[str]], most: int = MOST_SIGNS) -> tuple[str, ...]:
    """The signs that are present in most frames; ties are broken by name."""
    counts = Counter(sign for present in frames for sign in present)
    return tuple(sorted(counts, key=lambda s: (-counts[s], s))[:most])


def find_peak(
    frames: Sequence[Mapping[str, float]], rules: Rules, signs: Sequence[str] = ()
) -> tuple[int, tuple[str, ...], float]:
    """(place, signs it was chosen by, their summed intensity) of the peak among frames.

    The signs are those given, else the most frequent of the units in rules (a blink is not a peak),
    or all of these if none occurs. An intensity below the norm counts as 0. The first of equal
    frames is the peak.
    """
    chosen = tuple(signs)
    if chosen:
        sums = [sum(frame[sign] for sign in chosen) for frame in frames]
    else:
        ruled = {unit for units in rules.table.emotions.values() for unit in units}
        present = [[sign for sign in rules.present(frame) if sign in ruled] for frame in frames]
        chosen = frequent(present) or tuple(sign for sign in frames[0] if sign in ruled)
        sums = [sum(max(frame[sign], 0.0) for sign in chosen) for frame in frames]
    place = max(range(len(frames)), key=lambda i: (sums[i], -i))
    return place, chosen, sums[place]


def run_peak(build: Build) -> Counts:
    """Number, time and signs of each clip's peak frame."""
    norms, rules = read_norms(build.stages), face_rules(build.settings)
    options = [norms.fingerprint, rules.fingerprint]

    def find(item: Item) -> Row:
        return peak_row(item, norms, rules)

    return fill(
        build, Plan(PEAK, (UNITS, EMOTION, CLIPS), 3, options, (UNITS, EMOTION)), each(find)
    )


def peak_row(item: Item, norms: Norms, rules: Rules) -> Row:
    """The row of one clip; a frame without a face is never the peak.

    With expressions, it is the frame that shows the clip's expression most strongly, or any other
    expression in a neutral clip.
    """
    units, emotion = item.rows[UNITS], item.rows[EMOTION]
    person = person_seen(item.rows[CLIPS])
    places = [i for i, found in enumerate(units["found"]) if found]
    frames = [
        norms.face(
            dict(zip(units["signs"], units["values"][i], strict=True)), rules.relative, person
        )
        for i in places
    ]
    shown = [s for s in emotion["signs"] if s.startswith(EXPRESSION_PREFIX)]
    by_expression = bool(shown)
    if shown == [_NEUTRAL]:
        shown = [s for s in frames[0] if s != _NEUTRAL]
    best, by, score = find_peak(frames, rules, shown)
    present = emotion["signs"] if by_expression else rules.present(frames[best])
    place = places[best]
    return {
        "status": "ok",
        "frame": units["frames"][place],
        "time": units["times"][place],
        "by": list(by),
        "sum": round(score, 3),
        "signs": {s: round(frames[best][s], 3) for s in present},
    }
