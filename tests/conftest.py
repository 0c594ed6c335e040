"""What every test needs before any library is imported."""

from __future__ import annotations

import os

# Else DeepSpeed looks for an accelerator and says so in the middle of a command's output.
os.environ.setdefault("DS_ACCELERATOR", "cpu")
