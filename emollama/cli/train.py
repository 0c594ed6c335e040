"""`emollama train`: tune a language model or train a fusion model."""

from __future__ import annotations

from pathlib import Path

from emollama.cli.grammar import Config, OldConfig, OldOptions, Overrides, configuration


def train(
    config: Config = None,
    overrides: Overrides = None,
    cfg_path: OldConfig = None,
    options: OldOptions = None,
) -> None:
    """Train a language model or a fusion model.

    A CONFIG with a section `model` trains a language model, one with `fusion` a fusion model.

    For several processes: torchrun --nproc_per_node N -m emollama train CONFIG
    """
    run_training(*configuration("train", "train", config, overrides, cfg_path, options))


def run_training(path: Path, overrides: list[str]) -> None:
    """Train the kind of model that a configuration is of."""
    from emollama.session.family import need_inputs, train

    need_inputs(path, overrides)
    train(path, overrides)
