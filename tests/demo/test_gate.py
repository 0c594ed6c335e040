"""What the page takes for a web address in place of a file."""

from __future__ import annotations

import pytest

from emollama.demo.gate import is_address, names_address


@pytest.mark.parametrize(
    ("path", "address"),
    [("http://a.b/c.mp4", True), ("HTTPS://a.b/c.mp4", True), (" //a.b/c.mp4", True),
     ("/tmp/a.mp4", False), ("a//b.mp4", False), ("httpd.mp4", False), ("", False)],
)  # fmt: skip
def test_an_address_is_no_path(path: str, address: bool) -> None:
    assert is_address(path) is address
    assert names_address({"data": [1, {"path": path, "meta": None}]}) is address
