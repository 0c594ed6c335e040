"""`emollama ...`: the commands, in the order in which data flows through them."""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from typer.exceptions import TyperException

from emollama.config import Precision
from emollama.errors import EXIT_CODE, EmollamaError, did_you_mean, one_line_errors

app = typer.Typer(
    help="From a clip of a person to an emotion and the reasons for it.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
assets_app = typer.Typer(help="Pretrained weights by name.", no_args_is_help=True)
prepare_app = typer.Typer(help="Turn a corpus on disk into a manifest.", no_args_is_help=True)
app.add_typer(assets_app, name="assets")
app.add_typer(prepare_app, name="prepare")

ModelOption = Annotated[Path, typer.Option("--model", help="Artefact that train.py wrote.")]
ConfigOption = Annotated[Path, typer.Option("--cfg-path", help="YAML configuration.")]


def _quiet_libraries() -> None:
    """Progress bars and warnings of libraries would drown our own lines."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    os.environ.setdefault("DS_ACCELERATOR", "cpu" if not Path("/dev/nvidia0").exists() else "cuda")
    import warnings

    import transformers

    warnings.filterwarnings("ignore", category=FutureWarning, module="transformers")
    warnings.filterwarnings("ignore", category=UserWarning, module="torch")
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    for name in ("DeepSpeed", "deepspeed", "accelerate"):
        logging.getLogger(name).setLevel(logging.ERROR)


@assets_app.command("list")
def assets_list() -> None:
    """List what there is and what is here already."""
    from emollama.assets import asset_home, list_assets
    from emollama.assets.folders import list_models

    console = Console()
    table = Table("name", "here", "licence", "what it is")
    for status in list_assets():
        table.add_row(status.name, "yes" if status.ready else "no", status.licence, status.about)
    console.print(table)
    models = Table()
    models.add_column("full-size encoder", no_wrap=True)
    models.add_column("here")
    models.add_column("model hub", overflow="fold")
    models.add_column("what it is")
    for row in list_models():
        here, hub = "yes" if row.folder else "no", row.model.hub or "on none"
        models.add_row(row.model.name, here, hub, row.model.about)
    console.print(models)
    print(f"cache: {asset_home()}")


@assets_app.command("fetch")
def assets_fetch(
    names: Annotated[list[str] | None, typer.Argument(help="Names; all when none.")] = None,
) -> None:
    """Fetch and convert assets, once; full-size encoders only by name."""
    _quiet_libraries()
    from emollama.assets import fetch, list_assets
    from emollama.assets.folders import model_folder
    from emollama.assets.models import MODELS

    small = [status.name for status in list_assets()]
    for name in names or small:
        if name not in (*small, *MODELS):
            raise EmollamaError(f"asset '{name}' is unknown{did_you_mean(name, (*small, *MODELS))}")
        get = model_folder if name in MODELS else fetch
        print(f"{name}: {get(name, progress=_say)}")


@assets_app.command("link")
def assets_link(
    name: Annotated[str, typer.Argument(help="Full-size encoder, by name.")],
    folder: Annotated[Path, typer.Argument(help="Its weights in the transformers format.")],
    convert: Annotated[
        bool, typer.Option(help="Write a safetensors copy of pytorch_model.bin.")
    ] = False,
) -> None:
    """Put the weights of a full-size encoder in place, after a look at them."""
    from emollama.assets.folders import link

    place = link(name, folder, convert)
    print(f"{name}: {place}" + (f" -> {place.readlink()}" if place.is_symlink() else ""))


@prepare_app.command("ravdess")
def prepare_ravdess(
    root: Path,
    out: Annotated[Path, typer.Option(help="Manifest to write.")],
    split: Annotated[str, typer.Option(help="Named split by actor.")] = "ravdess-a",
    song: Annotated[bool, typer.Option(help="Take the sung clips instead of speech.")] = False,
) -> None:
    """RAVDESS: wav, flac or mp4, names MM-CC-EE-II-SS-RR-AA; splits by actor."""
    from emollama.corpora import ravdess

    for line in ravdess.prepare_ravdess(root, out, split=split, song=song).lines():
        print(line)


@prepare_app.command("csv")
def prepare_csv(
    table: Path,
    out: Annotated[Path, typer.Option(help="Manifest to write.")],
    labels: Annotated[str, typer.Option(help="Label set, by name.")] = "mer2023",
    column: Annotated[
        list[str] | None, typer.Option(help="field=column, where a column has another name.")
    ] = None,
    media_root: Annotated[Path | None, typer.Option(help="Folder that paths start from.")] = None,
    split: Annotated[
        str | None, typer.Option(help="fold=I/K or leave=GROUP; the table's own when not given.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the folds.")] = 0,
) -> None:
    """Any corpus: a CSV of paths, texts and labels."""
    from emollama.corpora import csv_table
    from emollama.labels import get_label_set

    columns: dict[str, str] = {}
    for item in column or []:
        key, separator, value = item.partition("=")
        if not separator:
            raise EmollamaError(f"--column {item}: must have the form field=column")
        columns[key] = value
    report = csv_table.prepare_csv(
        table,
        out,
        labels=get_label_set(labels),
        columns=columns,
        media_root=media_root,
        split=split,
        seed=seed,
    )
    for line in report.lines():
        print(line)


@prepare_app.command("npz")
def prepare_npz(
    archive: Path,
    out: Annotated[Path, typer.Option(help="Folder of <id>.npy to write.")],
) -> None:
    """Features as one .npz (ids, values, columns) into a folder of <id>.npy."""
    from emollama.corpora.npz_tracks import import_npz

    print(f"{import_npz(archive, out)} tracks in {out}; name them as 'npy:{out}'")


@app.command()
def synth(
    out: Annotated[Path, typer.Option(help="Folder of the corpus.")],
    clips: Annotated[int, typer.Option(help="How many clips.")] = 600,
    seed: Annotated[int, typer.Option(help="Seed of everything random.")] = 7,
    workers: Annotated[int, typer.Option(help="Processes; 0 for one a core.")] = 0,
    sheet: Annotated[Path | None, typer.Option(help="PNG of one row of faces an emotion.")] = None,
) -> None:
    """Make the probe corpus: drawn talking faces whose channels may disagree."""
    from emollama.corpora.probe import contact_sheet, synthesize

    started = time.monotonic()
    manifest = synthesize(out, clips, seed, workers)
    seconds = time.monotonic() - started
    print(f"{manifest.path}: {len(manifest.samples)} clips, {clips / seconds:.1f} clips/s")
    if sheet is not None:
        contact_sheet(manifest, sheet)
        print(f"pictures in {sheet}")


@app.command()
def extract(
    manifest: Path,
    store: Annotated[Path, typer.Option(help="Feature store to write.")],
    encoders: Annotated[str, typer.Option(help="Encoders, by comma.")] = (
        "whisper-tiny.en+layer=2+segments=8,prosody,expression,smollm2-135m-instruct"
    ),
    workers: Annotated[int, typer.Option(help="Processes; 0 for one a core.")] = 0,
    batch_size: Annotated[int, typer.Option(help="Clips a process takes at a time.")] = 8,
    shard_size: Annotated[int, typer.Option(help="Ids a shard.")] = 1000,
    retry_failed: Annotated[bool, typer.Option(help="Try failed clips again.")] = False,
    strict: Annotated[bool, typer.Option(help="Exit code 2 if any clip failed.")] = False,
    device: Annotated[
        str, typer.Option(help="Of full-size encoders: auto, cpu, cuda or cuda:N.")
    ] = "auto",
    dtype: Annotated[
        str, typer.Option(help="Of full-size encoders: auto, float32, float16 or bfloat16.")
    ] = "auto",
    format: Annotated[
        Literal["store", "npy"],
        typer.Option(help="npy also writes STORE/NAME-UTT and NAME-FRA folders of <id>.npy."),
    ] = "store",
) -> None:
    """Run frozen encoders over a manifest, once; go on where an earlier run was stopped."""
    _quiet_libraries()
    from functools import partial

    from emollama.encoders.compute import Compute
    from emollama.encoders.table import parse_encoder
    from emollama.features.extract import extract as run
    from emollama.features.npy_export import check_names, export_npy
    from emollama.features.progress import bar, failure_table
    from emollama.sample import read_manifest

    if batch_size < 1 or shard_size < 1 or workers < 0:
        raise EmollamaError("--batch-size and --shard-size must be at least 1, --workers 0 or more")
    compute = Compute(device, dtype)
    compute.torch_dtype()  # what is wrong with them is said before anything is read
    compute.torch_device()
    build = partial(parse_encoder, compute=compute)
    chosen = [build(spec) for spec in encoders.split(",")]
    if format == "npy":
        check_names([encoder.key for encoder in chosen])
    corpus = read_manifest(manifest)
    with bar("clips") as advance:
        report = run(
            corpus,
            chosen,
            store,
            workers=workers or None,
            batch_size=batch_size,
            shard_size=shard_size,
            retry_failed=retry_failed,
            progress=advance,
            build=build,
        )
    if os.environ.get("RANK", "0") != "0":
        return  # every rank has the same report
    for key, counts in report.counts.items():
        facts = ", ".join(f"{n} {status}" for status, n in sorted(counts.items()))
        print(f"{key}: {facts}")
    print(f"{report.computed} clips in {report.seconds:.1f} s ({report.rate:.1f} clips/s), "
          f"{report.kept} kept from before")  # fmt: skip
    if format == "npy":
        for encoder in chosen:
            for line in export_npy(store, encoder.key, [s.id for s in corpus.samples]).lines():
                print(line)
    if report.failures:
        Console(stderr=True).print(failure_table(report))
        if strict:
            raise EmollamaError(f"{len(report.failures)} clips failed")


@app.command()
def train(
    cfg_path: ConfigOption,
    options: Annotated[list[str] | None, typer.Option(help="Overrides, a.b=c.")] = None,
) -> None:
    """Tune an EmotionLlama (the same as train.py)."""
    _train(cfg_path, options or [])


@app.command()
def evaluate(
    cfg_path: ConfigOption,
    options: Annotated[list[str] | None, typer.Option(help="Overrides, a.b=c.")] = None,
) -> None:
    """Evaluate an artefact (the same as eval_emotion.py)."""
    _evaluate(cfg_path, options or [])


@app.command()
def score(
    predictions: Path,
    out: Annotated[Path, typer.Option(help="Folder of the report.")],
    baseline: Annotated[Path | None, typer.Option(help="Predictions of the baseline.")] = None,
    metric: Annotated[str, typer.Option(help="Metric of the modality report.")] = "weighted_f1",
) -> None:
    """Make the report again from predictions files."""
    from emollama.corpora.probe.vocabulary import clues_in
    from emollama.evaluation.predictions import read_predictions
    from emollama.evaluation.report import report_from_files
    from emollama.evaluation.tables import print_report

    corpus = read_predictions(predictions).header.corpus
    report = report_from_files(
        predictions, baseline, out, metric=metric,
        clues_in=clues_in if corpus == "probe" else None,
    )  # fmt: skip
    print_report(report)


@app.command()
def splits(
    reports: Annotated[list[Path], typer.Argument(help="report.json of each split.")],
) -> None:
    """Several splits side by side, with the mean over them, in Markdown."""
    from emollama.evaluation.tables import splits_table, table_markdown
    from emollama.files import read_json

    try:
        print(table_markdown(splits_table([read_json(path) for path in reports])))
    except EmollamaError as error:
        raise EmollamaError(f"{', '.join(map(str, reports))}: {error}") from error


@app.command()
def predict(
    clips: Annotated[list[Path], typer.Argument(help="Media files.")],
    model: ModelOption,
    text: Annotated[str | None, typer.Option(help="What the person says.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a clip.")] = False,
    explain: Annotated[bool, typer.Option(help="Also write a reason.")] = True,
    start: Annotated[float | None, typer.Option(help="Seconds.")] = None,
    end: Annotated[float | None, typer.Option(help="Seconds.")] = None,
    dtype: Annotated[Precision, typer.Option(help="Of the language model.")] = "auto",
) -> None:
    """From raw files to label probabilities and a reason that cites measured clues."""
    _quiet_libraries()
    from emollama.session import Session

    session = Session.open(model, dtype)
    failed = 0
    for clip in clips:
        try:
            answer = session.answer(session.look(clip, text, start, end), explain)
        except EmollamaError as error:
            # One bad file of many is told and counted; a single one ends the command as usual.
            if len(clips) == 1:
                raise
            failed += 1
            print(f"error: {error}", file=sys.stderr)
            continue
        if as_json:
            print(json.dumps({"clip": str(clip), **answer.to_dict()}, ensure_ascii=False))
        else:
            _show(clip, answer)
    if failed:
        raise EmollamaError(f"{failed} of {len(clips)} clips could not be answered")


@app.command()
def chat(
    clip: Path,
    model: ModelOption,
    text: Annotated[str | None, typer.Option(help="What the person says.")] = None,
) -> None:
    """Ask about a clip in the terminal; an empty line ends it."""
    _quiet_libraries()
    from emollama.llm.processing import Turn
    from emollama.session import Session

    session = Session.open(model)
    look = session.look(clip, text)
    _show(clip, session.answer(look, explain=False))
    turns: list[Turn] = []
    while True:
        try:
            question = input("> ").strip()
        except EOFError:
            return
        if not question:
            return
        turns.append(Turn("user", question))
        pieces = []
        for piece in session.chat(look, turns):
            print(piece, end="", flush=True)
            pieces.append(piece)
        print()
        turns.append(Turn("assistant", "".join(pieces).strip()))


@app.command()
def export(
    model: ModelOption,
    out: Annotated[Path, typer.Option(help="Folder to write.")],
) -> None:
    """Fold the adapter into the weights: an artefact that needs no other files."""
    _quiet_libraries()
    from emollama.llm.artefact import merge

    merge(model, out)
    print(f"merged artefact in {out}")


@app.command("import-checkpoint")
def import_checkpoint(
    checkpoint: Path,
    llm: Annotated[str, typer.Option(help="Language model it was trained on: folder or asset.")],
    out: Annotated[Path, typer.Option(help="Artefact to write.")],
    layout: Annotated[str, typer.Option(help="Prompt layout.")] = "emotion-llama-v1",
    labels: Annotated[str, typer.Option(help="Label set, by name.")] = "mer2023",
    features: Annotated[
        Path | None, typer.Option(help="Folder that holds mae_340_UTT, maeV_399_UTT, HL-UTT.")
    ] = None,
) -> None:
    """Read the weights of a released Emotion-LLaMA or MiniGPT-v2 checkpoint."""
    _quiet_libraries()
    from emollama.labels import get_label_set
    from emollama.llm import emotion_llama_v1 as v1
    from emollama.llm.import_checkpoint import import_checkpoint as run

    sources = {
        name: source.replace("npy:", f"npy:{features}/") if features else source
        for name, source in v1.SOURCES.items()
    }
    report = run(checkpoint, llm, layout, get_label_set(labels), out, sources=sources)
    for line in report.lines():
        print(line)
    print(f"artefact in {out}")


@app.command("import-vision")
def import_vision(
    checkpoint: Path,
    out: Annotated[Path, typer.Option(help="Folder to write; 'assets link eva-vit-g' takes it.")],
) -> None:
    """Read the weights of EVA's ViT-g (eva_vit_g.pth), the eye of Emotion-LLaMA."""
    _quiet_libraries()
    from emollama.encoders.import_eva import convert_eva

    for line in convert_eva(checkpoint, out).lines():
        print(line)
    print(f"weights in {out}; put them in place with: emollama assets link eva-vit-g {out}")


@app.command()
def quickstart(
    options: Annotated[list[str] | None, typer.Option(help="Overrides for train.py.")] = None,
) -> None:
    """The whole way with the embedded default: corpus, features, tuning, report, one clip."""
    from emollama.quickstart import quickstart as run

    run(options or [])


def _show(clip: Path, answer: Any) -> None:
    """An answer for people: bars, clues, reason."""
    console = Console(highlight=False)
    console.print(f"[bold]{escape(clip.name)}[/bold]: [bold]{escape(answer.label)}[/bold]  "
                  f"(from {', '.join(answer.channels)})")  # fmt: skip
    for label, value in sorted(answer.scores.items(), key=lambda kv: -kv[1]):
        console.print(f"  {label:<10} {value:5.1%} {'█' * round(30 * value)}", markup=False)
    for channel, words in answer.clues.items():
        console.print(f"  measured in the {channel}: {words}", markup=False)
    if answer.reason:
        console.print(f"  {answer.reason}", markup=False)
    for note in answer.notes:
        console.print(f"  note: {note}", markup=False)


def _train(path: Path, options: list[str]) -> None:
    _quiet_libraries()
    from emollama.config import TrainConfig, load_config
    from emollama.training.sft import train as run

    run(load_config(TrainConfig, path, options))


def _evaluate(path: Path, options: list[str]) -> None:
    _quiet_libraries()
    from emollama.config import EvalConfig, load_config
    from emollama.evaluation.evaluate import evaluate as run
    from emollama.evaluation.tables import print_report

    config = load_config(EvalConfig, path, options)
    print_report(run(config))
    print(f"report in {config.output}")


def _script(run: Any, description: str) -> None:
    """`--cfg-path FILE --options a=b c=d`, the form that users of such systems type."""
    import argparse

    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--cfg-path", type=Path, required=True, help="YAML configuration")
    parser.add_argument(
        "--options", nargs="+", action="extend", default=[], metavar="a.b=c", help="overrides"
    )
    arguments = parser.parse_args()
    run(arguments.cfg_path, arguments.options)


@one_line_errors
def train_main() -> None:
    """Entry point of train.py."""
    _script(_train, "Tune an EmotionLlama.")


@one_line_errors
def evaluate_main() -> None:
    """Entry point of eval_emotion.py."""
    _script(_evaluate, "Evaluate an EmotionLlama.")


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


@one_line_errors
def main() -> None:
    """Entry point of `emollama`."""
    try:
        code = app(standalone_mode=False)
    except TyperException as error:
        message = str(getattr(error, "format_message", lambda: "")())
        if not message:
            raise SystemExit(EXIT_CODE) from None  # a command without arguments: help was printed
        raise EmollamaError(f"{message} (see --help)") from error
    except typer.Abort:
        raise KeyboardInterrupt from None
    raise SystemExit(code if isinstance(code, int) else 0)
