"""Many questions at a time."""

from __future__ import annotations

from concurrent.futures import Future

import pytest

from emollama.base.errors import EmollamaError
from emollama.endpoints.many import Row, _done


def test_answers_that_are_there_with_an_error_are_kept() -> None:
    futures: list[Future[Row]] = [Future() for _ in range(8)]
    futures[0].set_exception(EmollamaError("refuses every question"))
    for future in futures[1:]:
        future.set_result({"status": "ok"})
    found = []
    with pytest.raises(EmollamaError, match="refuses every"):
        for key, _ in _done({future: str(i) for i, future in enumerate(futures)}):
            found.append(key)
    assert sorted(found) == list("1234567")
