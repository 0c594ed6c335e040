"""`emollama prepare <corpus>`: one command a corpus in its released layout."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from emollama.corpora.report import PrepareReport

app = typer.Typer()

Root = Annotated[Path, typer.Argument(help="Folder of the corpus.")]
Out = Annotated[Path, typer.Option(help="Manifest to write.")]
Strict = Annotated[bool, typer.Option(help="Fail if counts differ from the published ones.")]
Media = Annotated[Path | None, typer.Option(help="Folder of films or of folders of frames.")]
OfficialFold = Annotated[int, typer.Option(help="Official fold, 1 to 5.")]
KeepBad = Annotated[bool, typer.Option(help="Keep clips that are known to be broken.")]
Transcripts = Annotated[Path | None, typer.Option(help="CSV with the columns name and sentence.")]


@app.command("meld")
def prepare_meld(
    root: Root,
    out: Out,
    dyadic: Annotated[
        bool,
        typer.Option("--dyadic", help="MELD_Dyadic: dialogues of two, <split>_sent_emo_dya.csv."),
    ] = False,
    strict: Strict = False,
    keep_bad: KeepBad = False,
) -> None:
    """MELD: <split>_sent_emo.csv and folders of clips; official splits."""
    from emollama.corpora.readers import meld

    show(meld.prepare_meld(root, out, dyadic=dyadic, strict=strict, keep_bad=keep_bad))


@app.command("iemocap")
def prepare_iemocap(
    root: Root,
    out: Out,
    classes: Annotated[int, typer.Option(help="4, or 6 with excited and frustrated.")] = 4,
    test_session: Annotated[int, typer.Option(help="Session to test on, 1 to 5.")] = 5,
    val_session: Annotated[
        int | None, typer.Option(help="Session to validate on.", show_default="none")
    ] = None,
    media: Annotated[
        Literal["audio", "video"],
        typer.Option(help="Wav of the utterance, or avi of the dialogue with start and end."),
    ] = "audio",
    undecided: Annotated[
        bool,
        typer.Option(
            "--undecided", help="Six classes: 53 without a majority count as happy (7,433)."
        ),
    ] = False,
    given: Annotated[
        Path | None,
        typer.Option(help="Npz of a label by utterance, in place of the majority in its sessions."),
    ] = None,
    strict: Strict = False,
) -> None:
    """IEMOCAP: IEMOCAP_full_release; leave one session out."""
    from emollama.corpora.readers import iemocap

    report = iemocap.prepare_iemocap(
        root, out, classes=classes, test_session=test_session, val_session=val_session,
        media=media, undecided=undecided, given=given, strict=strict,
    )  # fmt: skip
    show(report)


@app.command("mer2023")
def prepare_mer2023(
    root: Root, out: Out, transcripts: Transcripts = None, strict: Strict = False
) -> None:
    """MER2023: train-label.csv, test-labels/ and folders of clips; official splits."""
    from emollama.corpora.readers import mer2023

    show(mer2023.prepare_mer2023(root, out, transcripts=transcripts, strict=strict))


@app.command("merr")
def prepare_merr(
    root: Root,
    out: Out,
    part: Annotated[
        Literal["fine", "coarse"], typer.Option(help="Fine or coarse annotations.")
    ] = "fine",
    media: Annotated[Path | None, typer.Option(help="Folder of <name>.mp4 or .avi.")] = None,
    transcripts: Transcripts = None,
    validation: Annotated[
        int, typer.Option(help="Put every N-th sample into split val; 0 for none.", min=0)
    ] = 0,
    tracks: Annotated[
        Path | None,
        typer.Option(
            help="Folder to write the annotated action units and tone to, as npy streams."
        ),
    ] = None,
    strict: Strict = False,
) -> None:
    """MERR: MERR_fine_grained or MERR_coarse_grained, json and list."""
    from emollama.corpora.merr_tracks import write_merr_tracks
    from emollama.corpora.readers import merr
    from emollama.manifest.sample import read_manifest

    report = merr.prepare_merr(
        root, out, part=part, media=media, transcripts=transcripts, validation=validation,
        strict=strict,
    )  # fmt: skip
    show(report)
    if tracks is not None:
        for name, count in write_merr_tracks(read_manifest(out).samples, tracks).items():
            print(f"  {tracks / name}: {count} tracks; name them as 'npy:{tracks / name}'")


@app.command("crema-d")
def prepare_crema_d(
    root: Root,
    out: Out,
    fold: Annotated[int, typer.Option(help="Fold of actors to test on, 1 to 5.")] = 1,
    strict: Strict = False,
    keep_bad: KeepBad = False,
) -> None:
    """CREMA-D: AudioWAV and VideoFlash; five folds by actor."""
    from emollama.corpora.readers import crema_d

    show(crema_d.prepare_crema_d(root, out, fold=fold, strict=strict, keep_bad=keep_bad))


@app.command("emodb")
def prepare_emodb(root: Root, out: Out, strict: Strict = False) -> None:
    """EMO-DB: wav or flac, names like 03a01Fa; German voices, split by speaker."""
    from emollama.corpora.readers import emodb

    show(emodb.prepare_emodb(root, out, strict=strict))


@app.command("javased")
def prepare_javased(root: Root, out: Out, strict: Strict = False) -> None:
    """Java-SED: mp4, names like 08-02-06_01; Javanese faces and voices, split by actor."""
    from emollama.corpora.readers import javased

    show(javased.prepare_javased(root, out, strict=strict))


@app.command("dfew")
def prepare_dfew(
    root: Root,
    out: Out,
    fold: OfficialFold = 1,
    media: Media = None,
    strict: Strict = False,
) -> None:
    """DFEW: EmoLabel_DataSplit and clips or frames; five official folds."""
    from emollama.corpora.readers.films import dfew

    show(dfew.prepare_dfew(root, out, fold=fold, media=media, strict=strict))


@app.command("mafw")
def prepare_mafw(
    root: Root,
    out: Out,
    fold: OfficialFold = 1,
    media: Media = None,
    strict: Strict = False,
) -> None:
    """MAFW: lists of single expressions, films or frames; eleven emotions, five official folds."""
    from emollama.corpora.readers.films import mafw

    show(mafw.prepare_mafw(root, out, fold=fold, media=media, strict=strict))


@app.command("ferv39k")
def prepare_ferv39k(root: Root, out: Out, media: Media = None, strict: Strict = False) -> None:
    """FERV39k: lists over all scenes and folders of face pictures; official split."""
    from emollama.corpora.readers.films import ferv39k

    show(ferv39k.prepare_ferv39k(root, out, media=media, strict=strict))


@app.command("ch-sims")
def prepare_ch_sims(
    root: Root,
    out: Out,
    version: Annotated[int, typer.Option(help="1 (2,281 clips) or 2 (4,403).")] = 1,
    strict: Strict = False,
) -> None:
    """CH-SIMS: label.csv or meta.csv and Raw/; Chinese films, sentiment from -1 to 1."""
    from emollama.corpora.readers.opinions import ch_sims

    show(ch_sims.prepare_ch_sims(root, out, version=version, strict=strict))


@app.command("mer-challenge")
def prepare_mer_challenge(
    root: Root,
    out: Out,
    year: Annotated[int, typer.Option(help="2024, 2025 or 2026.")],
    table: Annotated[
        str,
        typer.Option(
            help="labels, labels-test, words, words-auto, reasons, reasons-auto or candidates."
        ),
    ] = "labels",
    language: Annotated[
        Literal["english", "chinese"], typer.Option(help="Language of the subtitles.")
    ] = "english",
    media: Media = None,
    strict: Strict = False,
) -> None:
    """MER2024, MER2025 and MER2026: tables of names over a folder of clips; words of any kind."""
    from emollama.corpora.readers import mer_challenges

    report = mer_challenges.prepare_mer_challenge(
        root, out, year=year, table=table, language=language, media=media, strict=strict
    )
    show(report)


@app.command("mosei")
def prepare_mosei(
    root: Root,
    out: Out,
    corpus: Annotated[Literal["mosei", "mosi"], typer.Option(help="MOSEI or MOSI.")] = "mosei",
    pickle: Annotated[Path | None, typer.Option(help="MMSA's pickle, aligned or not.")] = None,
    strict: Strict = False,
) -> None:
    """CMU-MOSEI or CMU-MOSI: MMSA's pickle, raw transcripts and videos, csd labels."""
    from emollama.corpora.readers.opinions import mosei

    show(mosei.prepare_mosei(root, out, corpus=corpus, pickle=pickle, strict=strict))


