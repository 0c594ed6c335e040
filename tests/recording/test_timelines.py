"""Timelines: five rows a second, each person's own."""

from __future__ import annotations

import numpy as np

from emollama.recording.parts import Person, Turn
from emollama.recording.timelines import timelines
from tests.recording.made_up import blocks, track


def test_a_row_tells_of_its_own_fifth_of_a_second_and_person() -> None:
    seen = (track(2, 4), track(6, 8))
    people = [Person("A", seen, True), Person("B", (), True)]
    turns = [Turn(1, 3, "A"), Turn(4, 5, "B"), Turn(7, 8, "A")]
    voices = blocks([(1, 3, 0), (4, 5, 1), (7, 8, 0)], 10.0)
    voices[0].pitch[140:160] = 180.0  # 7 to 8 s
    found = timelines(people, turns, voices, 10.0)
    line = found["A"]
    assert len(line.times) == 50 and line.times[0] == 0.1
    face = np.isfinite(line.expressions[:, 0])
    inside = ((line.times > 2) & (line.times < 4)) | ((line.times > 6) & (line.times < 8))
    assert (face == inside)[np.abs(line.times[:, None] - [2, 4, 6, 8]).min(1) > 0.2].all()
    spoken = ((line.times > 1) & (line.times < 3)) | (line.times > 7) & (line.times < 8)
    assert line.speaking.tolist() == spoken.tolist()
    assert np.isfinite(line.loudness).tolist() == spoken.tolist()
    assert np.nanmin(line.loudness) > -31 and np.nanmax(line.loudness) < -19
    assert np.flatnonzero(np.isfinite(line.pitch)).tolist() == list(range(35, 40))
    assert not np.isfinite(found["B"].expressions).any() and found["B"].speaking.sum() == 5


def test_a_silent_recording_has_no_loudness() -> None:
    line = timelines([Person("A", (track(0, 1),), False)], [], [], 1.05)["A"]
    assert len(line.times) == 6 and not np.isfinite(line.loudness).any()
    assert np.isfinite(line.expressions[:5]).all()
