"""Which requests a browser sends for another site's page."""

from __future__ import annotations

import pytest

from emollama.serving.origin import of_another_site


@pytest.mark.parametrize(
    ("origin", "other"),
    [
        (None, False),  # a program, or a page that is opened by its address
        ("http://localhost:7860", False),
        ("http://LocalHost:7860", False),
        ("http://localhost:7861", True),
        ("https://elsewhere.example", True),
        ("null", True),  # a file, or a frame that is fenced in
        ("http://[broken", True),
    ],
)
def test_a_page_is_of_the_site_that_it_came_from(origin: str | None, other: bool) -> None:
    assert of_another_site(origin, "localhost:7860") is other
