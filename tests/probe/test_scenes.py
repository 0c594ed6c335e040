"""Scenes: people who take turns, whose truth is that of what is heard and seen."""

from __future__ import annotations

import hashlib
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from emollama.base.errors import EmollamaError
from emollama.media.clip import SAMPLE_RATE
from emollama.media.decode import decode_clip
from emollama.probe import synthesize
from emollama.probe.plan import Settings
from emollama.probe.scene_truth import TrueTurn, read_truth, truth_path
from emollama.probe.scenes import plan_scene
from emollama.probe.staging import cut_between, cut_times, side_by_side, staged
from emollama.probe.turn_taking import take_turns

SECONDS = 10


@pytest.mark.parametrize("people", [2, 3])
def test_people_take_turns_and_sometimes_speak_at_once(people: int) -> None:
    generator = np.random.default_rng(people)

    def say(person: int) -> tuple[int, float]:
        return person, float(generator.uniform(1.0, 4.0))

    placed = take_turns(generator, people, 600.0, say)
    assert {part.person for part in placed} == set(range(people))
    assert all(part.said == part.person and part.end <= 599.5 for part in placed)
    for person in range(people):
        own = sorted((p.start, p.end) for p in placed if p.person == person)
        assert all(end < start for (_, end), (start, _) in pairwise(own))
    times = np.arange(0, 600, 0.05)
    speaking = sum(((p.start <= times) & (times < p.end)).astype(int) for p in placed)
    assert 0.01 < (speaking == 2).mean() < 0.1
    assert (speaking > 2).mean() < 0.005
    assert (speaking == 0).mean() < 0.35


def test_whoever_begins_to_speak_fills_the_picture() -> None:
    turns = [TrueTurn(0.5, 3.0, "a"), TrueTurn(2.51, 4.0, "b"), TrueTurn(6.0, 9.0, "a")]
    shown = cut_between(turns, 10.0)
    assert [(s.start, s.end, s.person) for s in shown] == [
        (0.0, 2.52, "a"), (2.52, 6.0, "b"), (6.0, 10.0, "a"),
    ]  # fmt: skip
    assert cut_times(shown) == (2.52, 6.0)
    assert cut_times(side_by_side("ab", 10.0)) == ()
    shade = {"a": 100, "b": 200}
    frames = list(
        staged(shown, 10.0, lambda person, _: np.full((360, 640, 3), shade[person], np.uint8))
    )
    assert [int(frames[n][0, 0, 0]) for n in (0, 62, 63, 149, 150)] == [100, 100, 200, 200, 100]


def test_people_of_a_scene_differ_and_splits_share_nobody() -> None:
    def cast(split: str, index: int) -> list[tuple[str, int]]:
        plan = plan_scene(Settings(seed=3), split, index, 600, 3)  # type: ignore[arg-type]
        return [(c.voice.voice_id, c.face) for c in plan.cast]

    people = {split: {p for i in range(8) for p in cast(split, i)} for split in ("train", "test")}
    for kind in (0, 1):
        assert all(len({p[kind] for p in cast("test", i)}) == 3 for i in range(8))
        assert not {p[kind] for p in people["train"]} & {p[kind] for p in people["test"]}


def test_a_scene_is_what_its_truth_says(tmp_path: Path) -> None:
    pytest.importorskip("espeakng_loader", reason="the extra 'synth' is not installed")
    manifest = synthesize(tmp_path, 1, seed=4, workers=1, seconds=SECONDS, people=2, progress=False)
    path = tmp_path / "clips" / "test-0000.mp4"
    truth = read_truth(truth_path(path))
    clip = decode_clip(path, frames=SECONDS * 5, max_side=None)
    assert clip.audio is not None and clip.frames is not None
    assert clip.frames.images.shape[1:] == (360, 640, 3)
    assert clip.duration == pytest.approx(SECONDS, abs=0.1)
    times = np.arange(clip.audio.size) / SAMPLE_RATE
    spoken = np.zeros(times.size, bool)
    for turn in truth.turns:
        spoken |= (turn.start <= times) & (times < turn.end)
    assert clip.audio[spoken].std() > 10 * clip.audio[~spoken].std()
    # The mouth of who speaks moves more than that of who listens.
    moving = np.abs(np.diff(clip.frames.images[:, 220:280].astype(float), axis=0)).mean((1, 3))
    moments = clip.frames.times[1:]
    for part in truth.shown:
        middle = round((part.box[0] + part.box[2]) / 2 * 640)
        motion = moving[:, middle - 40 : middle + 40].mean(1)
        own = np.zeros(moments.size, bool)
        for turn in truth.turns:
            own |= (turn.person == part.person) & (turn.start <= moments) & (moments < turn.end)
        assert motion[own].mean() > 1.3 * motion[~own].mean()
    assert len(manifest.samples) == len(truth.segments)
    for sample, segment in zip(manifest.samples, truth.segments, strict=True):
        assert (sample.start, sample.targets.emotion) == (segment.start, segment.emotion)
        assert sample.truth == segment.channels and sample.text == segment.text
        assert sample.view in {part.box for part in truth.shown if part.person == segment.person}
    before = hashlib.sha256(path.read_bytes()).hexdigest()
    path.unlink()
    synthesize(tmp_path, 1, seed=4, workers=1, seconds=SECONDS, people=2, progress=False)
    assert hashlib.sha256(path.read_bytes()).hexdigest() == before


def test_scenes_that_cannot_be_are_one_line(tmp_path: Path) -> None:
    with pytest.raises(EmollamaError, match="10 to 3600"):
        synthesize(tmp_path, 1, seed=2, seconds=5, people=2)
    with pytest.raises(EmollamaError, match="2 or 3"):
        synthesize(tmp_path, 1, seed=2, seconds=60, people=4)
    (tmp_path / "x.truth.json").write_text('{"version": 1}')
    with pytest.raises(EmollamaError, match=r"x\.truth\.json: is not the truth of a scene"):
        read_truth(tmp_path / "x.truth.json")
