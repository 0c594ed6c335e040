"""`emollama explain`: why a model answered as it did, and whether that is true of it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from emollama.base.config import Precision
from emollama.base.errors import EmollamaError
from emollama.base.quiet import quiet_libraries


def explain(
    model: Annotated[Path, typer.Option(help="Artefact of a language or fusion model.")],
    out: Annotated[Path, typer.Option(help="Folder for pictures, pages and tables.")],
    clip: Annotated[Path | None, typer.Argument(help="Media file; or give --manifest.")] = None,
    text: Annotated[str | None, typer.Option(help="What the person says.")] = None,
    start: Annotated[float | None, typer.Option(help="Seconds.")] = None,
    end: Annotated[float | None, typer.Option(help="Seconds.")] = None,
    manifest: Annotated[Path | None, typer.Option(help="Corpus to explain samples of.")] = None,
    store: Annotated[Path | None, typer.Option(help="Its feature store.")] = None,
    split: Annotated[str, typer.Option(help="Split of the manifest.")] = "test",
    split_file: Annotated[Path | None, typer.Option(help="Other splits than its own.")] = None,
    features: Annotated[Path | None, typer.Option(help="Where its npy: folders lie.")] = None,
    ids: Annotated[str | None, typer.Option(help="These samples, by comma.")] = None,
    count: Annotated[
        int | None, typer.Option(help="So many samples, drawn by the seed; all.", min=1)
    ] = None,
    sheets: Annotated[
        int, typer.Option(help="At most so many clips get pictures and a page.", min=0)
    ] = 20,
    window: Annotated[
        float | None, typer.Option(help="Seconds hidden at a time; an eighth of the clip.")
    ] = None,
    orders: Annotated[
        int, typer.Option(help="Random orders that an explanation is held against.", min=1)
    ] = 5,
    reason: Annotated[bool, typer.Option("--reason", help="Also write a reason (LLM).")] = False,
    noise: Annotated[
        bool, typer.Option("--noise", help="Also see what a gate does under noise (fusion).")
    ] = False,
    seed: Annotated[int, typer.Option(help="Of the draws.", min=0)] = 0,
    dtype: Annotated[Precision, typer.Option(help="Of the language model.")] = "auto",
) -> None:
    """Shapley values, occlusion over time, the system's maps, and how faithful they are."""
    if (clip is None) == (manifest is None):
        raise EmollamaError("give a CLIP, or --manifest for samples of a corpus")
    if window is not None and window <= 0:
        raise EmollamaError("--window must be above 0 seconds")
    if ids is not None and count is not None:
        raise EmollamaError("give --ids or --count, not both")
    quiet_libraries()
    from emollama.base.progress import bar
    from emollama.explain.case import Settings
    from emollama.explain.explaining import Chosen, explain_clip, explain_split

    settings = Settings(window, orders, seed)
    if clip is not None:
        if noise:
            raise EmollamaError("--noise is measured over a split; give --manifest")
        case = explain_clip(model, clip, out, settings, text=text, start=start, end=end,
                            reason=reason, dtype=dtype)  # fmt: skip
        print(f"{case.id}: {case.answered.label}  page in {out / case.id}.html")
        return
    assert manifest is not None
    chosen = Chosen(manifest, store, split, split_file, features,
                    tuple(filter(None, (ids or "").split(","))), count or 0, sheets)  # fmt: skip
    with bar("clips explained") as advance:
        found = explain_split(model, chosen, out, settings, reason=reason, noise=noise,
                              dtype=dtype, progress=advance)  # fmt: skip
    for verdict in found.verdicts:
        print(verdict.line())
    if found.agreement is not None:
        print(found.agreement.line())
    for gate in found.gate:
        print(gate.line())
    print(f"table in {out / 'summary.md'}")
