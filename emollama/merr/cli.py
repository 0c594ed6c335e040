"""`python -m merr build DIR --out OUT`, and each stage by itself: `python -m merr STAGE ...`."""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from emollama.base.errors import EmollamaError, one_line_errors
from emollama.base.files import read_json, sole_writer, write_json
from emollama.base.processors import settle_threads
from emollama.base.typer_app import run_app
from emollama.merr.build import SETTINGS, Build
from emollama.merr.settings import Settings, load_settings
from emollama.merr.stages import STAGES, get_stage, measure_all, run_all
from emollama.workers.ranks import joined_ranks

app = typer.Typer(
    help="From a folder of raw video to MERR-style instruction data.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
OutOption = Annotated[Path, typer.Option(help="Folder of the build.")]
ConfigOption = Annotated[Path | None, typer.Option("--cfg-path", help="YAML settings.")]
OptionsOption = Annotated[
    list[str] | None, typer.Option("--options", metavar="a.b=c ...", help="Overrides.")
]
MEASURED = ("units", "voice", "transcript")
ShardOption = Annotated[str | None, typer.Option(help="i/n: every n-th clip, counted from 0.")]


@app.command()
def build(
    clips: Annotated[Path, typer.Argument(help="Folder of clips, or a manifest.")],
    out: OutOption,
    cfg_path: ConfigOption = None,
    options: OptionsOption = None,
) -> None:
    """All stages: clips in, training set, data card and quality report out."""
    with _opened(out, cfg_path, options, STAGES, clips) as made:
        run_all(made)


@app.command()
def measure(
    clips: Annotated[Path, typer.Argument(help="Folder of clips, or a manifest.")],
    out: OutOption,
    cfg_path: ConfigOption = None,
    options: OptionsOption = None,
    shard: ShardOption = None,
) -> None:
    """The stages that look at clips: units, voice, transcript, each clip decoded once.

    With --shard the clips must have been listed before (`python -m merr clips`).
    """
    with _opened(out, cfg_path, options, MEASURED, clips, shard) as made:
        if made.shard[1] == 1:
            get_stage("clips").run(made)
        measure_all(made)


@app.command()
def merge(out: OutOption, cfg_path: ConfigOption = None, options: OptionsOption = None) -> None:
    """Put the shards of the measured stages together; then `build` goes on from there."""
    from emollama.merr.measure.stage import merge_shards

    with _opened(out, cfg_path, options) as made:
        merge_shards(made)


def _stage_command(name: str) -> None:
    stage = STAGES[name]

    def run(
        out: OutOption,
        clips: Annotated[
            Path | None, typer.Argument(help="Folder of clips or manifest; for stage clips.")
        ] = None,
        cfg_path: ConfigOption = None,
        options: OptionsOption = None,
        shard: ShardOption = None,
    ) -> None:
        if shard is not None and not stage.alone:
            raise EmollamaError(
                f"stage '{name}' needs the rows of all clips; --shard is for "
                + ", ".join(s.name for s in STAGES.values() if s.alone and s.reads)
            )
        with _opened(out, cfg_path, options, (name,), clips, shard) as made:
            stage.run(made)

    reads = ", ".join(stage.reads) or "the clips"
    app.command(name, help=f"Stage {name} alone; it reads {reads}.")(run)


for _name in STAGES:
    if _name != "report":
        _stage_command(_name)


@app.command()
def report(
    out: OutOption,
    truth: Annotated[
        Path | None, typer.Option(help="Manifest that knows better, e.g. the probe corpus'.")
    ] = None,
    cfg_path: ConfigOption = None,
    options: OptionsOption = None,
) -> None:
    """The quality report; with --truth also how often labels, words and voice are right."""
    from emollama.manifest.sample import read_manifest
    from emollama.merr.quality.report import run_report

    known = read_manifest(truth) if truth is not None else None
    with _opened(out, cfg_path, options) as made:
        run_report(made, known)


@contextmanager
def _opened(
    out: Path,
    cfg_path: Path | None,
    options: list[str] | None,
    stages: Collection[str] = (),
    clips: Path | None = None,
    shard: str | None = None,
) -> Iterator[Build]:
    """The build in `out`; where neither file nor options are given, with the settings it has.

    Settings that one of `stages` could not work with are refused, and are not kept.
    """
    from emollama.merr.check import check

    settings = _settings(out, cfg_path, options or [])
    check(settings, stages)
    i, n = _shard(shard)
    with joined_ranks() as ranks:
        made = Build(out, settings, clips, (i, n), ranks, echo=_say)
        if ranks.rank:
            yield made
        elif n > 1:
            with sole_writer(out / ".shards" / f"{i}-of-{n}", f"{out}: shard {i}/{n} is running"):
                yield made
        else:
            with sole_writer(out, f"{out}: another build is writing to this folder"):
                write_json(out / SETTINGS, settings.to_dict())
                yield made


def _settings(out: Path, cfg_path: Path | None, options: list[str]) -> Settings:
    kept = out / SETTINGS
    if cfg_path is None and kept.is_file():
        read_json(kept)  # what is wrong with it is told by its own name
        return load_settings(kept, options)
    return load_settings(cfg_path, options)


def _shard(text: str | None) -> tuple[int, int]:
    if text is None:
        return 0, 1
    i, _, n = text.partition("/")
    if not i.isdecimal() or not n.isdecimal() or not int(i) < int(n):
        raise EmollamaError(f"--shard {text}: must be i/n with i from 0 to n - 1, e.g. 0/4")
    return int(i), int(n)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def spread(words: Sequence[str]) -> list[str]:
    """`--options a=b c=d`, as train.py takes it, with an `--options` before each."""
    told: list[str] = []
    listing = False
    for word in words:
        override = listing and "=" in word and not word.startswith("-")
        if override and told[-1] != "--options":
            told.append("--options")
        listing = override or word == "--options"
        told.append(word)
    return told


@one_line_errors
def main() -> None:
    """Entry point: every user mistake is one line on stderr."""
    settle_threads()
    run_app(app, spread(sys.argv[1:]))
