"""`emollama COMMAND`: the commands, in the order of the work."""

from __future__ import annotations

from typing import Annotated

import typer

from emollama.base.errors import one_line_errors
from emollama.base.processors import settle_threads
from emollama.base.typer_app import run_app
from emollama.base.version import __version__
from emollama.cli.lazy import Entry, lazy_group

START, DATA, TRAINING, RESULTS = "Start", "Data", "Training", "Results"
CLIPS, WEIGHTS = "Clips", "Weights"
_CLI = "emollama.cli"

COMMANDS = (
    Entry("quickstart", f"{_CLI}.quickstart:quickstart",
          "Make a corpus, extract features, train, evaluate and explain one clip.", START),
    Entry("assets", f"{_CLI}.data.assets:app", "Fetch and list pretrained weights.", DATA),
    Entry("synth", f"{_CLI}.data.synth:synth",
          "Make the probe corpus: drawn talking faces whose channels may disagree.", DATA),
    Entry("prepare", f"{_CLI}.data.prepare:app", "Turn a corpus on disk into a manifest.", DATA),
    Entry("split", f"{_CLI}.data.split:split", "Split the samples of a manifest.", DATA),
    Entry("doctor", f"{_CLI}.data.doctor:doctor",
          "Check every clip of a manifest for problems that would spoil a result.", DATA),
    Entry("extract", f"{_CLI}.data.extract:extract",
          "Run frozen encoders over a manifest and store their features.", DATA),
    Entry("annotate", "emollama.merr.cli:app",
          "Turn a folder of raw video into MERR-style instruction data.", DATA),
    Entry("plan", f"{_CLI}.plan:plan", "Estimate memory and time before a training run.",
          TRAINING),
    Entry("train", f"{_CLI}.train:train", "Train a language model or a fusion model.", TRAINING),
    Entry("evaluate", f"{_CLI}.evaluate:evaluate", "Evaluate a trained model on a split.",
          TRAINING),
    Entry("enrolment", f"{_CLI}.enrolment:enrolment",
          "Answer a split with 0 to 16 enrolled clips of each person, and print the curve.",
          TRAINING),
    Entry("calibrate", f"{_CLI}.calibrate:calibrate",
          "Calibrate a model's probabilities, and sets of labels, on validation people.",
          TRAINING),
    Entry("bench", f"{_CLI}.bench:bench",
          "Compare models and strategies over seeds and folds, in one table.", TRAINING),
    Entry("arena", f"{_CLI}.arena:arena",
          "Ask everybody's models the same questions about the same clips.", RESULTS),
    Entry("score", f"{_CLI}.score:score", "Compute metrics and reports from predictions.",
          RESULTS),
    Entry("splits", f"{_CLI}.splits:splits",
          "Show the reports of several splits side by side, with their mean.", RESULTS),
    Entry("frames", f"{_CLI}.frames:frames_app",
          "Smooth, average, draw and submit predictions over time.", RESULTS),
    Entry("compare", f"{_CLI}.compare:compare",
          "Check that two models give the same logits.", RESULTS),
    Entry("predict", f"{_CLI}.predict:predict",
          "Answer clips with label probabilities and a reason.", CLIPS),
    Entry("analyse", f"{_CLI}.analyse:analyse",
          "Find out who speaks when in a recording, with which emotion, and why.", CLIPS),
    Entry("chat", f"{_CLI}.chat:chat", "Ask about a clip in the terminal.", CLIPS),
    Entry("person", f"{_CLI}.person:app", "List, show and remove stored people.", CLIPS),
    Entry("explain", f"{_CLI}.explain:explain",
          "Explain answers by channel and over time, and check that they are faithful.", CLIPS),
    Entry("demo", "emollama.demo.cli:demo", "Open the web page for chatting about a clip.", CLIPS),
    Entry("serve", f"{_CLI}.serve:serve", "Serve a model over HTTP.", CLIPS),
    Entry("export", f"{_CLI}.weights.export:export",
          "Merge the adapter into the weights, as one transformers folder.", WEIGHTS),
    Entry("push", f"{_CLI}.weights.push:push", "Push a model to the Hugging Face hub.", WEIGHTS),
    Entry("import-checkpoint", f"{_CLI}.weights.import_checkpoint:import_checkpoint",
          "Import a released Emotion-LLaMA or MiniGPT-v2 checkpoint.", WEIGHTS),
    Entry("import-vision", f"{_CLI}.weights.import_vision:import_vision",
          "Import the weights of EVA's ViT-g (eva_vit_g.pth).", WEIGHTS),
)  # fmt: skip

app = typer.Typer(
    cls=lazy_group(COMMANDS),
    help="Recognise the emotion of a person in a clip, and explain it.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _print_version(asked: bool) -> None:
    if asked:
        print(f"emollama {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True,
                     help="Print the version and exit."),
    ] = False,
) -> None:  # fmt: skip
    del version


@one_line_errors
def main() -> None:
    """Entry point of `emollama`."""
    settle_threads()
    run_app(app)
