"""Words as features of the regressions."""

from __future__ import annotations

from emollama.evaluation.words import clue_features
from emollama.manifest.sample import Sample


def sample(name: str, face: str | None) -> Sample:
    return Sample(id=name, clues={"face": face} if face else {})


def test_phrases_of_the_clip_and_of_its_peak_are_told_apart() -> None:
    found = clue_features("face", [
        sample("a", "brow lowerer; at the peak lips part, jaw drop"),
        sample("b", "brow lowerer, jaw drop"),
        sample("c", "Jaw drop"),
        sample("d", None),
        sample("e", "at dawn; at the peak lips part, jaw drop"),
    ])  # fmt: skip
    assert found.present.tolist() == [True, True, True, False, True]
    assert set(found.values.ravel()) == {0.0, 1.0}
    a, b, c, d, e = found.values
    assert not d.any() and (a @ c) == 0 and (b @ c) > 0 and (a @ e) > 0
    # "brow lowerer" and its words in a and b; what only one clip holds is no column.
    assert (a @ b) == 3
    assert not clue_features("face", [sample("a", "x"), sample("b", "y")]).values.any()
