"""Twins among samples: pairs of clips that are the same but for one cue."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from emollama.base.errors import EmollamaError
from emollama.manifest.sample import Sample

Unit = tuple[Sample, ...]
"""Samples that are drawn together."""


def pair_name(sample: Sample) -> str | None:
    """The name of a sample's pair; None where it is no twin."""
    pair = sample.truth.get("pair")
    return None if pair is None else str(pair)


def twins_of(samples: Iterable[Sample]) -> list[Unit]:
    """The pairs of which both clips are among the samples.

    Raises:
        EmollamaError: a pair has more than two clips.
    """
    by_pair: defaultdict[str, list[Sample]] = defaultdict(list)
    for sample in samples:
        if (name := pair_name(sample)) is not None:
            by_pair[name].append(sample)
    for name, clips in by_pair.items():
        if len(clips) > 2:
            ids = ", ".join(sample.id for sample in clips[:4])
            raise EmollamaError(f"pair '{name}' has {len(clips)} clips; it is of two: {ids}")
    return [tuple(clips) for clips in by_pair.values() if len(clips) == 2]


def in_twos(samples: Sequence[Sample], corpora: Sequence[str]) -> list[Unit]:
    """All samples in pairs: twins with each other, the others with the next of their corpus.

    A last one without a partner gets the first of its corpus.
    """
    pairs = twins_of(samples)
    taken = {sample.id for pair in pairs for sample in pair}
    others: defaultdict[str, list[Sample]] = defaultdict(list)
    for sample, corpus in zip(samples, corpora, strict=True):
        if sample.id not in taken:
            others[corpus].append(sample)
    for alone in others.values():
        if len(alone) % 2:
            alone.append(alone[0])
        pairs += zip(alone[::2], alone[1::2], strict=True)
    return pairs
