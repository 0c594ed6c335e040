"""Class numbers of published files: a declared order a corpus, which need not be the label set's.

MERTools (github.com/zeroQiaoba/MERTools) writes classes as integers in its label files and score
arrays, in an order of its own for each corpus: MER2024/toolkit/globals.py (MER2023),
toolkit/preprocess/iemocap.py (four and six classes) and toolkit/preprocess/meld.py. The counts of
its MERBench/dataset/*/label*.npz agree with the corpora under these orders and no other.
"""

from __future__ import annotations

from emollama.base.errors import EmollamaError
from emollama.manifest.labels import LABEL_SETS, LabelSet

DEFAULT_LABELS = "mer2023"
"""The label set of a public system's file where none is named."""
CLASS_ORDERS: dict[str, tuple[str, ...]] = {
    "mer2023": ("neutral", "angry", "happy", "sad", "worried", "surprise"),
    "iemocap4": ("happy", "sad", "neutral", "angry"),
    "iemocap6": ("happy", "sad", "neutral", "angry", "excited", "frustrated"),
    "meld": ("anger", "joy", "sadness", "neutral", "disgust", "fear", "surprise"),
}
"""Name of a label set to MERTools' order of its labels."""


def class_order(labels: LabelSet) -> tuple[str, ...]:
    """Labels by class number: MERTools' order where it has the corpus, else the set's own."""
    order = CLASS_ORDERS.get(labels.name, labels.labels)
    return order if set(order) == set(labels.labels) else labels.labels


def label_of(code: float, labels: LabelSet, where: str) -> str:
    """The label of a class number.

    Raises:
        EmollamaError: beginning with `where`: no class of the set has this number.
    """
    order = class_order(labels)
    if code not in range(len(order)):
        raise EmollamaError(
            f"{where} has class {code:g}; those of '{labels.name}' are 0 to {len(order) - 1}"
        )
    return order[int(code)]


def sets_of_width(size: int) -> str:
    """The label sets of `size` labels, for a message: those with a declared order, else any."""
    fitting = [n for n, labels in LABEL_SETS.items() if len(labels.labels) == size]
    declared = [n for n in fitting if n in CLASS_ORDERS]
    return " or ".join(
        f"{name} ({', '.join(class_order(LABEL_SETS[name]))})" for name in declared or fitting
    )
