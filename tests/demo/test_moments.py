"""Each clue leads to the moment of the clip where it is most marked."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from emollama.demo.peak import peak_figure
from emollama.demo.timeline import lanes
from emollama.encoders.expression import CLASSES
from emollama.session import ClipView, Timeline
from emollama.session.moments import moments
from emollama.session.questions import measured
from tests.demo.made import look


def clip(voice: str = "", face: str = "") -> ClipView:
    """Ten seconds: highest at 2 s, loudest at 4, quietest at 6, silent from 8, saddest at 7."""
    times = np.arange(200) / 20
    bump = [np.exp(-(((times - at) / 0.4) ** 2)) for at in (2, 4, 6)]
    energy = -30 + 10 * bump[1] - 10 * bump[2]
    energy[times >= 8] = -80
    pitch = np.where(times < 8, 150 + 100 * bump[0], np.nan)
    pitch[100] = 590.0  # a single point is no clue
    faces = np.arange(8) + 0.5
    rows = np.full((8, len(CLASSES)), 0.1)
    rows[7, CLASSES.index("sad")] = 0.4
    rows[3] = np.nan
    made = look()
    line = Timeline(faces, rows, CLASSES, times, energy, pitch)
    seen = replace(made.observation, timeline=line, duration=10.0)
    return replace(made, observation=seen, clues={"voice": voice, "face": face})


def test_clues_are_most_marked_where_they_were_measured() -> None:
    found = moments(clip("high pitch, loud voice, slow speech", "face between happy and sad"))
    assert [(m.channel, m.words) for m in found] == [
        ("voice", "high pitch"), ("voice", "loud voice"), ("voice", "slow speech"),
        ("face", "face between happy and sad"),
    ]  # fmt: skip
    assert np.allclose([found[0].time, found[1].time], [2, 4], atol=0.1)  # type: ignore[arg-type]
    assert found[2].time is None
    (quiet,) = moments(clip("quiet voice"))
    assert quiet.time is not None and abs(quiet.time - 6) < 0.1  # not the silence at the end
    (sad,) = moments(clip(face="face looks sad"))
    assert sad.time == 7.5
    assert moments(clip("high pitch").without("voice")) == []


def test_the_timeline_goes_there_and_says_how_loud_the_voice_is() -> None:
    html = lanes(clip("loud voice"))
    assert 'data-seek="3.95">loud voice, most at 4.0 s</button>' in html
    assert "loud compared with the training corpus; -80 to -20 dB" in html
    assert "usual compared with" in lanes(clip("ordinary tone"))
    assert "compared" not in lanes(clip())
    assert 'data-length="10.000"' in html and 'class="playhead"' in html
    still = lanes(clip("loud voice"), seeks=False)
    assert "data-seek" not in still and "playhead" not in still and "most at 4.0 s" in still


def test_how_loud_and_how_high_is_answered_with_when() -> None:
    told = measured(clip("loud voice"))
    assert "\nloudness: loud compared with the training corpus, loudest at 4.0 s\n" in told
    assert "\npitch: 150 to 590 Hz, highest at 1.9 s, lowest at 4.5 s\n" in told
    assert "\nloudness: usual compared" in measured(clip("slow speech"))
    assert "loudness" not in measured(clip("loud voice").without("voice"))


def test_nothing_in_a_picture_has_a_time() -> None:
    made = clip(face="face looks sad")
    none = np.zeros(0)
    rows = np.full((8, len(CLASSES)), 1 / len(CLASSES))
    line = Timeline(np.zeros(8), rows, CLASSES, none, none, none)
    picture = replace(made, observation=replace(made.observation, timeline=line, duration=0.04))
    shown = lanes(picture) + peak_figure(picture)
    assert "<span>face looks sad</span>" in shown and "on average" in shown
    for timed in ("data-seek", "playhead", "most at", "0.0 s", "axis"):
        assert timed not in shown, timed
    assert "s, face" not in measured(picture)
