"""What train.py and eval_emotion.py do: `--cfg-path FILE --options a=b c=d`."""

from __future__ import annotations

import argparse

from emollama.base.errors import one_line_errors
from emollama.base.presets import find_preset
from emollama.base.processors import settle_threads
from emollama.cli.evaluate import run_evaluation
from emollama.cli.train import run_training


@one_line_errors
def train_main() -> None:
    """Entry point of train.py."""
    settle_threads()
    arguments = _parser("Train a language model or a fusion model.").parse_args()
    run_training(find_preset("train", arguments.cfg_path), arguments.options)


@one_line_errors
def evaluate_main() -> None:
    """Entry point of eval_emotion.py."""
    settle_threads()
    parser = _parser("Evaluate a trained model: predictions, metrics, figures and a report.")
    parser.add_argument("--dataset", help="which of the configuration's evaluation_datasets")
    parser.add_argument(
        "--n-samples", type=int, help="evaluate only this many samples, for a quick look"
    )
    arguments = parser.parse_args()
    path = find_preset("evaluate", arguments.cfg_path)
    run_evaluation(path, arguments.options, arguments.dataset, arguments.n_samples)


def _parser(description: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument(
        "--cfg-path", required=True, metavar="CONFIG",
        help="YAML file, or the name of a preset, e.g. quickstart",
    )  # fmt: skip
    parser.add_argument(
        "--options", nargs="+", action="extend", default=[], metavar="a.b=c",
        help="values that replace those in CONFIG (default: none)",
    )  # fmt: skip
    return parser
