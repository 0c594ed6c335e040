"""`emollama annotate`, and `python -m merr`: all stages with `build`, or single stages."""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from emollama.base.errors import EmollamaError, one_line_errors
from emollama.base.paths import need_file
from emollama.base.processors import settle_threads
from emollama.base.typer_app import run_app, spread
from emollama.merr.stages import STAGES, get_stage, measure_all, run_all
from emollama.workers.shares import ShardOption, shard_of

if TYPE_CHECKING:
    from emollama.merr.build import Build
    from emollama.merr.settings import Settings

__all__ = ["app", "main", "spread"]

app = typer.Typer(
    help="Turn a folder of raw video into MERR-style instruction data.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
ClipsArgument = Annotated[Path, typer.Argument(help="Folder of clips, or a manifest.")]
OverridesArgument = Annotated[
    list[str] | None,
    typer.Argument(metavar="KEY=VALUE", help="Values that replace those of the settings: a.b=c."),
]
OutOption = Annotated[Path, typer.Option(help="Folder of the build.")]
ConfigOption = Annotated[
    Path | None,
    typer.Option("--cfg-path", help="YAML file of settings.", show_default="those of --out"),
]
OptionsOption = Annotated[list[str] | None, typer.Option("--options", hidden=True)]
MEASURED = ("units", "voice", "transcript")


@app.command()
def build(
    clips: ClipsArgument,
    out: OutOption,
    overrides: OverridesArgument = None,
    cfg_path: ConfigOption = None,
    options: OptionsOption = None,
) -> None:
    """Run all stages: from clips to a training set, a data card and a quality report."""
    with _opened(out, cfg_path, _both(options, overrides), STAGES, clips) as made:
        run_all(made)


@app.command()
def measure(
    clips: ClipsArgument,
    out: OutOption,
    overrides: OverridesArgument = None,
    cfg_path: ConfigOption = None,
    options: OptionsOption = None,
    shard: ShardOption = None,
) -> None:
    """Run the stages that read clips (units, voice, transcript), decoding each clip once.

    With --shard, list the clips first: emollama annotate clips
    """
    with _opened(out, cfg_path, _both(options, overrides), MEASURED, clips, shard) as made:
        if made.shard.of == 1:
            get_stage("clips").run(made)
        measure_all(made)


@app.command()
def merge(
    out: OutOption,
    overrides: OverridesArgument = None,
    cfg_path: ConfigOption = None,
    options: OptionsOption = None,
) -> None:
    """Merge the shards of the measured stages; continue with 'build'."""
    with _opened(out, cfg_path, _both(options, overrides)) as made:
        from emollama.merr.measure.stage import merge_shards

        merge_shards(made)


def _stage_command(name: str) -> None:
    stage = STAGES[name]

    def run(
        out: OutOption,
        words: Annotated[
            list[str] | None,
            typer.Argument(
                metavar="[CLIPS] [KEY=VALUE]...",
                help="Folder of clips or manifest (stage clips only), and values of settings.",
            ),
        ] = None,
        cfg_path: ConfigOption = None,
        options: OptionsOption = None,
        shard: ShardOption = None,
    ) -> None:
        clips, overrides = _clips_first(words or [])
        if shard is not None and not stage.alone:
            raise EmollamaError(
                f"stage '{name}' needs the rows of all clips; --shard is for "
                + ", ".join(s.name for s in STAGES.values() if s.alone and s.reads)
            )
        with _opened(out, cfg_path, _both(options, overrides), (name,), clips, shard) as made:
            stage.run(made)

    reads = ", ".join(stage.reads) or "the clips"
    app.command(name, help=f"Run stage '{name}' alone; it reads {reads}.")(run)


for _name in STAGES:
    if _name != "report":
        _stage_command(_name)


@app.command()
def report(
    out: OutOption,
    overrides: OverridesArgument = None,
    truth: Annotated[
        Path | None,
        typer.Option(help="Manifest with the true values, e.g. that of the probe corpus."),
    ] = None,
    cfg_path: ConfigOption = None,
    options: OptionsOption = None,
) -> None:
    """Write the quality report; with --truth, also the accuracy of labels, words and voice."""
    need_file(truth)
    from emollama.manifest.sample import read_manifest

    known = read_manifest(truth) if truth is not None else None
    with _opened(out, cfg_path, _both(options, overrides)) as made:
        from emollama.merr.quality.report import run_report

        run_report(made, known)


def _both(options: list[str] | None, overrides: list[str] | None) -> list[str]:
    """Overrides in the order of the command line: `--options a=b`, then plain `a=b`."""
    return [*(options or []), *(overrides or [])]


def _clips_first(words: list[str]) -> tuple[Path | None, list[str]]:
    """The folder of clips, if the first word is not an override, and the overrides."""
    if words and ("=" not in words[0] or Path(words[0]).exists()):
        return Path(words[0]), words[1:]
    return None, words


@contextmanager
def _opened(
    out: Path,
    cfg_path: Path | None,
    options: list[str] | None,
    stages: Collection[str] = (),
    clips: Path | None = None,
    shard: str | None = None,
) -> Iterator[Build]:
    """The build in `out`, by default with the settings it was created with.

    Settings that are invalid for one of `stages` are refused and not stored.
    """
    need_file(cfg_path)
    if clips is not None and not clips.exists():
        raise EmollamaError(f"{clips}: no such file or folder")
    if clips is not None and not out.exists():
        from emollama.merr.clips import find_clips

        find_clips(clips)  # its mistakes are told before anything large is imported
    from emollama.base.files import sole_writer, write_json
    from emollama.merr.build import SETTINGS, Build
    from emollama.merr.check import check
    from emollama.workers.ranks import joined_ranks

    settings = _settings(out, cfg_path, options or [])
    check(settings, stages)
    share = shard_of(shard)
    with joined_ranks() as ranks:
        made = Build(out, settings, clips, share, ranks, echo=_say)
        if ranks.rank:
            yield made
        elif share.of > 1:
            with sole_writer(out / ".shards" / share.name, f"{out}: shard {share} is running"):
                yield made
        else:
            with sole_writer(out, f"{out}: another build is writing to this folder"):
                write_json(out / SETTINGS, settings.to_dict())
                yield made


def _settings(out: Path, cfg_path: Path | None, options: list[str]) -> Settings:
    from emollama.base.files import read_json
    from emollama.merr.build import SETTINGS
    from emollama.merr.settings import load_settings

    kept = out / SETTINGS
    if cfg_path is None and kept.is_file():
        read_json(kept)  # what is wrong with it is told by its own name
        return load_settings(kept, options)
    return load_settings(cfg_path, options)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


@one_line_errors
def main() -> None:
    """Entry point: every user mistake is one line on stderr."""
    settle_threads()
    run_app(app, spread(sys.argv[1:]))
