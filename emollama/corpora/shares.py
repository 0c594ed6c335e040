"""Training, validation and test splits by shares, for a corpus without splits."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from emollama.base.errors import EmollamaError
from emollama.corpora.splits import stratum
from emollama.manifest.sample import Sample

NAMES = ("train", "val", "test")
SHARES = "70/15/15"
_ATTEMPTS = 30  # orders of the clips or speakers that are tried for an even spread of labels


@dataclass(frozen=True)
class Shared:
    """A split by shares.

    Attributes:
        splits: {id: "train", "val" or "test"}; clips without a label are in none.
        by: the unit kept in one split: "speaker", "group" or "clip".
        speakers_shared: number of speakers or groups if clips of one may be in several splits,
            else 0.
        unknown: number of clips without a speaker or group where others have one; these are why
            speakers are not kept apart.
    """

    splits: dict[str, str]
    by: str
    speakers_shared: int = 0
    unknown: int = 0


def parse_shares(text: str) -> tuple[int, int, int]:
    """Parse the percentages of train, val and test from "70/15/15".

    Raises:
        EmollamaError: not three whole numbers that sum to 100, or train is 0.
    """
    parts = text.split("/")
    if len(parts) != 3 or not all(p.isdecimal() for p in parts):
        raise EmollamaError(f"shares '{text}': must be TRAIN/VAL/TEST in percent, e.g. {SHARES}")
    train, val, test = map(int, parts)
    if train + val + test != 100 or train == 0:
        raise EmollamaError(f"shares '{text}': must sum to 100, with TRAIN above 0")
    return train, val, test


def split_by_shares(samples: Sequence[Sample], shares: tuple[int, int, int], seed: int) -> Shared:
    """Distribute labelled samples over the splits, by speaker or group where there are enough.

    Spans of one file stay together. The same samples and seed give the same splits, whatever the
    order of the samples; of several orders the one with the most even distribution of labels is
    taken.

    Raises:
        EmollamaError: fewer labelled files than splits.
    """
    labelled = sorted((s for s in samples if stratum(s)), key=lambda s: s.id)
    names = [name for name, share in zip(NAMES, shares, strict=True) if share]
    people = {s.group or s.speaker for s in labelled} - {None}
    unknown = sum(not (s.group or s.speaker) for s in labelled) if people else 0
    apart = not unknown and len(people) >= len(names)
    units = _units(labelled, apart)
    if len(units) < len(names):
        clips = "clip is" if len(units) == 1 else "clips are"
        raise EmollamaError(
            f"{len(units)} labelled {clips} too few to split into {', '.join(names)}"
        )
    wanted = {n: share / 100 for n, share in zip(NAMES, shares, strict=True) if share}
    strata = [Counter(map(stratum, unit)) for unit in units]
    first = [stratum(unit[0]) for unit in units]
    dealt = [_deal(units, first, wanted, f"{seed}:{i}", apart) for i in range(_ATTEMPTS)]
    chosen = min(dealt, key=lambda names: _unevenness(strata, names, wanted))
    best = {s.id: name for unit, name in zip(units, chosen, strict=True) for s in unit}
    by = "clip"
    if apart:
        by = "speaker" if all(s.group in (None, s.speaker) for s in labelled) else "group"
    return Shared(best, by, 0 if apart else len(people), unknown)


def _units(samples: Sequence[Sample], apart: bool) -> list[list[Sample]]:
    """Units of samples that stay in one split, by speaker or group, else by file."""
    units: dict[str, list[Sample]] = {}
    for sample in samples:
        person = sample.group or sample.speaker if apart else None
        units.setdefault(person or sample.video or sample.audio or sample.id, []).append(sample)
    return list(units.values())


def _deal(
    units: Sequence[list[Sample]],
    strata: Sequence[str],
    wanted: dict[str, float],
    seed: str,
    apart: bool,
) -> list[str]:
    """The split of each unit: the one that lacks most; no split is left empty."""
    order = list(range(len(units)))
    random.Random(seed).shuffle(order)
    sizes = [len(unit) for unit in units]
    # Clips come label by label, so that each label is dealt out evenly; speakers by their size.
    order.sort(key=(lambda i: -sizes[i]) if apart else strata.__getitem__)
    total = sum(sizes)
    counts = dict.fromkeys(wanted, 0)
    dealt = [""] * len(units)
    given = 0
    for i, unit in enumerate(order):
        given += sizes[unit]
        aim = total if apart else given
        names: Sequence[str] = list(wanted)
        if len(order) - i <= len(wanted):
            empty = [name for name, count in counts.items() if not count]
            names = empty if len(order) - i <= len(empty) else names
        name = max(names, key=lambda n: wanted[n] * aim - counts[n])
        counts[name] += sizes[unit]
        dealt[unit] = name
    return dealt


def _unevenness(
    strata: Sequence[Counter[str]], dealt: Sequence[str], wanted: dict[str, float]
) -> float:
    """Deviation of the counts per label and split from the label's shares."""
    found: dict[str, Counter[str]] = {name: Counter() for name in wanted}
    for labels, name in zip(strata, dealt, strict=True):
        own = found[name]
        for label, count in labels.items():
            own[label] += count
    totals = sum(found.values(), Counter())
    return sum(
        abs(found[name][label] - share * count)
        for label, count in totals.items()
        for name, share in wanted.items()
    )
