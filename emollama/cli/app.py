"""`emollama ...`: the commands, in the order in which data flows through them."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console

import emollama.cli.corpora  # noqa: F401  the corpora's commands add themselves
from emollama.base import torchrun
from emollama.base.config import Precision
from emollama.base.errors import EmollamaError, one_line_errors
from emollama.base.processors import settle_threads
from emollama.base.quiet import quiet_libraries
from emollama.base.typer_app import run_app
from emollama.cli.bench import bench
from emollama.cli.chat import chat
from emollama.cli.data import assets_app, prepare_app
from emollama.cli.doctor import doctor
from emollama.cli.explain import explain
from emollama.cli.frames import frames_app
from emollama.cli.score import score
from emollama.cli.scripts import run_evaluation, run_training
from emollama.cli.serve import serve
from emollama.cli.show import show_answer
from emollama.cli.split import split

app = typer.Typer(
    help="From a clip of a person to an emotion and the reasons for it.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(assets_app, name="assets")
app.add_typer(prepare_app, name="prepare")
app.command("split")(split)

ModelOption = Annotated[Path, typer.Option("--model", help="Artefact that train.py wrote.")]
ConfigOption = Annotated[Path, typer.Option("--cfg-path", help="YAML configuration.")]


@app.command()
def synth(
    out: Annotated[Path, typer.Option(help="Folder of the corpus.")],
    clips: Annotated[int, typer.Option(help="How many clips.")] = 600,
    seed: Annotated[int, typer.Option(help="Seed of everything random.")] = 7,
    workers: Annotated[int, typer.Option(help="Processes; 0 for one a core.")] = 0,
    seconds: Annotated[
        int,
        typer.Option(help="Videos of this length with valence and arousal of every frame."),
    ] = 0,
    sheet: Annotated[Path | None, typer.Option(help="PNG of one row of faces an emotion.")] = None,
) -> None:
    """Make the probe corpus: drawn talking faces whose channels may disagree."""
    from emollama.probe import contact_sheet, synthesize

    if seconds and sheet is not None:
        raise EmollamaError("--sheet shows clips of one emotion; it does not go with --seconds")
    started = time.monotonic()
    manifest = synthesize(out, clips, seed, workers, seconds=seconds)
    rate = clips / (time.monotonic() - started)
    print(f"{manifest.path}: {len(manifest.samples)} clips, {rate:.1f} clips/s")
    if sheet is not None:
        contact_sheet(manifest, sheet)
        print(f"pictures in {sheet}")


app.command()(doctor)


@app.command()
def extract(
    manifest: Path,
    store: Annotated[Path, typer.Option(help="Feature store to write.")],
    encoders: Annotated[
        list[str],
        typer.Option(metavar="NAME[,NAME...]", help="Encoders, by comma or one an option."),
    ] = ["whisper-tiny.en+layer=2+segments=8,prosody,expression,smollm2-135m-instruct"],  # noqa: B006
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
    quiet_libraries()
    from functools import partial

    from emollama.encoders.compute import Compute
    from emollama.encoders.table import parse_encoder
    from emollama.features.extract import extract as run
    from emollama.features.failures import failure_table
    from emollama.features.npy_export import check_names, export_npy
    from emollama.manifest.sample import read_manifest
    from emollama.workers.progress import bar

    if batch_size < 1 or shard_size < 1 or workers < 0:
        raise EmollamaError("--batch-size and --shard-size must be at least 1, --workers 0 or more")
    compute = Compute(device, dtype)
    compute.torch_dtype()  # what is wrong with them is said before anything is read
    compute.torch_device()
    build = partial(parse_encoder, compute=compute)
    chosen = [build(spec) for spec in ",".join(encoders).split(",")]
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
    if torchrun.rank() != 0:
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
    """Tune an EmotionLlama, or train a fusion model (the same as train.py)."""
    run_training(cfg_path, options or [])


@app.command()
def evaluate(
    cfg_path: ConfigOption,
    options: Annotated[list[str] | None, typer.Option(help="Overrides, a.b=c.")] = None,
    dataset: Annotated[str | None, typer.Option(help="Which of the evaluation_datasets.")] = None,
    n_samples: Annotated[
        int | None, typer.Option(help="A quick look at so many samples.", min=1)
    ] = None,
) -> None:
    """Evaluate an artefact (the same as eval_emotion.py)."""
    run_evaluation(cfg_path, options or [], dataset, n_samples)


app.command()(score)
app.command()(bench)
app.add_typer(frames_app, name="frames")


@app.command()
def splits(
    reports: Annotated[list[Path], typer.Argument(help="report.json of each split.")],
) -> None:
    """Several splits side by side, with the mean over them, in Markdown."""
    from emollama.base.files import read_json
    from emollama.scoring.report.tables import splits_table, table_markdown

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
    transcribe: Annotated[
        bool, typer.Option(help="Without --text, go by what Whisper hears (English).")
    ] = True,
    start: Annotated[float | None, typer.Option(help="Seconds.")] = None,
    end: Annotated[float | None, typer.Option(help="Seconds.")] = None,
    dtype: Annotated[Precision, typer.Option(help="Of the language model.")] = "auto",
) -> None:
    """From raw files to label probabilities and a reason that cites measured clues."""
    quiet_libraries()
    from emollama.session import open_session

    session = open_session(model, dtype, describe=False)
    failed = 0
    for clip in clips:
        try:
            look = session.look(clip, text, start, end, transcribe)
            answer = session.answer(look, explain)
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
            show_answer(clip, answer)
    if failed:
        raise EmollamaError(f"{failed} of {len(clips)} clips could not be answered")


app.command()(chat)
app.command("explain")(explain)
app.command()(serve)


@app.command()
def export(
    model: ModelOption,
    out: Annotated[Path, typer.Option(help="Folder to write.")],
    merge: Annotated[bool, typer.Option("--merge", help="What is done in any case.")] = True,
) -> None:
    """Fold the adapter into the weights: a transformers folder that needs no other files."""
    del merge
    quiet_libraries()
    from emollama.llm import artefact

    artefact.merge(model, out)
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
    quiet_libraries()
    from emollama.llm.released import emotion_llama_v1 as v1
    from emollama.llm.released.import_checkpoint import import_checkpoint as run
    from emollama.manifest.labels import get_label_set

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
    quiet_libraries()
    from emollama.encoders.import_eva import convert_eva

    for line in convert_eva(checkpoint, out).lines():
        print(line)
    print(f"weights in {out}; put them in place with: emollama assets link eva-vit-g {out}")


@app.command()
def compare(
    first: Path,
    second: Path,
    manifest: Annotated[Path, typer.Option(help="Samples to ask both about.")],
    store: Annotated[Path | None, typer.Option(help="Feature store.")] = None,
    split: Annotated[str, typer.Option(help="Split of the manifest.")] = "test",
    count: Annotated[int, typer.Option(help="Samples compared.", min=1)] = 8,
    dtype: Annotated[Precision, typer.Option(help="Of the language models.")] = "float32",
) -> None:
    """Prove that two artefacts give the same logits, or say by how much they differ."""
    quiet_libraries()
    from emollama.base.device import default_device, resolve_dtype
    from emollama.evaluation.compare import compare as run

    precision = resolve_dtype(dtype, default_device())
    found = run(first, second, manifest, store, split=split, count=count, dtype=precision)
    for line in found.lines():
        print(line)
    if not found.same:
        raise typer.Exit(1)


@app.command()
def plan(
    cfg_path: ConfigOption,
    options: Annotated[list[str] | None, typer.Option(help="Overrides, a.b=c.")] = None,
    gpus: Annotated[int, typer.Option(help="GPUs that share a step.", min=1)] = 1,
    memory: Annotated[
        float | None,
        typer.Option(help="GB of one GPU; that of this machine's by default.", min=0.1),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Say what tuning a language model will cost, before it is started."""
    quiet_libraries()
    from emollama.llm.training.plan_tables import print_plan
    from emollama.session.family import kind_of_training

    found = kind_of_training(cfg_path).plan(cfg_path, options or [], gpus)
    if as_json:
        print(json.dumps(found.to_dict(), indent=2))
    else:
        print_plan(found, memory)


@app.command()
def quickstart(
    options: Annotated[list[str] | None, typer.Option(help="Overrides for train.py.")] = None,
) -> None:
    """The whole way with the embedded default: corpus, features, tuning, report, one clip."""
    from emollama.cli.quickstart import quickstart as run

    run(options or [])


@one_line_errors
def main() -> None:
    """Entry point of `emollama`."""
    settle_threads()
    run_app(app)
