from __future__ import annotations

from tests.llm.conftest import built, llm  # noqa: F401
