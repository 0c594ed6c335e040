"""`emollama prepare ...`: corpora into manifests; the published ones are in `corpora`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from emollama.base.errors import EmollamaError
from emollama.base.paths import need_file, need_folder
from emollama.cli.data import corpora, speech

app = typer.Typer(
    help="Turn a corpus on disk into a manifest.", no_args_is_help=True, add_completion=False
)
app.add_typer(corpora.app)
app.add_typer(speech.app)


@app.command("csv")
def prepare_csv(
    table: Annotated[
        Path,
        typer.Argument(
            help="Table (csv, tsv, list, JSON Lines, xlsx), subtitles or tiers; or a folder of "
            "these."
        ),
    ],
    out: Annotated[Path, typer.Option(help="Manifest to write.")],
    labels: Annotated[
        str,
        typer.Option(help="A label set's name, happy,sad,angry, a file of labels, or auto."),
    ] = "mer2023",
    column: Annotated[
        list[str] | None,
        typer.Option(
            help="FIELD=COLUMN where a column has another name or only a number; may be repeated."
        ),
    ] = None,
    map_: Annotated[
        list[str] | None,
        typer.Option(
            "--map", metavar="WORD=LABEL", help="Label that a word stands for; may be repeated."
        ),
    ] = None,
    annotators: Annotated[
        Literal["majority", "votes"],
        typer.Option(help="What several annotators give: most votes' label and votes, or these."),
    ] = "majority",
    media_root: Annotated[
        Path | None,
        typer.Option(
            help="Folder that relative paths start from, and below which names are looked for.",
            show_default="the table's",
        ),
    ] = None,
    subtitles: Annotated[
        Path | None, typer.Option(help="Folder of NAME.srt or NAME.vtt with the clips' words.")
    ] = None,
    encoding: Annotated[
        str | None, typer.Option(help="Of the text, e.g. gbk.", show_default="found out")
    ] = None,
    split: Annotated[
        str | None,
        typer.Option(
            help="fold=I/K, leave=GROUP or none.", show_default="the table's, else by shares"
        ),
    ] = None,
    shares: Annotated[
        str | None,
        typer.Option(
            help="TRAIN/VAL/TEST in percent, by speaker where known, else by clip.",
            show_default="70/15/15",
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of folds and shares.")] = 0,
) -> None:
    """Any corpus: a table of paths, texts and labels."""
    if not table.is_dir():
        need_file(table)
    from emollama.corpora import csv_table
    from emollama.corpora.tables.words import read_labels, read_map

    columns: dict[str, list[str]] = {}
    for item in column or []:
        key, separator, value = item.partition("=")
        if not separator:
            raise EmollamaError(f"--column {item}: write FIELD=COLUMN, e.g. --column label=emotion")
        columns.setdefault(key, []).append(value)
    report = csv_table.prepare_csv(
        table,
        out,
        labels=read_labels(labels),
        columns=columns,
        media_root=media_root,
        mapping=read_map(map_ or []),
        encoding=encoding,
        annotators=annotators,
        subtitles=subtitles,
        split=split,
        seed=seed,
        shares=shares,
    )
    corpora.show(report)


@app.command("folder")
def prepare_folder(
    folder: Annotated[Path, typer.Argument(help="Folder of clips, and folders below it.")],
    out: Annotated[Path, typer.Option(help="Manifest to write.")],
    labels: Annotated[str, typer.Option(help="Name of the label set.")] = "mer2023",
    subtitles: Annotated[
        Path | None, typer.Option(help="Folder of NAME.srt or NAME.vtt with the clips' words.")
    ] = None,
) -> None:
    """A folder of clips without labels, to be predicted."""
    need_folder(folder, "video, sound or picture files")
    from emollama.corpora import folder as clips
    from emollama.manifest.labels import get_label_set

    corpora.show(
        clips.prepare_folder(folder, out, labels=get_label_set(labels), subtitles=subtitles)
    )


@app.command("corrected")
def prepare_corrected(
    files: Annotated[
        list[Path],
        typer.Argument(help="recording.eaf or recording.TextGrid in the folder of its analysis."),
    ],
    out: Annotated[Path, typer.Option(help="Manifest to write.")],
) -> None:
    """Recordings that were analysed, with the labels corrected in ELAN or Praat."""
    for file in files:
        need_file(file)
    from emollama.recording import corrections

    corpora.show(corrections.prepare_corrected(files, out))


@app.command("ravdess")
def prepare_ravdess(
    root: corpora.Root,
    out: Annotated[Path, typer.Option(help="Manifest to write.")],
    split: Annotated[str, typer.Option(help="Name of the split by actor.")] = "ravdess-a",
    song: Annotated[
        bool, typer.Option(help="Use the sung clips instead of the spoken ones.")
    ] = False,
    strict: Annotated[
        bool, typer.Option(help="Make it an error if any of the 1,440 spoken clips is missing.")
    ] = False,
) -> None:
    """RAVDESS: wav, flac or mp4, names MM-CC-EE-II-SS-RR-AA; splits by actor."""
    from emollama.corpora.readers import ravdess

    report = ravdess.prepare_ravdess(root, out, split=split, song=song, strict=strict)
    for line in report.lines():
        print(line)


@app.command("nce")
def prepare_nce(
    annotations: Annotated[Path, typer.Argument(help="List of annotations.")],
    out: Annotated[Path, typer.Option(help="Manifest to write.")],
    labels: Annotated[str, typer.Option(help="Name of the label set.")] = "merr",
    media: Annotated[Path | None, typer.Option(help="Folder of <name>.mp4 or .avi.")] = None,
    transcripts: Annotated[
        Path | None, typer.Option(help="CSV with the columns name and sentence.")
    ] = None,
    reasons: Annotated[Path | None, typer.Option(help="MERR's coarse or fine json.")] = None,
    split: Annotated[str, typer.Option(help="Split that the samples belong to.")] = "train",
    validation: Annotated[
        int, typer.Option(help="Put every N-th sample into split val; 0 for none.", min=0)
    ] = 0,
) -> None:
    """MERR and MER2023 as Emotion-LLaMA lists them: name, frame count, emotion, valence."""
    need_file(annotations)
    from emollama.corpora.readers import nce_list
    from emollama.manifest.labels import get_label_set

    report = nce_list.prepare_nce(
        annotations, out, labels=get_label_set(labels), media=media, transcripts=transcripts,
        reasons=reasons, split=split, validation=validation,
    )  # fmt: skip
    for line in report.lines():
        print(line)


@app.command("npz")
def prepare_npz(
    archive: Annotated[Path, typer.Argument(help="The .npz file.")],
    out: Annotated[Path, typer.Option(help="Folder to write the <id>.npy files to.")],
) -> None:
    """Features: one .npz (ids, values, columns) into a folder of <id>.npy."""
    need_file(archive)
    from emollama.corpora.npz_tracks import import_npz

    print(f"{import_npz(archive, out)} tracks in {out}; name them as 'npy:{out}'")


@app.command("csd")
def prepare_csd(
    sequence: Annotated[Path, typer.Argument(help="The .csd file.")],
    manifest: Annotated[Path, typer.Argument(help="Manifest of the clips.")],
    store: Annotated[Path, typer.Option(help="Feature store to write to.")],
    key: Annotated[str, typer.Option(help="Name in the store, e.g. covarep.")],
    channel: Annotated[
        Literal["voice", "face", "words"], typer.Option(help="Channel that it describes.")
    ],
) -> None:
    """Features: a .csd of the CMU Multimodal SDK into a store, cut to a manifest's clips."""
    need_file(sequence)
    need_file(manifest)
    from emollama.corpora.csd_tracks import import_csd

    found = import_csd(sequence, manifest, store, key, channel)
    print(
        f"{found.tracks} tracks in {store / key}, {found.absent} clips without, "
        f"{found.not_finite} numbers that were not finite set to 0"
    )
