"""How processor time grows with the size of the work: limits in seconds fail on a slow machine."""

from __future__ import annotations

import time
from collections.abc import Callable


def growth(work: Callable[[int], object], small: int, large: int, rounds: int = 3) -> float:
    """Processor time of `work(large)` over that of `work(small)`, the least of `rounds` each."""

    def cost(size: int) -> float:
        before = time.process_time()
        work(size)
        return time.process_time() - before

    costs = [(cost(small), cost(large)) for _ in range(rounds)]
    return min(c for _, c in costs) / min(c for c, _ in costs)
