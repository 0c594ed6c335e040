"""Where a run reports to: names of transformers' integrations, offline unless the user says so."""

from __future__ import annotations

import os
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from transformers.integrations.integration_utils import INTEGRATION_TO_CALLBACK

from emollama.base.errors import EmollamaError, require_known

_PACKAGES = {"azure_ml": "azureml", "flyte": "flytekit"}
"""Packages that have another name than the integration."""


def require_monitors(names: Sequence[str]) -> None:
    """Raise an error for a name that is unknown, or whose package is not installed."""
    for name in names:
        require_known("training.report_to", name, INTEGRATION_TO_CALLBACK)
        if find_spec(_PACKAGES.get(name, name)) is None:
            raise EmollamaError(
                f"training.report_to: the package of '{name}' is not installed: pip install "
                f"{_PACKAGES.get(name, name)}, or leave it out"
            )


def stay_here(output: Path) -> None:
    """Have the monitors that can be told so write below `output` and send nothing.

    The user's environment wins.
    """
    folder = output.absolute()
    for name, value in (
        ("WANDB_MODE", "offline"),
        ("WANDB_DIR", folder),
        ("WANDB_PROJECT", "emollama"),
        ("TRACKIO_DIR", folder / "trackio"),
        ("MLFLOW_TRACKING_URI", f"sqlite:///{folder / 'mlflow.db'}"),
        ("COMET_START_ONLINE", "0"),
        ("SWANLAB_MODE", "local"),
    ):
        os.environ.setdefault(name, str(value))
