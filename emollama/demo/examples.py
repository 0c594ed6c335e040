"""Example clips, created on first use: probe clips whose channels agree, and some that do not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from emollama.base.files import sole_writer
from emollama.media.decode import decode_clip
from emollama.probe import Settings
from emollama.probe.plan import ClipPlan, plan_clip
from emollama.probe.render import render_clip
from emollama.probe.voice import Speaker, require_espeak

# Not the quickstart's seed: none of these is among its clips. Faces, voices and sentences are
# those of the test split, which no model tuned on a probe corpus has seen.
_SEED = 23
_WANTED = (
    ("happy", "happy", "happy"),
    ("angry", "angry", "angry"),
    ("sad", "sad", "sad"),
    ("surprise", "surprise", "surprise"),
    ("angry", "happy", "neutral"),
    ("sad", "neutral", "happy"),
)  # what voice, face and words show


@dataclass(frozen=True)
class Example:
    """An example clip: its file, title and transcript, and a small picture of it."""

    path: Path
    title: str
    text: str
    thumbnail: Path


def examples(folder: Path) -> list[Example]:
    """The example clips in `folder`; missing ones are created in a few seconds.

    Raises:
        EmollamaError: espeakng-loader is missing, or the folder cannot be written.
    """
    plans = list(_plans())
    paths = [folder / f"{'-'.join((p.voice, p.face, p.words))}.mp4" for p in plans]
    if not all(path.is_file() and _thumbnail(path).is_file() for path in paths):
        require_espeak()
        with (
            sole_writer(folder, f"{folder}: another page is creating the examples; try again"),
            Speaker() as speaker,
        ):
            for plan, path in zip(plans, paths, strict=True):
                if not path.is_file():
                    render_clip(plan, speaker, path)
                if not _thumbnail(path).is_file():
                    _picture(path)
    return [
        Example(
            path.resolve(), _title(plan), plan.casting.sentence.text, _thumbnail(path.resolve())
        )
        for plan, path in zip(plans, paths, strict=True)
    ]


def _thumbnail(path: Path) -> Path:
    return path.with_suffix(".jpg")


def _picture(path: Path) -> None:
    """Store the small picture of a clip: a frame of its middle."""
    clip = decode_clip(path, frames=1, max_side=160, want_audio=False)
    assert clip.frames is not None, "the clip was drawn"
    Image.fromarray(clip.frames.images[0]).save(_thumbnail(path), quality=85)


def _plans() -> Iterator[ClipPlan]:
    """For each wanted triple the first planned clip that shows it."""
    settings = Settings(_SEED, shown_by_voice=0.5, shown_by_face=0.5, shown_by_words=0.5)
    index = 0
    left = list(_WANTED)
    found: dict[tuple[str, str, str], ClipPlan] = {}
    while left:
        plan = plan_clip(settings, "test", index)
        shown = (plan.voice, plan.face, plan.words)
        if shown in left:
            left.remove(shown)
            found[shown] = plan
        index += 1
    yield from (found[shown] for shown in _WANTED)


def _title(plan: ClipPlan) -> str:
    if plan.voice == plan.face == plan.words:
        return f"All {plan.face}"
    return f"Voice {plan.voice}, face {plan.face}, words {plan.words}"
