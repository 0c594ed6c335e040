"""The committed enrolment curves make the page's table again, and no way of enrolling harms."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from emollama.scoring.enrolment.curve import (
    ALL,
    ANY,
    NOBODY,
    TITLES,
    Curve,
    CurvePoint,
    CurveRow,
    curve_table,
    points,
    read_curve,
    write_curve,
)

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "results/people"


@pytest.mark.parametrize("curves", ["ravdess-?-enrolment.jsonl", "ravdess-llm-?-enrolment.jsonl"])
def test_the_table_of_the_page(curves: str) -> None:
    found: dict[tuple[str, int], dict[str, list[CurvePoint]]] = {}
    paths = sorted(RESULTS.glob(curves))
    assert len(paths) == 3
    for path in paths:
        for point in points(read_curve(path), resamples=2):
            systems = found.setdefault((point.case, point.clips), {})
            systems.setdefault(point.system, []).append(point)
    page = (ROOT / "docs/people.md").read_text()
    for (case, clips), systems in found.items():
        cells = [TITLES[case], str(clips or "")]
        for own in systems.values():
            gain = np.mean([p.gain for p in own])
            # The rule of any estimate: never more than 0.01 below no enrolment at all.
            assert gain > -0.01, (case, clips)
            cells += [f"{np.mean([p.uar for p in own]):.3f}"]
            cells += ["" if case == NOBODY else f"{gain:+.3f}"]
        assert f"| {' | '.join(cells)} |" in page


def test_a_curve_by_hand(tmp_path: Path) -> None:
    """Two people with two clips of each label; the enrolled clips of a draw are not scored."""
    curve = Curve(
        labels=("sad", "happy"),
        ids=tuple("abcdefgh"),
        truth=(0, 0, 1, 1, 0, 0, 1, 1),
        people=("x",) * 4 + ("y",) * 4,
        rows=(
            CurveRow("it", NOBODY, 0, 0, (0, 1, 0, 1, 0, 0, 0, 0)),
            CurveRow("it", ANY, 1, 0, (-1, 0, 1, 1, -1, 0, 0, 0)),
            CurveRow("it", ANY, 1, 1, (0, 0, -1, 1, 0, 0, -1, 1)),
            CurveRow("it", ALL, 0, 0, (0, 0, 1, 1, 0, 0, 1, 1)),
        ),
        about={"corpus": "made"},
    )
    write_curve(curve, tmp_path / "curve.jsonl")
    assert read_curve(tmp_path / "curve.jsonl") == curve
    nobody, some, every = points(curve, resamples=20)
    assert nobody.uar == pytest.approx((3 / 4 + 1 / 4) / 2) and nobody.gain == 0
    # Draw 0: sad 2/2, happy 2/4 (before: 1/2, 1/4); draw 1: sad 4/4, happy 2/2 (3/4, 1/2).
    assert some.uar == pytest.approx((0.75 + 1.0) / 2)
    assert some.gain == pytest.approx((0.75 - 0.375 + 1.0 - 0.625) / 2)
    assert (every.uar, every.draws, some.draws) == (1.0, 1, 2)
    assert some.low <= some.uar <= some.high
    rows = curve_table([nobody, some, every], curve.about).rows
    assert rows[1][:2] == ("any clips", "1") and rows[1][2].endswith("(+0.375)")
