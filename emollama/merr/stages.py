"""The table of stages: the inputs of each stage and the function that runs it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from emollama.base.errors import EmollamaError, did_you_mean

if TYPE_CHECKING:
    from emollama.merr.build import Build


@dataclass(frozen=True)
class Stage:
    """One stage.

    Attributes:
        name: on the command line, and of its file.
        reads: stages whose rows it reads.
        run: runs it; imports lazily, so that listing stages is cheap.
        alone: whether a shard can run it without the other shards' rows.
    """

    name: str
    reads: tuple[str, ...]
    run: Callable[[Build], object]
    alone: bool = False


def _clips(build: Build) -> object:
    from emollama.merr.measure.stage import list_clips

    return list_clips(build)


def _measured(name: str) -> Callable[[Build], object]:
    def run(build: Build) -> object:
        from emollama.merr.measure.stage import measure

        return measure(build, (name,))

    return run


def measure_all(build: Build) -> object:
    """Units, voice and transcript together: each clip is decoded once."""
    from emollama.merr.measure.stage import measure

    return measure(build)


def _words(build: Build) -> object:
    from emollama.merr.words import run_words

    return run_words(build)


def _norms(build: Build) -> object:
    from emollama.merr.norms import write_norms

    return write_norms(build)


def _emotion(build: Build) -> object:
    from emollama.merr.emotion import run_emotion

    return run_emotion(build)


def _peak(build: Build) -> object:
    from emollama.merr.peak import run_peak

    return run_peak(build)


def _visual(build: Build) -> object:
    from emollama.merr.describe import run_visual

    return run_visual(build)


def _tone(build: Build) -> object:
    from emollama.merr.describe import run_tone

    return run_tone(build)


def _caption(build: Build) -> object:
    from emollama.merr.caption import run_caption

    return run_caption(build)


def _refine(build: Build) -> object:
    from emollama.merr.refine import run_refine

    return run_refine(build)


def _select(build: Build) -> object:
    from emollama.merr.select import run_select

    return run_select(build)


def _export(build: Build) -> object:
    from emollama.merr.export import run_export

    return run_export(build)


def _report(build: Build) -> object:
    from emollama.merr.quality.report import run_report

    return run_report(build)


STAGES: dict[str, Stage] = {
    stage.name: stage
    for stage in (
        Stage("clips", (), _clips, alone=True),
        Stage("units", ("clips",), _measured("units"), alone=True),
        Stage("voice", ("clips",), _measured("voice"), alone=True),
        Stage("transcript", ("clips",), _measured("transcript"), alone=True),
        Stage("words", ("transcript",), _words),
        Stage("norms", ("clips", "units", "voice", "words"), _norms),
        Stage("emotion", ("clips", "units", "voice", "transcript", "words", "norms"), _emotion),
        Stage("peak", ("clips", "units", "emotion", "norms"), _peak),
        Stage("visual", ("clips", "units", "emotion", "peak", "norms"), _visual),
        Stage("tone", ("clips", "voice", "emotion", "norms"), _tone),
        Stage("caption", ("clips", "emotion", "peak", "visual", "tone", "transcript"), _caption),
        Stage("refine", ("emotion", "peak", "tone", "transcript", "caption"), _refine),
        Stage("select", ("clips", "emotion", "caption", "refine"), _select),
        Stage("export", ("select", "refine", "caption"), _export),
        Stage("report", ("caption", "refine", "select"), _report),
    )
}


def get_stage(name: str) -> Stage:
    """The stage called `name`; an unknown name is an `EmollamaError`."""
    if name not in STAGES:
        raise EmollamaError(f"stage '{name}' is unknown{did_you_mean(name, STAGES)}")
    return STAGES[name]


def run_all(build: Build) -> None:
    """All stages in order, the three measured ones together."""
    for name, stage in STAGES.items():
        if name == "units":
            measure_all(build)
        elif name not in ("voice", "transcript"):
            stage.run(build)
