"""Scenes of real people, made of acted clips, with known truth.

python -m benchmarks.recordings.real_scenes ravdess --data ../shared/data --out SCENES
    --people 01,07,11,13 --at-once 2 --scenes 10

RAVDESS and EMO-DB give sound (FLAC), Java-SED gives films: even scenes show the people side by
side, odd ones cut between them; of two such scenes in turn the silent ones are frozen, then looped.
SCENES holds people's faces and voices under the corpora's own terms: it stays out of the
repository. Settings are chosen on some people (RAVDESS odd, EMO-DB 03 08 09 10 11, Java-SED all but
08) and measured on others.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path

import av
import numpy as np
from av.audio.frame import AudioFrame

from benchmarks.recordings.actors import Actor
from benchmarks.recordings.utterances import (
    LABELS,
    PERSON,
    Clip,
    Speech,
    dealt,
    read_clips,
    read_speech,
)
from emollama.base.errors import EmollamaError, one_line_errors
from emollama.base.files import atomic_path, read_json, write_json
from emollama.base.progress import bar
from emollama.media.clip import SAMPLE_RATE
from emollama.probe.render import write_film
from emollama.probe.scene_truth import (
    SceneTruth,
    TrueSegment,
    TrueTurn,
    joined_turns,
    truth_path,
    write_truth,
)
from emollama.probe.staging import (
    CUT,
    SIDE_BY_SIDE,
    cut_between,
    cut_times,
    pixels,
    side_by_side,
    staged,
)
from emollama.probe.turn_taking import BREATH, Placed, take_turns

SETTINGS_FILE = "settings.json"
_TONE = 0.0005  # RMS of the room's noise


def make_scenes(
    corpus: str,
    data: Path,
    out: Path,
    people: tuple[str, ...],
    at_once: int,
    scenes: int,
    seconds: float,
    seed: int,
    always: str | None = None,
) -> list[Path]:
    """Make what is missing of `scenes` scenes in `out`; returns the media files.

    Args:
        corpus: a key of `PERSON`.
        data: folder that holds the corpora.
        out: folder of the scenes.
        people: those who may appear.
        at_once: how many appear in a scene.
        scenes: how many scenes.
        seconds: length of each.
        seed: of all draws.
        always: one of `people` who appears in every scene.

    Raises:
        EmollamaError: too few people, a corpus or person that is not there, or `out` holds scenes
            of other settings.
    """
    if not 2 <= at_once <= len(people) or (always is not None and always not in people):
        raise EmollamaError(
            f"--at-once {at_once}: needs 2 to {len(people)} (--people), --always one of them"
        )
    clips = read_clips(data, corpus, people)
    settings = {"corpus": corpus, "people": list(people), "at_once": at_once, "seconds": seconds,
                "seed": seed, "always": always}  # fmt: skip
    out.mkdir(parents=True, exist_ok=True)
    if (out / SETTINGS_FILE).is_file() and read_json(out / SETTINGS_FILE) != settings:
        raise EmollamaError(f"{out / SETTINGS_FILE}: scenes of other settings; name another --out")
    write_json(out / SETTINGS_FILE, settings)
    suffix = "mp4" if corpus == "javased" else "flac"
    made = [out / f"{corpus}-{at_once}-{index:02d}.{suffix}" for index in range(scenes)]
    speech = lru_cache(None)(read_speech)
    with bar("scenes") as advance:
        for index, path in enumerate(made):
            advance(index, scenes)
            if truth_path(path).is_file() and path.is_file():
                continue
            generator = np.random.default_rng((seed, index, at_once))
            others = [person for person in people if person != always]
            cast = generator.permutation(others)[: at_once - (always is not None)].tolist()
            cast = [*cast, always] if always is not None else cast
            _make(generator, path, corpus, {p: clips[p] for p in cast}, seconds, index, speech)
        advance(scenes, scenes)
    return made


def _make(
    generator: np.random.Generator,
    path: Path,
    corpus: str,
    clips: dict[str, list[Clip]],
    seconds: float,
    index: int,
    speech: Callable[[Clip], Speech],
) -> None:
    """One scene and its truth; the truth is written last."""
    cast = list(clips)
    decks = [dealt(generator, clips[person]) for person in cast]

    def say(person: int) -> tuple[Speech, float]:
        said = speech(next(decks[person]))
        return said, said.seconds

    placed = take_turns(generator, len(cast), seconds, say)
    truth = scene_truth(path.name, corpus, seconds, cast, placed)
    sound = _mixed(generator, placed, seconds)
    if corpus != "javased":
        _write_flac(path, sound)
        write_truth(path, truth)
        return
    layout = CUT if index % 2 else SIDE_BY_SIDE
    people = list(truth.people)
    shown = cut_between(truth.turns, seconds) if layout == CUT else side_by_side(people, seconds)
    boxes = {part.person: pixels(part.box) for part in shown}
    size = {p: (right - left, bottom - top) for p, (left, top, right, bottom) in boxes.items()}
    actors = {
        person: Actor(clips[person], [p for p in placed if cast[p.person] == person],
                      index // 2 % 2 == 1, size[person])
        for person in people
    }  # fmt: skip
    frames = staged(shown, seconds, lambda person, number: actors[person].frame(number))
    with atomic_path(path) as temporary:
        write_film(temporary, frames, sound, SAMPLE_RATE)
    cuts = cut_times(shown)
    write_truth(path, SceneTruth(**{**vars(truth), "layout": layout, "shown": shown, "cuts": cuts}))


def scene_truth(
    media: str, corpus: str, seconds: float, cast: Sequence[str], placed: Sequence[Placed[Speech]]
) -> SceneTruth:
    """The truth of a scene that is only heard; people have the corpus's own ids."""
    segments = tuple(
        TrueSegment(
            p.start, p.end, cast[p.person], p.said.clip.emotion, p.said.clip.native,
            p.said.clip.name, {"voice": p.said.clip.emotion}, p.said.clip.text,
        )
        for p in placed
    )  # fmt: skip
    people = tuple(dict.fromkeys(segment.person for segment in segments))
    spoken = [
        TrueTurn(p.start + start, p.start + end, cast[p.person])
        for p in placed
        for start, end in p.said.spoken
    ]
    turns = joined_turns(spoken, BREATH)
    return SceneTruth(media, corpus, "sound", seconds, people, LABELS, turns, segments)


