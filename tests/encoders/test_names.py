"""The light list of names is that of the table."""

from __future__ import annotations

import pytest

from emollama.base.errors import EmollamaError
from emollama.encoders.names import NAMES, need_encoders
from emollama.encoders.table import ENCODERS


def test_the_names_are_those_of_the_table() -> None:
    assert list(NAMES) == list(ENCODERS)


def test_an_unknown_name_is_refused() -> None:
    need_encoders(["prosody+segments=8", " expression"])
    with pytest.raises(EmollamaError, match="encoder 'prosodi' is unknown; did you mean 'prosody'"):
        need_encoders(["prosody", "prosodi+segments=8"])
