"""An analysis with everything that a file must be able to hold."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from emollama.recording.parts import (
    FACE_RATE,
    Analysis,
    FaceTrack,
    Person,
    Segment,
    SegmentAnswer,
    Timeline,
    Turn,
    Word,
)

LABELS = ("neutral", "angry", "happy", "sad", "worried", "surprise")
STEM = "Ann & Bo's <talk> #1"
NASTY = '</script><b>"No"</b>'


def scores(**known: float) -> dict[str, float]:
    """Probabilities; what is left is shared by the other labels."""
    rest = (1 - sum(known.values())) / (len(LABELS) - len(known))
    return {label: known.get(label, rest) for label in LABELS}


def answered(label: str, p: float, **more: object) -> SegmentAnswer:
    return SegmentAnswer(label, scores(**{label: p}), **more)  # type: ignore[arg-type]


def segment(person: str, start: float, end: float, words: str = "", **more: object) -> Segment:
    said = words.split()
    step = (end - start) / max(len(said), 1)
    times = [start + i * step for i in range(len(said) + 1)]
    return Segment(
        f"{STEM}-{person}-{round(start * 100):07d}", person, start, end,
        end - start if said else 0.0, more.get("view"),  # type: ignore[arg-type]
        tuple(Word(times[i], times[i + 1], word) for i, word in enumerate(said)), 0.9,
    )  # fmt: skip


def track(start: float, end: float, left: float) -> FaceTrack:
    times = np.arange(start, end, 1 / FACE_RATE)
    count = len(times)
    boxes = np.tile(np.float32([left, 0.2, left + 0.2, 0.6]), (count, 1))
    return FaceTrack(
        times, boxes, np.full(count, 0.9, np.float32), np.full((count, 7), 1 / 7, np.float32),
        times, np.zeros(count, np.float32), np.zeros(8, np.float32),
    )  # fmt: skip


def timeline(duration: float, seed: int, values: bool = True) -> Timeline:
    """Smooth curves with gaps, as of a person who is not always seen and does not always speak."""
    count = int(duration * FACE_RATE)
    times = np.arange(count) / FACE_RATE
    random = np.random.default_rng(seed)
    waves = np.stack([np.sin(times / (7 + 5 * i) + random.uniform(0, 6)) for i in range(9)], axis=1)
    raw = np.exp(2 * waves[:, :7])
    expressions = (raw / raw.sum(1, keepdims=True)).astype(np.float32)
    speaking = np.sin(times / 6 + seed * 2) > 0
    expressions[np.sin(times / 23 + seed) > 0.9] = np.nan
    heard = np.where(speaking, 0, np.nan)
    return Timeline(
        times, expressions, speaking,
        (-25 + 8 * waves[:, 7] + heard).astype(np.float32),
        (180 + 60 * waves[:, 8] + heard).astype(np.float32),
        {"valence": waves[:, 7].astype(np.float32), "arousal": waves[:, 8].astype(np.float32)}
        if values
        else {},
    )  # fmt: skip


def analysis(recording: Path) -> Analysis:
    """Two people, one of them not seen; a change, a conflict, an error, an overlap, odd words."""
    segments = (
        segment("A", 0.5, 4.25, "I see you there", view=(0.1, 0.1, 0.5, 0.9)),
        segment("B", 4.0, 7.0, f"{NASTY} & --> so"),
        segment("A", 7.5, 12.0, "but why", view=(0.1, 0.1, 0.5, 0.9)),
        segment("A", 12.0, 19.0, "", view=(0.2, 0.1, 0.6, 0.9)),
        segment("B", 18.0, 20.0, "fine"),
    )
    voice_words = {"voice": scores(angry=0.7), "words": scores(happy=0.8), "face": scores(sad=0.3)}
    answers = (
        answered("neutral", 0.8, label_set=("neutral", "sad"), without_norm=scores(sad=0.6)),
        answered(
            "angry", 0.7, by_channel=voice_words, reason=f"He says {NASTY}.", reason_from="clues"
        ),
        answered("angry", 0.6, notes=("the face is small", "far away")),
        SegmentAnswer(None, {}, error="nobody is seen or heard"),
        answered("happy", 0.9),
    )
    return Analysis(
        recording=recording,
        duration=20.0,
        size=(640, 360),
        people=(Person("A", (track(0.4, 19, 0.1),), True), Person("B", (), True)),
        turns=(Turn(0.5, 4.25, "A"), Turn(4.0, 7.0, "B"), Turn(7.5, 12, "A"), Turn(18, 20, "B")),
        cuts=(12.0,),
        segments=segments,
        answers=answers,
        timelines={"A": timeline(20, 0), "B": timeline(20, 1)},
        labels=LABELS,
        model="tiny",
        coverage=0.9,
        notes=(f"the file breaks off {NASTY}",),
    )