def _mixed(
    generator: np.random.Generator, placed: Sequence[Placed[Speech]], seconds: float
) -> np.ndarray:
    """All that is said, in a quiet room: float32 [n] at 16 kHz."""
    sound = generator.normal(0, _TONE, round(seconds * SAMPLE_RATE))
    for part in placed:
        first = round(part.start * SAMPLE_RATE)
        sound[first : first + part.said.sound.size] += part.said.sound
    return np.clip(sound, -1, 1).astype(np.float32)


def _write_flac(path: Path, sound: np.ndarray) -> None:
    with atomic_path(path) as temporary, av.open(str(temporary), "w", format="flac") as container:
        stream = container.add_stream("flac", rate=SAMPLE_RATE, layout="mono")
        for frame in _blocks(np.rint(sound * 32767).astype(np.int16)):
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def _blocks(samples: np.ndarray, size: int = 4096) -> Iterator[AudioFrame]:
    for start in range(0, samples.size, size):
        block = np.ascontiguousarray(samples[None, start : start + size])
        frame = AudioFrame.from_ndarray(block, format="s16", layout="mono")
        frame.sample_rate, frame.pts = SAMPLE_RATE, start
        yield frame


@one_line_errors
def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("corpus", choices=sorted(PERSON))
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--people", required=True)
    parser.add_argument("--at-once", type=int, default=2)
    parser.add_argument("--scenes", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--always")
    a = parser.parse_args()
    people = tuple(a.people.split(","))
    made = make_scenes(
        a.corpus, a.data, a.out, people, a.at_once, a.scenes, a.seconds, a.seed, a.always
    )
    print(f"{a.out}: {len(made)} scenes")


if __name__ == "__main__":
    main()
