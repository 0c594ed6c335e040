"""`emollama extract`: frozen encoders over a manifest, into a feature store."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from emollama.base import torchrun
from emollama.base.errors import EmollamaError
from emollama.base.paths import need_file
from emollama.base.quiet import quiet_libraries
from emollama.workers.engines import Engine, get_pool, need_engine
from emollama.workers.shares import MergeOption, ShardOption, shard_or_merge


def extract(
    manifest: Annotated[Path, typer.Argument(help="Manifest of the clips.")],
    store: Annotated[Path, typer.Option(help="Feature store to write.")],
    encoders: Annotated[
        list[str],
        typer.Option(metavar="NAME[,NAME...]", help="Encoders; may be repeated."),
    ] = ["whisper-tiny.en+layer=2+segments=8,prosody,expression,smollm2-135m-instruct"],  # noqa: B006
    workers: Annotated[int, typer.Option(help="Processes; 0 for one per core.")] = 0,
    batch_size: Annotated[int, typer.Option(help="Clips that a process takes at a time.")] = 8,
    shard_size: Annotated[int, typer.Option(help="Clips per shard of the store.")] = 1000,
    retry_failed: Annotated[bool, typer.Option(help="Try failed clips again.")] = False,
    strict: Annotated[bool, typer.Option(help="Exit with code 2 if any clip failed.")] = False,
    device: Annotated[
        str, typer.Option(help="Device of full-size encoders: auto, cpu, cuda or cuda:N.")
    ] = "auto",
    dtype: Annotated[
        str,
        typer.Option(help="Precision of full-size encoders: auto, float32, float16 or bfloat16."),
    ] = "auto",
    format: Annotated[
        Literal["store", "npy"],
        typer.Option(help="npy also writes folders of <id>.npy: STORE/NAME-UTT and NAME-FRA."),
    ] = "store",
    shard: ShardOption = None,
    merge: MergeOption = False,
    engine: Annotated[
        Engine, typer.Option(help="What runs the processes; ray needs the extra of that name.")
    ] = "pool",
) -> None:
    """Run frozen encoders over a manifest and store their features.

    A stopped run resumes where it was. With --shard several commands share the clips, on any
    machines that see the store; then the same command with --merge.
    """
    if batch_size < 1 or shard_size < 1 or workers < 0:
        raise EmollamaError("--batch-size and --shard-size must be at least 1, --workers 0 or more")
    share = shard_or_merge(shard, merge)
    need_engine(engine)
    need_file(manifest)
    specs = ",".join(encoders).split(",")
    from emollama.encoders.names import need_encoders

    need_encoders(specs)
    from emollama.manifest.sample import read_manifest

    corpus = read_manifest(manifest)
    quiet_libraries()
    from functools import partial

    from rich.console import Console

    from emollama.base.progress import bar
    from emollama.encoders.compute import Compute
    from emollama.encoders.table import parse_encoder
    from emollama.features.extract import extract as run
    from emollama.features.failures import failure_table
    from emollama.features.npy_export import check_names, export_npy

    compute = Compute(device, dtype)
    compute.torch_dtype()  # an unknown name is an error before any clip is read
    compute.torch_device()
    build = partial(parse_encoder, compute=compute)
    chosen = [build(spec) for spec in specs]
    if format == "npy":
        check_names([encoder.key for encoder in chosen])
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
            share=share,
            merge=merge,
            pool=get_pool(engine),
        )
    if torchrun.rank() != 0:
        return  # every rank has the same report
    for key, counts in report.counts.items():
        facts = ", ".join(f"{n} {status}" for status, n in sorted(counts.items()))
        why = ", ".join(f"{n} {reason}" for reason, n in report.absent[key].most_common())
        print(f"{key}: {facts}" + (f" ({why})" if why else ""))
    print(f"{report.computed} clips in {report.seconds:.1f} s ({report.rate:.1f} clips/s), "
          f"{report.kept} kept from before")  # fmt: skip
    if share is not None:
        print(f"shard {share} is done; when all are: the same command with --merge")
    elif format == "npy":
        for encoder in chosen:
            for line in export_npy(store, encoder.key, [s.id for s in corpus.samples]).lines():
                print(line)
    if report.failures:
        Console(stderr=True).print(failure_table(report))
        if strict:
            raise EmollamaError(f"{len(report.failures)} clips failed")
