"""Silences libraries, in every process, so that the terminal shows only our own lines."""

from __future__ import annotations

import logging
import os
from pathlib import Path


def quiet_libraries() -> None:
    """Progress bars and warnings of libraries would drown our own lines."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")  # of worker processes, too
    os.environ.setdefault("DS_ACCELERATOR", "cpu" if not Path("/dev/nvidia0").exists() else "cuda")
    import warnings

    import transformers

    warnings.filterwarnings("ignore", category=FutureWarning, module="transformers")
    warnings.filterwarnings("ignore", category=UserWarning, module="torch")
    warnings.filterwarnings("ignore", category=FutureWarning, module="torch")
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    for name in ("DeepSpeed", "deepspeed", "accelerate", "bitsandbytes"):
        logging.getLogger(name).setLevel(logging.ERROR)
