"""What every test needs before any library is imported."""

from __future__ import annotations

import os

from hypothesis import settings

from tests import warm

# Else DeepSpeed looks for an accelerator and says so in the middle of a command's output.
os.environ.setdefault("DS_ACCELERATOR", "cpu")

# The same examples on every machine: a red test is the fault of the change that it came with.
settings.register_profile("repeatable", derandomize=True, database=None, deadline=None)
settings.load_profile("repeatable")

warm.use_always()
