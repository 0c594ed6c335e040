"""A language model opened in each precision that `--dtype` offers."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest

from emollama.base.precision import Precision
from emollama.session import open_session

STORED = Path(__file__).parents[1] / "compat/stored"
TOLERANCE = {"float32": 1e-6, "float16": 2e-3, "bfloat16": 2e-2, "auto": 2e-2}


@pytest.fixture(scope="module")
def expected() -> dict[str, float]:
    return scores("float32")


def scores(dtype: Precision) -> dict[str, float]:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(STORED)
        session = open_session(Path("llm-run/model"), dtype, describe=False)
        look = session.look(Path("media/clip-0.mp4"), "I am so happy")
        return dict(session.answer(look, False).scores)


@pytest.mark.parametrize("dtype", get_args(Precision))
def test_scores_are_those_of_float32_but_for_rounding(
    expected: dict[str, float], dtype: Precision
) -> None:
    assert scores(dtype) == pytest.approx(expected, abs=TOLERANCE[dtype])
