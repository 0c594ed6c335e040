"""Videos of several turns: one person speaks in one emotion after another, with a truth per frame.

The truth of a frame is that of the turn's intended emotion (`emotions.VALENCE_AROUSAL`), scaled by
how far the expression has unfolded in that frame: onset, apex, offset. Voice, face and words show
the intended emotion with their own probabilities, as in clips, so that no single channel gives it
away.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from emollama.base.errors import EmollamaError
from emollama.base.files import atomic_path, write_text
from emollama.probe.cast import SPLITS, Casting, Split
from emollama.probe.emotions import EMOTIONS, UNITS, VALENCE_AROUSAL
from emollama.probe.plan import ClipPlan, Settings, plan_clip
from emollama.probe.render import (
    FPS,
    MINIMUM_SECONDS,
    draw_frames,
    expression_envelope,
    frame_times,
    with_room_tone,
    write_film,
)
from emollama.probe.voice import Speaker

SHORTEST, LONGEST = 4, 60
FRAMES_FOLDER = "frames"
_BLEND = 9  # frames over which one turn's face passes into the next one's
_SHORTEST_TURN = MINIMUM_SECONDS - 1 / FPS


@dataclass(frozen=True)
class VideoPlan:
    """The full plan of a video.

    Attributes:
        clip_id: "test-0007".
        seconds: its length; a turn that does not fit is cut off.
        turns: planned clips of the same voice and face, at least as many as fit.
        drawing: seed of everything without emotion.
    """

    clip_id: str
    split: Split
    seconds: int
    turns: tuple[ClipPlan, ...]
    drawing: tuple[int, ...]

    @property
    def casting(self) -> Casting:
        """The voice and face of the video."""
        return self.turns[0].casting


def require_length(seconds: int) -> None:
    """Raise an error if a video cannot have this length."""
    if not SHORTEST <= seconds <= LONGEST:
        raise EmollamaError(
            f"seconds {seconds}: a video of several turns lasts {SHORTEST} to {LONGEST} s; "
            "0 makes clips of one turn"
        )


def plan_video(settings: Settings, split: Split, index: int, seconds: int) -> VideoPlan:
    """Plan video `index` of a split; the emotions of its turns follow in random order."""
    key = (settings.seed, SPLITS.index(split), index, seconds)
    generator = np.random.default_rng(key)
    count = int(np.ceil(seconds / _SHORTEST_TURN))
    turns: list[ClipPlan] = []
    while len(turns) < count:
        for emotion in generator.permutation(len(EMOTIONS)):
            # The emotion of a clip is its index modulo the number of emotions.
            place = len(EMOTIONS) * (index * count + len(turns)) + int(emotion)
            like = turns[0].casting if turns else None
            turns.append(plan_clip(settings, split, place, like))
    return VideoPlan(f"{split}-{index:04d}", split, seconds, tuple(turns[:count]), (*key, 1))


def render_video(plan: VideoPlan, speaker: Speaker, path: Path) -> None:
    """Render one video to `path`, 25 frames a second, and its truth to `frames_path`.

    The truth is written first: a video that exists has its truth.
    """
    generator = np.random.default_rng(plan.drawing)
    sound, rate, units, truth = _acted(generator, plan, speaker)
    # Targets are given as Aff-Wild2's official annotations are: a header, a line a frame.
    lines = ["valence,arousal", *(f"{v:.4f},{a:.4f}" for v, a in truth)]
    write_text(frames_path(path), "\n".join(lines) + "\n")
    faces = [dict(zip(UNITS, row, strict=True)) for row in units.tolist()]
    frames = draw_frames(generator, plan.casting.face, faces, sound, rate)
    with atomic_path(path) as temporary:
        write_film(temporary, frames, sound, rate)


def frames_path(path: Path) -> Path:
    """Path of a video's truth: `frames/<id>.txt` beside the folder of clips."""
    return path.parent.parent / FRAMES_FOLDER / f"{path.stem}.txt"


def _acted(
    generator: np.random.Generator, plan: VideoPlan, speaker: Speaker
) -> tuple[np.ndarray, int, np.ndarray, np.ndarray]:
    """Sound [n] and its rate, units [N, 13] and valence and arousal [N, 2] of N frames."""
    sounds: list[np.ndarray] = []
    units: list[np.ndarray] = []
    truth: list[np.ndarray] = []
    frames, rate = plan.seconds * FPS, 0
    for turn in plan.turns:
        if sum(len(part) for part in units) >= frames:
            break
        speech, rate = speaker.speak(turn.casting.voice, turn.casting.sentence.text, turn.prosody)
        sound = with_room_tone(generator, speech, rate)
        # A turn ends with a frame, so that sound and pictures stay together turn after turn.
        sound = sound[: int(sound.size / rate * FPS) * rate // FPS]
        seconds = sound.size / rate
        times = frame_times(seconds)
        envelope = expression_envelope(generator, times, seconds)[:, None]
        sounds.append(sound)
        units.append(envelope * np.array([turn.units[u] for u in UNITS]))
        truth.append(envelope * np.array(VALENCE_AROUSAL[turn.intended]))
    smooth = [blended(np.concatenate(part)[:frames]) for part in (units, truth)]
    whole = np.concatenate(sounds)[: plan.seconds * rate]
    return whole, rate, smooth[0], smooth[1]


def blended(track: np.ndarray) -> np.ndarray:
    """The mean over `_BLEND` frames around each, fewer at the ends: [N, K] to [N, K]."""
    kernel = np.ones(_BLEND)
    count = np.convolve(np.ones(len(track)), kernel, mode="same")[:, None]
    columns = [np.convolve(column, kernel, mode="same") for column in track.T]
    return np.asarray(np.stack(columns, axis=1) / count)


def video_truth(plan: VideoPlan) -> dict[str, Any]:
    """The content of `Sample.truth`: the cast, and what each turn means and shows, in order."""
    return {
        "voice_id": plan.casting.voice.voice_id,
        "face_id": f"face-{plan.casting.face:02d}",
        "turns": list(_turns(plan)),
    }


def _turns(plan: VideoPlan) -> Iterator[dict[str, str]]:
    """Of all planned turns; the last ones may lie beyond the video's end."""
    for turn in plan.turns:
        yield {
            "intended": turn.intended,
            "voice": turn.voice,
            "face": turn.face,
            "words": turn.words,
            "text": turn.casting.sentence.text,
        }
