"""Videos of several turns: truth for every frame, of the turns as they are played."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from emollama.base.errors import EmollamaError
from emollama.corpora.readers.aff_wild2 import read_frame_rows
from emollama.probe import synthesize
from emollama.probe.emotions import EMOTIONS, VALENCE_AROUSAL
from emollama.probe.plan import Settings
from emollama.probe.videos import plan_video

SECONDS = 5


def test_turns_are_of_one_person_and_all_emotions_come() -> None:
    plans = [plan_video(Settings(seed=3), "train", i, 20) for i in range(3)]
    for plan in plans:
        assert len({(t.casting.voice.voice_id, t.casting.face) for t in plan.turns}) == 1
        assert {t.intended for t in plan.turns} == set(EMOTIONS)
    orders = {tuple(t.intended for t in plan.turns) for plan in plans}
    assert len(orders) == 3
    assert plans[0] == plan_video(Settings(seed=3), "train", 0, 20)


def test_every_frame_has_its_truth(tmp_path: Path) -> None:
    pytest.importorskip("espeakng_loader", reason="the extra 'synth' is not installed")
    manifest = synthesize(tmp_path, 10, seed=2, workers=2, seconds=SECONDS, progress=False)
    for number, sample in enumerate(s for s in manifest.samples if s.split == "train"):
        assert sample.video is not None and sample.targets.frames is not None
        rows = read_frame_rows(manifest.media(sample.targets.frames))
        with av.open(str(manifest.media(sample.video))) as container:
            assert sum(1 for _ in container.decode(video=0)) == len(rows) == SECONDS * 25
            assert container.duration is not None
            assert container.duration / av.time_base == pytest.approx(SECONDS, abs=0.1)
        # Before the first turn's expression begins nothing is shown; at its apex it is its own.
        first = plan_video(Settings(seed=2), "train", number, SECONDS).turns[0]
        apex = np.array(VALENCE_AROUSAL[first.intended])
        assert np.abs(rows[0]).max() < 0.25
        assert rows[30] == pytest.approx(apex, abs=0.12 * np.abs(apex).max() + 1e-3)
        assert sample.targets.valence == pytest.approx(rows[:, 0].mean(), abs=1e-3)
    with pytest.raises(EmollamaError, match="other settings"):
        synthesize(tmp_path, 10, seed=2, workers=2, progress=False)


def test_a_length_that_is_none_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(EmollamaError, match="4 to 60"):
        synthesize(tmp_path, 10, seed=2, seconds=2)
