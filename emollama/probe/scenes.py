"""Scenes of the probe corpus: several drawn people who speak in turn, and sometimes at once.

Even scenes of a split show them side by side, odd ones cut to whoever speaks. Every utterance is
planned as a clip is, so voice, face and words show the intended emotion with their own
probabilities; silent faces rest. Faces are drawn 12.5 times a second, which is as often as lips are
measured, and only where they are seen; the film has 25 frames a second.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image

from emollama.base.errors import EmollamaError
from emollama.base.files import atomic_path
from emollama.probe.cast import FACES, SPLITS, VOICES, Casting, Split
from emollama.probe.emotions import EMOTIONS, LABELS, UNITS
from emollama.probe.plan import ClipPlan, Settings, plan_clip
from emollama.probe.render import (
    FPS,
    drawn_frames,
    expression_envelope,
    frame_times,
    lip_opening,
    write_film,
)
from emollama.probe.scene_truth import (
    SceneTruth,
    Shown,
    TrueSegment,
    TrueTurn,
    joined_turns,
    write_truth,
)
from emollama.probe.staging import (
    CUT,
    SIDE_BY_SIDE,
    cut_between,
    cut_times,
    frame_number,
    pixels,
    side_by_side,
    staged,
)
from emollama.probe.turn_taking import BREATH, Placed, take_turns
from emollama.probe.videos import blended
from emollama.probe.voice import Speaker

SHORTEST, LONGEST = 10, 3600
PEOPLE = (2, 3)

_DRAWN_EVERY = 2  # frames
_TONE = 0.0008  # RMS of the room's noise
_BACKDROP = 40


@dataclass(frozen=True)
class ScenePlan:
    """The plan of a scene; what is said, and when, follows from how long each sentence takes.

    Attributes:
        clip_id: "test-0003".
        cast: a voice and a face for each person; the sentence is that of their first utterance.
        seconds: length.
        layout: `SIDE_BY_SIDE` or `CUT`.
        key: of all draws.
    """

    clip_id: str
    split: Split
    settings: Settings
    cast: tuple[Casting, ...]
    seconds: int
    layout: str
    key: tuple[int, ...]


@dataclass(frozen=True)
class _Said:
    plan: ClipPlan
    sound: np.ndarray


def scene_sizes(scenes: int) -> dict[Split, int]:
    """How many scenes go to each split: settings are chosen on "train" and measured on "test".

    The same people make clips of these splits; an odd scene is a test scene.
    """
    if scenes < 1:
        raise EmollamaError(f"{scenes} scenes: ask for at least 1")
    return {"train": scenes // 2, "test": scenes - scenes // 2}


def require_scene(seconds: int, people: int) -> None:
    """Raise an error if a scene cannot have this length or so many people."""
    if not SHORTEST <= seconds <= LONGEST:
        raise EmollamaError(f"seconds {seconds}: a scene lasts {SHORTEST} to {LONGEST} s")
    if people not in PEOPLE:
        raise EmollamaError(f"people {people}: a scene has 2 or 3 of them")


def plan_scene(
    settings: Settings, split: Split, index: int, seconds: int, people: int
) -> ScenePlan:
    """Plan scene `index` of a split; its people differ in voice and face."""
    key = (settings.seed, SPLITS.index(split), index, seconds, people)
    generator = np.random.default_rng(key)
    voices = generator.choice(len(VOICES[split]), people, replace=False)
    faces = generator.choice(np.array(FACES[split]), people, replace=False)
    first = plan_clip(settings, split, 0).casting
    cast = tuple(
        replace(first, voice=VOICES[split][int(v)], face=int(f))
        for v, f in zip(voices, faces, strict=True)
    )
    layout = CUT if index % 2 else SIDE_BY_SIDE
    return ScenePlan(f"{split}-{index:04d}", split, settings, cast, seconds, layout, key)


def render_scene(plan: ScenePlan, speaker: Speaker, path: Path) -> None:
    """Render a scene to `path`, 640 × 360, and its truth beside it.

    The truth is written first: a scene that exists has its truth.
    """
    generator = np.random.default_rng((*plan.key, 1))
    rate, placed = _acted(generator, plan, speaker)
    truth = _truth(plan, path.name, placed)
    write_truth(path, truth)
    sound = generator.normal(0, _TONE, plan.seconds * rate)
    for part in placed:
        first = round(part.start * rate)
        sound[first : first + part.said.sound.size] += part.said.sound
    sound = np.clip(sound, -1, 1).astype(np.float32)
    faces = {
        person_id(casting): _Face(
            generator, casting.face, [p for p in placed if p.person == number], rate, plan.seconds,
            [shown for shown in truth.shown if shown.person == person_id(casting)],
        )
        for number, casting in enumerate(plan.cast)
    }  # fmt: skip
    frames = staged(truth.shown, plan.seconds, lambda person, number: faces[person].frame(number))
    with atomic_path(path) as temporary:
        write_film(temporary, frames, sound, rate)


def person_id(casting: Casting) -> str:
    """What the truth and the manifest call a person: "face-54+us+f4"."""
    return f"face-{casting.face:02d}+{casting.voice.voice_id}"


def _acted(
    generator: np.random.Generator, plan: ScenePlan, speaker: Speaker
) -> tuple[int, list[Placed[_Said]]]:
    """The sampling rate, and all that is said."""
    emotions = [_dealt(generator) for _ in plan.cast]
    count, rates = 0, [0]

    def say(person: int) -> tuple[_Said, float]:
        nonlocal count
        # The emotion of a clip is its index modulo the number of emotions; no two scenes of a
        # split have an utterance in common.
        place = len(EMOTIONS) * (plan.key[2] * plan.seconds + count) + next(emotions[person])
        count += 1
        clip = plan_clip(plan.settings, plan.split, place, plan.cast[person])
        speech, rates[0] = speaker.speak(
            clip.casting.voice, clip.casting.sentence.text, clip.prosody
        )
        return _Said(clip, speech), speech.size / rates[0]

    placed = take_turns(generator, len(plan.cast), plan.seconds, say)
    return rates[0], placed


def _dealt(generator: np.random.Generator) -> Iterator[int]:
    while True:
        yield from (int(emotion) for emotion in generator.permutation(len(EMOTIONS)))


def _truth(plan: ScenePlan, media: str, placed: Sequence[Placed[_Said]]) -> SceneTruth:
    segments = tuple(
        TrueSegment(
            p.start, p.end, person_id(plan.cast[p.person]), p.said.plan.intended,
            p.said.plan.intended, p.said.plan.casting.sentence.sentence_id,
            {"voice": p.said.plan.voice, "face": p.said.plan.face, "words": p.said.plan.words},
            p.said.plan.casting.sentence.text,
        )
        for p in placed
    )  # fmt: skip
    people = tuple(dict.fromkeys(segment.person for segment in segments))
    turns = joined_turns([TrueTurn(s.start, s.end, s.person) for s in segments], BREATH)
    cut = plan.layout == CUT
    shown = cut_between(turns, plan.seconds) if cut else side_by_side(people, plan.seconds)
    return SceneTruth(
        media, "probe", plan.layout, float(plan.seconds), people, LABELS.name, turns, segments,
        cut_times(shown), shown,
    )  # fmt: skip


class _Face:
    """One person's drawn face over a scene; frames must be asked for in order."""

    def __init__(
        self,
        generator: np.random.Generator,
        face: int,
        placed: Sequence[Placed[_Said]],
        rate: int,
        seconds: int,
        shown: Sequence[Shown],
    ) -> None:
        units = np.zeros((seconds * FPS, len(UNITS)))
        opening = np.zeros(seconds * FPS)
        for part in placed:
            times = frame_times(part.seconds)
            envelope = expression_envelope(generator, times, part.seconds)[:, None]
            first = frame_number(part.start)
            span = slice(first, first + times.size)
            units[span] = envelope * np.array([part.said.plan.units[u] for u in UNITS])
            opening[span] = lip_opening(part.said.sound, rate, times)
        seen = [range(frame_number(part.start), frame_number(part.end)) for part in shown]
        self._wanted = {n for part in seen for n in part if n == part.start or not n % _DRAWN_EVERY}
        rows = [dict(zip(UNITS, row, strict=True)) for row in blended(units).tolist()]
        self._drawn = drawn_frames(generator, face, rows, opening, seconds, sorted(self._wanted))
        left, top, right, bottom = pixels(shown[0].box) if shown else (0, 0, 2, 2)
        self._panel = np.full((bottom - top, right - left, 3), _BACKDROP, np.uint8)

    def frame(self, number: int) -> np.ndarray:
        """The panel, uint8 [h, w, 3]: the face as a square in its middle."""
        if number in self._wanted:
            height, width = self._panel.shape[:2]
            side = min(height, width)
            square = Image.fromarray(next(self._drawn)).resize(
                (side, side), Image.Resampling.BILINEAR
            )
            top, left = (height - side) // 2, (width - side) // 2
            self._panel[top : top + side, left : left + side] = np.asarray(square)
        return self._panel
