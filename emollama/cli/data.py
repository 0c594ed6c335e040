"""`emollama assets ...` and `emollama prepare ...`: weights by name, corpora into manifests."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console
from rich.table import Table

from emollama.base.errors import EmollamaError, did_you_mean
from emollama.base.quiet import quiet_libraries

assets_app = typer.Typer(help="Pretrained weights by name.", no_args_is_help=True)
prepare_app = typer.Typer(help="Turn a corpus on disk into a manifest.", no_args_is_help=True)


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
    """Fetch and convert assets, once; what the embedded default does not need, only by name."""
    quiet_libraries()
    from emollama.assets import fetch
    from emollama.assets.folders import model_folder
    from emollama.assets.models import MODELS
    from emollama.assets.registry import ASSETS

    for name in names or [a.name for a in ASSETS.values() if a.embedded]:
        if name not in (*ASSETS, *MODELS):
            raise EmollamaError(
                f"asset '{name}' is unknown{did_you_mean(name, (*ASSETS, *MODELS))}"
            )
        get = model_folder if name in MODELS else fetch
        print(f"{name}: {get(name, progress=say)}")


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
    strict: Annotated[bool, typer.Option(help="All 1,440 spoken clips must be there.")] = False,
) -> None:
    """RAVDESS: wav, flac or mp4, names MM-CC-EE-II-SS-RR-AA; splits by actor."""
    from emollama.corpora.readers import ravdess

    report = ravdess.prepare_ravdess(root, out, split=split, song=song, strict=strict)
    for line in report.lines():
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
        str | None,
        typer.Option(
            help="fold=I/K, leave=GROUP or none; when not given the table's own or, without one, "
            "by shares."
        ),
    ] = None,
    shares: Annotated[
        str | None,
        typer.Option(help="TRAIN/VAL/TEST in percent, by speaker where known, else by clip."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of folds and shares.")] = 0,
) -> None:
    """Any corpus: a CSV of paths, texts and labels."""
    from emollama.corpora import csv_table
    from emollama.manifest.labels import get_label_set

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
        shares=shares,
    )
    for line in report.lines():
        print(line)


@prepare_app.command("nce")
def prepare_nce(
    annotations: Path,
    out: Annotated[Path, typer.Option(help="Manifest to write.")],
    labels: Annotated[str, typer.Option(help="Label set, by name.")] = "merr",
    media: Annotated[Path | None, typer.Option(help="Folder of <name>.mp4 or .avi.")] = None,
    transcripts: Annotated[
        Path | None, typer.Option(help="CSV with the columns name and sentence.")
    ] = None,
    reasons: Annotated[Path | None, typer.Option(help="MERR's coarse or fine json.")] = None,
    split: Annotated[str, typer.Option(help="Which split the samples are.")] = "train",
    validation: Annotated[
        int, typer.Option(help="Every so many-th sample is of split val; 0 for none.", min=0)
    ] = 0,
) -> None:
    """MERR and MER2023 as Emotion-LLaMA lists them: name, frame count, emotion(, valence)."""
    from emollama.corpora.readers import nce_list
    from emollama.manifest.labels import get_label_set

    report = nce_list.prepare_nce(
        annotations, out, labels=get_label_set(labels), media=media, transcripts=transcripts,
        reasons=reasons, split=split, validation=validation,
    )  # fmt: skip
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


@prepare_app.command("csd")
def prepare_csd(
    sequence: Path,
    manifest: Path,
    store: Annotated[Path, typer.Option(help="Feature store to write to.")],
    key: Annotated[str, typer.Option(help="Name in the store, e.g. covarep.")],
    channel: Annotated[Literal["voice", "face", "words"], typer.Option(help="What it is of.")],
) -> None:
    """Features of the CMU Multimodal SDK (csd) into a store, cut to a manifest's clips."""
    from emollama.corpora.csd_tracks import import_csd

    found = import_csd(sequence, manifest, store, key, channel)
    print(
        f"{found.tracks} tracks in {store / key}, {found.absent} clips without, "
        f"{found.not_finite} numbers that were not finite set to 0"
    )


def say(text: str) -> None:
    """One line for people, apart from what a command prints as its result."""
    print(text, file=sys.stderr, flush=True)
