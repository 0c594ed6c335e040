"""Drawn faces: every unit moves something, in its own direction, on a face a detector finds."""

from __future__ import annotations

import numpy as np
import pytest

from emollama.media.faces import FaceDetector
from emollama.probe.cast import FACES
from emollama.probe.emotions import EMOTIONS, FACE_UNITS, UNITS
from emollama.probe.faces import FacePainter
from emollama.probe.head import draw_head
from emollama.probe.identity import make_identity


@pytest.fixture(scope="module")
def painter() -> FacePainter:
    return FacePainter(make_identity(4))


@pytest.mark.parametrize("unit", UNITS)
def test_each_unit_changes_the_face_the_more_the_stronger_it_is(
    painter: FacePainter, unit: str
) -> None:
    rest = painter.draw({}).astype(float)
    weak, strong = (np.abs(painter.draw({unit: v}) - rest).mean() for v in (0.35, 1.0))
    assert 0.02 < weak < strong


def test_units_move_the_part_of_the_face_that_is_theirs(painter: FacePainter) -> None:
    rest = painter.draw({}).astype(float)
    upper, lower = slice(0, 115), slice(115, 224)
    for unit in ("AU1", "AU2", "AU4", "AU5", "AU7"):
        change = np.abs(painter.draw({unit: 1.0}) - rest)
        assert change[upper].sum() > 20 * change[lower].sum()
    for unit in ("AU12", "AU15", "AU17", "AU20", "AU23", "AU26"):
        change = np.abs(painter.draw({unit: 1.0}) - rest)
        assert change[lower].sum() > 20 * change[upper].sum()


def test_people_differ_and_stay_themselves() -> None:
    everyone = [n for numbers in FACES.values() for n in numbers]
    assert len({make_identity(n) for n in everyone}) == len(everyone) == 72
    first, again = draw_head(make_identity(9), 0.0), draw_head(make_identity(9), 0.0)
    assert np.array_equal(np.asarray(first), np.asarray(again))


def test_the_detector_finds_the_faces() -> None:
    images = np.stack([
        FacePainter(make_identity(n)).draw(FACE_UNITS[emotion], pose=(3.0, -2.0, 3.0, 1.02))
        for n, emotion in zip(FACES["test"], EMOTIONS * 3, strict=True)
    ])  # fmt: skip
    found = FaceDetector.from_asset().detect(images)
    assert sum(face is not None for face in found) >= 17
