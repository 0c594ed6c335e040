"""The commands, one file each."""

from __future__ import annotations


def main() -> None:
    """Entry point of `emollama`."""
    from emollama.cli.app import main as run

    run()
