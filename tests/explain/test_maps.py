"""Maps find their axes by name, and by shape where the name says nothing."""

from __future__ import annotations

import numpy as np

from emollama.explain.maps import named_maps
from emollama.runs.subject import Steps

STEPS = {
    "voice": Steps("voice", "voice", np.array([0.1, 0.3, 0.5, 0.7])),
    "words": Steps("words", "words", np.zeros(3), ("so", "it", "is")),
}
NAMES, LABELS = ("voice", "words", "face"), ("happy", "sad")


def test_axes_are_times_words_modalities_and_labels() -> None:
    rand = np.random.default_rng(0).random
    given = {
        "layer0:words>voice": rand((3, 4)),
        "pool:voice": rand(4),
        "modalities": rand(3),
        "beta": rand((3, 5)),
        "decoder1": rand((2, 3)),
        "odd": rand((4, 3)),
        "numbers": rand((6, 7)),
        "words>face": rand((3, 1)),  # this clip has no face
        "valid": np.ones(3, bool),
        "times": np.zeros(3),
    }
    found = {m.name: m for m in named_maps(given, STEPS, NAMES, LABELS)}
    assert set(given) - set(found) == {"words>face", "valid", "times"}
    times, words = ("0.10", "0.30", "0.50", "0.70"), ("so", "it", "is")
    cross = found["layer0:words>voice"]
    assert (cross.rows.names, cross.columns.names) == (words, times)
    assert found["pool:voice"].columns.names == times
    assert found["modalities"].columns.names == NAMES == found["beta"].rows.names
    assert found["decoder1"].rows.names == LABELS
    assert (found["odd"].rows.names, found["odd"].columns.names) == (times, words)
    assert found["numbers"].columns.title == ""
    for one in found.values():
        assert one.values.shape == (len(one.rows.names), len(one.columns.names))
