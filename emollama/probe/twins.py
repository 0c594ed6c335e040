"""Twins: two clips that are the same but for one cue, to test whether reasons follow the cue.

A pair has one voice, one face, one way to move, and the same room. In the second clip one action
unit, one dimension of the prosody, or the sentence is another one. Where the length of what is
said changes (another rate, another sentence), so does that of the film, and with it when the eyes
blink.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from emollama.probe.cast import Split, cast_clip
from emollama.probe.emotions import EMOTIONS, UNITS, Prosody
from emollama.probe.plan import ClipPlan, Settings, plan_clip, truth
from emollama.probe.render import render_clip
from emollama.probe.vocabulary import PROSODY_THRESHOLDS, UNIT_THRESHOLD, level
from emollama.probe.voice import Speaker

CUES = ("unit", *PROSODY_THRESHOLDS, "words")
"""Kinds of cues; pairs take turns."""

_FIRST = 600_000  # so that no twin is a clip of the probe corpus
_SHOWN, _CLEARLY = 0.85, 0.15  # of a unit: intensity when added; distance from the threshold
_LEVEL, _STEP = 2.2, 1.5  # of the prosody, in thresholds: a level; the smallest change


@dataclass(frozen=True)
class TwinPlan:
    """One clip of a pair.

    Attributes:
        clip: everything about the clip; its id ends in "-a" or "-b".
        pair: what both clips of the pair are called.
        cue: what differs: an action unit, a dimension of the prosody, or "words".
    """

    clip: ClipPlan
    pair: str
    cue: str

    @property
    def clip_id(self) -> str:
        """Name of the file and the sample."""
        return self.clip.clip_id


def plan_twins(settings: Settings, split: Split, index: int) -> tuple[TwinPlan, TwinPlan]:
    """Pair `index` of a split; the kinds of cues take turns, and within each the emotions."""
    emotion = index // len(CUES) % len(EMOTIONS)
    first = plan_clip(settings, split, _FIRST + len(EMOTIONS) * index + emotion)
    generator = np.random.default_rng((*first.drawing, 5))
    cue = CUES[index % len(CUES)]
    if cue == "unit":
        cue, second = _other_unit(generator, first)
    elif cue == "words":
        second = _other_words(generator, first)
    else:
        second = replace(first, prosody=_other_level(generator, first.prosody, cue))
    pair = f"{split}-twin-{index:04d}"
    return (
        TwinPlan(replace(first, clip_id=f"{pair}-a"), pair, cue),
        TwinPlan(replace(second, clip_id=f"{pair}-b"), pair, cue),
    )


def render_twin(plan: TwinPlan, speaker: Speaker, path: Path) -> None:
    """Render one clip of a pair to `path` atomically.

    Room tone and movement are drawn apart, so that the length of the speech moves no face.
    """
    room = np.random.default_rng((*plan.clip.drawing, 4))
    render_clip(plan.clip, speaker, path, room)


def twin_truth(plan: TwinPlan, settings: Settings) -> dict[str, Any]:
    """The content of `Sample.truth`: that of a clip, the pair, and what differs in it."""
    return {**truth(plan.clip, settings), "pair": plan.pair, "differs": plan.cue}


def _other_unit(generator: np.random.Generator, plan: ClipPlan) -> tuple[str, ClipPlan]:
    """A unit that is clearly there is taken away, or one that is clearly not there is added."""
    clear = {u: abs(plan.units[u] - UNIT_THRESHOLD) >= _CLEARLY for u in UNITS}
    shown = [u for u in UNITS if clear[u] and plan.units[u] > UNIT_THRESHOLD]
    hidden = [u for u in UNITS if clear[u] and plan.units[u] < UNIT_THRESHOLD]
    choice = shown if shown and (not hidden or generator.random() < 0.5) else hidden
    unit = choice[int(generator.integers(len(choice)))]
    value = 0.0 if choice is shown else _SHOWN
    return unit, replace(plan, units={**plan.units, unit: value})


def _other_level(generator: np.random.Generator, prosody: Prosody, name: str) -> Prosody:
    """The prosody with another level of one dimension."""
    threshold, now = PROSODY_THRESHOLDS[name], getattr(prosody, name)
    values = [
        value
        for value in (round(step * threshold, 3) for step in (-_LEVEL, 0.0, _LEVEL))
        if abs(value - now) >= _STEP * threshold and level(name, value) != level(name, now)
    ]
    return replace(prosody, **{name: values[int(generator.integers(len(values)))]})


def _other_words(generator: np.random.Generator, plan: ClipPlan) -> ClipPlan:
    """The same person with a sentence of another emotion."""
    others = [emotion for emotion in EMOTIONS if emotion != plan.words]
    words = others[int(generator.integers(len(others)))]
    sentence = cast_clip(generator, plan.split, words).sentence
    return replace(plan, words=words, casting=replace(plan.casting, sentence=sentence))
