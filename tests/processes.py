"""How tests start several processes on one machine, beside other tests that do so, too."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path


def torchrun(processes: int = 2) -> tuple[str, ...]:
    """The start of a command; ``--standalone`` has torchrun find a port that nobody holds."""
    launcher = (sys.executable, "-m", "torch.distributed.run")
    return (*launcher, "--standalone", "--nproc_per_node", str(processes))


def free_port() -> int:
    """A port of 127.0.0.1 that the system gives: a drawn one may be a neighbour's."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        port: int = held.getsockname()[1]
    return port


def descendants(pid: int) -> list[int]:
    """A process' children and theirs; torchrun's workers have sessions of their own."""
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        children = [int(c) for task in tasks for c in (task / "children").read_text().split()]
    except OSError:
        return []
    return children + [d for child in children for d in descendants(child)]


def kill_all(process: subprocess.Popen) -> None:
    """SIGKILL to launcher and workers, and none of them left."""
    pids = [*descendants(process.pid), process.pid]
    assert len(pids) > 2
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    process.wait()
    deadline = time.monotonic() + 60
    while alive := [p for p in pids if Path(f"/proc/{p}").exists()]:
        assert time.monotonic() < deadline, alive
        time.sleep(0.02)
