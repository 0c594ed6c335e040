"""How many processors this process may use, and thread settings that share them fairly.

`settle_threads` is called by every entry point, before numpy and torch are loaded, because their
thread pools read the environment once, when they are loaded. Importing emollama as a library does
not call it: the environment belongs to the program that imports it, and to the processes that
program starts.
"""

from __future__ import annotations

import math
import os
import sys
from pathlib import Path

_CGROUP = Path("/sys/fs/cgroup")
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def processor_count(shared_by: int = 1) -> int:
    """Processors that one of `shared_by` processes may use, at least 1.

    It counts the processors that this process may run on where the system says so (Linux), and all
    processors elsewhere (macOS, Windows); a container's share of processor time is a limit, too.
    """
    affinity = getattr(os, "sched_getaffinity", None)
    count = len(affinity(0)) if affinity else os.cpu_count() or 1
    share = _container_share()
    if share is not None:
        count = min(count, math.ceil(share))
    return max(1, count // shared_by)


def settle_threads() -> None:
    """Let waiting threads sleep, and start no more of them than there are processors.

    OpenMP's threads spin by default: beside any other busy process, one of two threads waits for
    its processor while the other one burns the second. Settings in the user's environment win.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("KMP_BLOCKTIME", "0")  # LLVM's and Intel's OpenMP, in milliseconds
    share = _container_share()
    if share is not None:
        # Libraries count a machine's processors and know nothing of the container's share.
        for name in _THREADS:
            os.environ.setdefault(name, str(processor_count()))


def limit_threads(count: int = 1) -> None:
    """Let this process, one of several workers, compute in `count` threads from now on."""
    from threadpoolctl import threadpool_limits

    for name in _THREADS:
        os.environ[name] = str(count)  # for what is loaded later
    if (torch := sys.modules.get("torch")) is not None:
        torch.set_num_threads(count)
    threadpool_limits(count)  # of numpy and scikit-learn


def _container_share() -> float | None:
    """Processors' worth of time that a Linux container may use; None where there is no limit."""
    try:
        quota, period = (_CGROUP / "cpu.max").read_text().split()
    except (OSError, ValueError):
        try:
            quota, period = (
                (_CGROUP / "cpu" / f"cpu.cfs_{name}_us").read_text().strip()
                for name in ("quota", "period")
            )
        except OSError:
            return None
    if not quota.isdecimal() or not period.isdecimal() or int(period) == 0:
        return None  # "max", or -1
    return int(quota) / int(period)
