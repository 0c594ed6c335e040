"""What train.py and eval_emotion.py do: `--cfg-path FILE --options a=b c=d`."""

from __future__ import annotations

import argparse
import logging
import os
from pathlib import Path

from emollama.errors import one_line_errors


def quiet_libraries() -> None:
    """Progress bars and warnings of libraries would drown our own lines."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    os.environ.setdefault("DS_ACCELERATOR", "cpu" if not Path("/dev/nvidia0").exists() else "cuda")
    import warnings

    import transformers

    warnings.filterwarnings("ignore", category=FutureWarning, module="transformers")
    warnings.filterwarnings("ignore", category=UserWarning, module="torch")
    warnings.filterwarnings("ignore", category=FutureWarning, module="torch")
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    for name in ("DeepSpeed", "deepspeed", "accelerate"):
        logging.getLogger(name).setLevel(logging.ERROR)


def run_training(path: Path, options: list[str]) -> None:
    """Train as a configuration says."""
    quiet_libraries()
    from emollama.config import TrainConfig, load_config
    from emollama.training.sft import train

    train(load_config(TrainConfig, path, options))


def run_evaluation(path: Path, options: list[str], dataset: str | None = None) -> None:
    """Evaluate as a configuration says, print the report and write it."""
    quiet_libraries()
    from emollama.config import EvalConfig, load_config
    from emollama.evaluation.evaluate import evaluate
    from emollama.evaluation.scoring import score_tables
    from emollama.evaluation.tables import print_report, print_tables

    config = load_config(EvalConfig, path, options, dataset)
    found = evaluate(config)
    if int(os.environ.get("RANK", "0")) != 0:
        return  # every rank has the same report
    if found.report is not None:
        print_report(found.report)
    if found.scores is not None:
        print_tables(score_tables(found.scores))
    print(f"report in {config.output}")


@one_line_errors
def train_main() -> None:
    """Entry point of train.py."""
    arguments = _parser("Tune an EmotionLlama.").parse_args()
    run_training(arguments.cfg_path, arguments.options)


@one_line_errors
def evaluate_main() -> None:
    """Entry point of eval_emotion.py."""
    parser = _parser("Evaluate an EmotionLlama.")
    parser.add_argument("--dataset", help="which of the configuration's evaluation_datasets")
    arguments = parser.parse_args()
    run_evaluation(arguments.cfg_path, arguments.options, arguments.dataset)


def _parser(description: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--cfg-path", type=Path, required=True, help="YAML configuration")
    parser.add_argument(
        "--options", nargs="+", action="extend", default=[], metavar="a.b=c", help="overrides"
    )
    return parser
