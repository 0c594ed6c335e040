"""Freed memory goes back to the system."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

GAPS = """
import sys
import psutil
from emollama.base.memory import map_large_blocks
if sys.argv[1] == "mapped":
    map_large_blocks()
bytearray(31 << 20)  # freed: glibc raises its limit
large, small = [], []
for _ in range(20):
    large.append(bytearray(16 << 20))
    small.append(bytearray(200_000))
before = psutil.Process().memory_info().rss
del large
print((before - psutil.Process().memory_info().rss) >> 20)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="a limit of glibc")
def test_large_blocks_go_back_though_small_ones_lie_between_them() -> None:
    given_back = [
        int(subprocess.run([sys.executable, "-c", GAPS, how], capture_output=True, text=True,
                           check=True).stdout)
        for how in ("mapped", "plain")
    ]  # fmt: skip
    assert given_back[0] >= 300
    assert given_back[1] < 150  # else there is nothing to mend
