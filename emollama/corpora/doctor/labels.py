"""The distribution of labels over the splits, and rare labels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from emollama.corpora.doctor.findings import Finding
from emollama.corpora.doctor.limits import Limits
from emollama.corpora.report import split_order
from emollama.manifest.labels import LabelSet
from emollama.manifest.sample import Sample

NO_SPLIT = "(none)"
TRAIN = "train"

LabelCounts = dict[str, dict[str, int]]
"""{split: {label: samples}}; labels of the set that are missing in a split count 0."""


def label_counts(samples: Sequence[Sample], labels: LabelSet) -> LabelCounts:
    """Samples by split and label.

    Where samples have no emotion but intensities of several, intensities above 0 are counted: a
    clip may then count for several labels, or for none.
    """
    single = any(s.targets.emotion is not None for s in samples)
    found: dict[str, Counter[str]] = {}
    for sample in samples:
        own = found.setdefault(sample.split or NO_SPLIT, Counter())
        if single:
            shown = [sample.targets.emotion] if sample.targets.emotion is not None else []
        else:
            shown = [k for k, v in (sample.targets.emotions or {}).items() if v > 0]
        own.update(shown)
    if not any(found.values()):
        return {}
    others = sorted({name for own in found.values() for name in own} - set(labels.labels))
    names = [*labels.labels, *others]
    return {
        split: {name: found[split][name] for name in names}
        for split in sorted(found, key=split_order)
    }


def label_findings(counts: LabelCounts, limits: Limits) -> list[Finding]:
    """Labels that are tested but never trained, and labels with too few samples in a split.

    A split without any label (for prediction or unlabelled training) is not judged.
    """
    findings = []
    labelled = {split: own for split, own in counts.items() if any(own.values())}
    for label in next(iter(labelled.values()), {}):
        by_split = {split: own[label] for split, own in labelled.items()}
        if not any(by_split.values()):
            findings.append(Finding("rare label", (), f"'{label}': no samples in any split"))
            continue
        untrained = TRAIN in by_split and not by_split[TRAIN]
        if untrained:
            where = ", ".join(f"{n} in {split}" for split, n in by_split.items() if n)
            findings.append(Finding("label not in train", (), f"'{label}': 0 in train, {where}"))
        for split, n in by_split.items():
            if n < limits.min_label and not (untrained and split == TRAIN):
                told = f"'{label}': {n} in {split}, fewer than {limits.min_label}"
                findings.append(Finding("rare label", (), told))
    return findings