@app.command("emer")
def prepare_emer(
    root: Root,
    out: Out,
    version: Annotated[int, typer.Option(help="1 (100 clips) or 2 (332).")] = 1,
    language: Annotated[
        Literal["english", "chinese"], typer.Option(help="Language of the descriptions.")
    ] = "english",
    media: Annotated[Path | None, typer.Option(help="Folder of MER2023's clips.")] = None,
    strict: Strict = False,
) -> None:
    """EMER: gt-eng.csv or final-EMER-reason.csv; described clips of MER2023."""
    from emollama.corpora.readers import emer

    report = emer.prepare_emer(
        root, out, version=version, language=language, media=media, strict=strict
    )
    show(report)


@app.command("aff-wild2")
def prepare_aff_wild2(root: Root, out: Out, strict: Strict = False) -> None:
    """Aff-Wild2: VA_Estimation_Challenge, valence and arousal of every frame."""
    from emollama.corpora.readers import aff_wild2

    show(aff_wild2.prepare_aff_wild2(root, out, strict=strict))


@app.command("aff-wild2-h5")
def prepare_aff_wild2_h5(
    root: Root,
    out: Out,
    features: Annotated[str, typer.Option(help="Names, separated by commas; all if empty.")] = "",
    strict: Strict = False,
) -> None:
    """Aff-Wild2 as HDF5: targets/ and features/; writes frames/, tracks/ next to the manifest."""
    from emollama.corpora.readers import aff_wild2_h5

    names = [name.strip() for name in features.split(",") if name.strip()]
    show(aff_wild2_h5.prepare_aff_wild2_h5(root, out, features=names, strict=strict))


@app.command("mvsa")
def prepare_mvsa(root: Root, out: Out, strict: Strict = False) -> None:
    """MVSA-Single: labelResultAll.txt and data/; sentiment of tweets with a picture."""
    from emollama.corpora.readers import mvsa

    show(mvsa.prepare_mvsa(root, out, strict=strict))


@app.command("ur-funny")
def prepare_ur_funny(root: Root, out: Out, strict: Strict = False) -> None:
    """UR-FUNNY, version 2: data_folds.pkl, humor_label_sdk.pkl, language_sdk.pkl and clips."""
    from emollama.corpora.readers import ur_funny

    show(ur_funny.prepare_ur_funny(root, out, strict=strict))


@app.command("ave")
def prepare_ave(root: Root, out: Out, strict: Strict = False) -> None:
    """AVE: trainSet.txt, valSet.txt, testSet.txt and AVE/*.mp4; events, not emotions."""
    from emollama.corpora.readers import ave

    show(ave.prepare_ave(root, out, strict=strict))


def show(report: PrepareReport) -> None:
    """Print the report of a prepared corpus."""
    for line in report.lines():
        print(line)
