"""Sets of words of any vocabulary, and what they say in terms of a label set."""

from __future__ import annotations

from collections.abc import Sequence

from emollama.manifest.labels import LabelSet


def labels_of_words(words: Sequence[str] | None, labels: LabelSet) -> tuple[str, ...] | None:
    """The labels that the words name, synonyms included, in the set's order.

    None where no word is a label: of such a clip it is not known which labels it shows. Otherwise a
    label that no word names is taken as not shown.
    """
    named = {labels.canonical(word) for word in words or ()}
    return tuple(label for label in labels.labels if label in named) or None
