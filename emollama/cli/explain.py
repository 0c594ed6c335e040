"""`emollama explain`: why a model answered as it did, and whether the explanation is faithful."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from emollama.assets.people import model_or_shipped
from emollama.base.errors import EmollamaError
from emollama.base.paths import need_clip, need_file, need_folder
from emollama.base.precision import Precision, Quantise
from emollama.base.quiet import quiet_libraries
from emollama.media.whispers import WHISPER, LanguageCode, TranscriberName, Whisper


def explain(
    out: Annotated[Path, typer.Option(help="Folder for pictures, pages and tables.")],
    clip: Annotated[Path | None, typer.Argument(help="Media file; or use --manifest.")] = None,
    model: Annotated[
        Path | None,
        typer.Option(help="Folder of a trained model.", show_default="models/people"),
    ] = None,
    text: Annotated[str | None, typer.Option(help="What the person says.")] = None,
    transcriber: TranscriberName = WHISPER,
    language: LanguageCode = None,
    start: Annotated[
        float | None, typer.Option(help="Start of the span, in seconds.", show_default="its start")
    ] = None,
    end: Annotated[
        float | None, typer.Option(help="End of the span, in seconds.", show_default="its end")
    ] = None,
    manifest: Annotated[
        Path | None, typer.Option(help="Manifest whose samples to explain.")
    ] = None,
    store: Annotated[Path | None, typer.Option(help="Feature store of the manifest.")] = None,
    split: Annotated[str, typer.Option(help="Split of the manifest.")] = "test",
    split_file: Annotated[
        Path | None, typer.Option(help="Split file to use instead of the manifest's splits.")
    ] = None,
    features: Annotated[
        Path | None, typer.Option(help="Folder that holds the manifest's npy: folders.")
    ] = None,
    ids: Annotated[str | None, typer.Option(help="Ids of samples, separated by commas.")] = None,
    count: Annotated[
        int | None,
        typer.Option(help="Number of samples, drawn by the seed.", min=1, show_default="all"),
    ] = None,
    sheets: Annotated[
        int, typer.Option(help="Largest number of clips with pictures and a page.", min=0)
    ] = 20,
    window: Annotated[
        float | None,
        typer.Option(help="Seconds hidden at a time.", show_default="an eighth of the clip"),
    ] = None,
    orders: Annotated[
        int, typer.Option(help="Random orders to compare an explanation with.", min=1)
    ] = 5,
    reason: Annotated[
        bool, typer.Option("--reason", help="Also write a reason (language models).")
    ] = False,
    noise: Annotated[
        bool, typer.Option("--noise", help="Also measure the gate under noise (fusion models).")
    ] = False,
    seed: Annotated[int, typer.Option(help="Seed of the draws.", min=0)] = 0,
    dtype: Annotated[Precision, typer.Option(help="Precision of a language model.")] = "auto",
    quantise: Quantise = None,
) -> None:
    """Explain answers by channel and over time, and check that they are faithful."""
    if (clip is None) == (manifest is None):
        raise EmollamaError("give a CLIP, or --manifest to explain samples of a corpus")
    if window is not None and window <= 0:
        raise EmollamaError("--window must be above 0 seconds")
    if ids is not None and count is not None:
        raise EmollamaError("give --ids or --count, not both")
    if clip is not None and noise:
        raise EmollamaError("--noise is measured over a split; use --manifest")
    whisper = Whisper(transcriber, language)
    if clip is None and not whisper.embedded:
        raise EmollamaError("--transcriber and --language are for a CLIP; a manifest has its words")
    if clip is not None:
        need_clip(clip)
    need_file(manifest)
    need_file(split_file)
    need_folder(store)
    need_folder(features)
    model = model_or_shipped(model)
    if clip is not None:
        from emollama.media.decode import need_media

        need_media(clip)
    if manifest is not None:
        from emollama.manifest.split_file import need_split

        need_split(manifest, split, split_file)
    quiet_libraries()
    from emollama.base.progress import bar
    from emollama.explain.case import Settings
    from emollama.explain.explaining import Chosen, explain_clip, explain_split
    from emollama.explain.sentence import plain_sentence

    settings = Settings(window, orders, seed)
    if clip is not None:
        case = explain_clip(model, clip, out, settings, text=text, start=start, end=end,
                            reason=reason, dtype=dtype, quantise=quantise,
                            whisper=whisper)  # fmt: skip
        print(f"{case.id}: {plain_sentence(case)}\npage in {out / case.id}.html")
        return
    assert manifest is not None
    chosen = Chosen(manifest, store, split, split_file, features,
                    tuple(filter(None, (ids or "").split(","))), count or 0, sheets)  # fmt: skip
    with bar("clips explained") as advance:
        found = explain_split(model, chosen, out, settings, reason=reason, noise=noise,
                              dtype=dtype, quantise=quantise, progress=advance)  # fmt: skip
    for verdict in found.verdicts:
        print(verdict.line())
    if found.agreement is not None:
        print(found.agreement.line())
    for gate in found.gate:
        print(gate.line())
    print(f"table in {out / 'summary.md'}")
