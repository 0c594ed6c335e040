"""How tests start several processes on one machine, beside other tests that do so, too."""

from __future__ import annotations

import socket
import sys


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
