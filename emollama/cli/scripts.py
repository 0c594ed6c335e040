"""What train.py and eval_emotion.py do: `--cfg-path FILE --options a=b c=d`."""

from __future__ import annotations

import argparse
from pathlib import Path

from emollama.base import torchrun
from emollama.base.errors import one_line_errors
from emollama.base.processors import settle_threads
from emollama.base.quiet import quiet_libraries as quiet_libraries


def run_training(path: Path, options: list[str]) -> None:
    """Train as a configuration says: a fusion model where it has `fusion`, else an LLM."""
    quiet_libraries()
    from emollama.session.family import train

    train(path, options)


def run_evaluation(
    path: Path, options: list[str], dataset: str | None = None, n_samples: int | None = None
) -> None:
    """Evaluate as a configuration says, print the report and write it.

    `n_samples` takes the place of `data.limit`.
    """
    quiet_libraries()
    from emollama.base.config import load_config
    from emollama.evaluation.config import EvalConfig
    from emollama.evaluation.evaluate import evaluate
    from emollama.scoring.report.scoring import score_tables
    from emollama.scoring.report.tables import print_report, print_tables

    limit = [] if n_samples is None else [f"data.limit={n_samples}"]
    config = load_config(EvalConfig, path, [*options, *limit], dataset)
    found = evaluate(config)
    if torchrun.rank() != 0:
        return  # every rank has the same report
    if found.report is not None:
        print_report(found.report)
    if found.scores is not None:
        print_tables(score_tables(found.scores))
    print(f"report in {config.output}")


@one_line_errors
def train_main() -> None:
    """Entry point of train.py."""
    settle_threads()
    arguments = _parser("Tune an EmotionLlama, or train a fusion model.").parse_args()
    run_training(arguments.cfg_path, arguments.options)


@one_line_errors
def evaluate_main() -> None:
    """Entry point of eval_emotion.py."""
    settle_threads()
    parser = _parser("Evaluate an EmotionLlama or a fusion model.")
    parser.add_argument("--dataset", help="which of the configuration's evaluation_datasets")
    parser.add_argument("--n-samples", type=int, help="a quick look at so many samples")
    arguments = parser.parse_args()
    run_evaluation(arguments.cfg_path, arguments.options, arguments.dataset, arguments.n_samples)


def _parser(description: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--cfg-path", type=Path, required=True, help="YAML configuration")
    parser.add_argument(
        "--options", nargs="+", action="extend", default=[], metavar="a.b=c", help="overrides"
    )
    return parser
