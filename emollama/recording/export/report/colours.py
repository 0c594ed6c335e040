"""The colour of each label."""

from __future__ import annotations

from collections.abc import Sequence

from emollama.base.colours import EXPRESSION_COLOURS
from emollama.manifest.labels import label_set

_FURTHER = (
    "#999933", "#882255", "#44AA99", "#332288", "#AA4466", "#117733", "#88AACC", "#8C6D31",
)  # fmt: skip
"""Of labels that are no basic expression, in their order; after Paul Tol's muted scheme."""


def label_colours(labels: Sequence[str]) -> dict[str, str]:
    """Colours by label: a basic emotion has its expression's, whatever the word ("anger")."""
    basic = label_set("expressions", *EXPRESSION_COLOURS)
    found: dict[str, str] = {}
    for label in labels:
        colour = EXPRESSION_COLOURS.get(basic.canonical(label) or "")
        if colour is not None and colour not in found.values():
            found[label] = colour
    rest = [label for label in labels if label not in found]
    found |= {label: _FURTHER[i % len(_FURTHER)] for i, label in enumerate(rest)}
    return {label: found[label] for label in labels}
