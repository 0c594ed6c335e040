"""Whether a host is this machine, and URLs as they may be shown."""

from __future__ import annotations

import ipaddress
import re


def is_loopback(host: str) -> bool:
    """Whether a name or address is that of this machine, reached by nobody else."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def without_password(url: str) -> str:
    """A URL for a message: `***` in place of a name and a password before its host."""
    return re.sub(r"(?<=//).*@", "***@", url)
