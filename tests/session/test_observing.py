"""What is seen and heard in a clip: real media, real frozen models."""

from __future__ import annotations

import re
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest
from PIL import Image

from emollama.encoders.expression import ExpressionEncoder
from emollama.media.decode import decode_clip
from emollama.media.speech import speech_spans
from emollama.media.transcript import repeats
from emollama.probe.plan import Settings, plan_clip
from emollama.probe.render import render_clip
from emollama.probe.voice import Speaker
from emollama.serving.decoders import DecoderPool, _done
from emollama.serving.settings import Settings as Serving
from emollama.session import Session
from emollama.session.observation import nothing_seen
from emollama.session.observing import Observer
from tests.features.made import voice, write_wav
from tests.media.recording import record
from tests.media.vowels import vowels


@pytest.fixture(scope="module")
def observer() -> Observer:
    return Observer()


PLAN = plan_clip(Settings(seed=5), "test", 0)


@pytest.fixture(scope="module")
def talking(tmp_path_factory: pytest.TempPathFactory) -> Path:
    clip = tmp_path_factory.mktemp("talking") / "clip.mp4"
    with Speaker() as speaker:
        render_clip(PLAN, speaker, clip)
    return clip


def test_a_talking_face_is_described_and_transcribed(observer: Observer, talking: Path) -> None:
    started = time.monotonic()
    observation = observer.watch(talking)
    assert 0.5 * (time.monotonic() - started) < observation.took < time.monotonic() - started
    said, heard = (
        {w.strip(".,!?").lower() for w in text.split()}
        for text in (PLAN.casting.sentence.text, observation.heard or "")
    )
    assert len(said & heard) >= len(said) / 2
    assert observation.transcript is not None
    assert all(0 <= p.start <= p.end <= observation.duration + 0.1 for p in observation.transcript)
    assert observation.peak is not None
    left, top, right, bottom = observation.peak.box
    height, width = observation.peak.image.shape[:2]
    assert left + 20 >= 0 and right - 20 <= width and 0.2 * width < right - left < width
    assert 0 < bottom - top < 1.2 * height and observation.peak.faces == 1
    assert sum(observation.peak.expression.values()) == pytest.approx(1, abs=1e-3)
    line = observation.timeline
    assert len(line.face_times) == len(line.expressions) == 8
    assert len(line.voice_times) == len(line.energy) == len(line.pitch) > 10
    assert np.isfinite(line.pitch).any() and np.isfinite(line.energy).all()
    assert {t.channel for t in observation.measurements} == {"voice", "face"}
    assert None not in line.to_dict()["voice"]["energy_db"]


def test_two_processes_at_once_see_and_hear_what_one_does(
    observer: Observer, talking: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = DecoderPool(cast(Session, SimpleNamespace(observer=observer)), Serving(watchers=2))
    monkeypatch.setattr(pool, "_run", lambda job: _done(observer, job, pool.settings)[1])
    write_wav(tmp_path / "humming.wav", vowels(150, 1.5))
    for path in (talking, tmp_path / "humming.wav"):
        one, both = observer.watch(path), pool.watch_and_hear(path)
        assert (both.heard, both.absent, both.speech_seconds) == (
            one.heard, one.absent, one.speech_seconds,
        )  # fmt: skip
        assert both.transcript == one.transcript and set(both.notes) == set(one.notes)
        assert both.measurements == one.measurements and set(both.tracks) == set(one.tracks)


def test_of_two_people_it_is_told_who_is_read(talking: Path, tmp_path: Path) -> None:
    expression = ExpressionEncoder(4)
    observer = Observer({expression.key: expression}, describe=False)
    assert observer.watch(talking, transcribe=False).notes == ()
    frames = decode_clip(talking, frames=4).frames
    assert frames is not None
    for i, image in enumerate(frames.images):
        small = Image.fromarray(image).resize((image.shape[1] * 2 // 3, image.shape[0] * 2 // 3))
        beside = np.pad(np.asarray(small), ((image.shape[0] - small.height, 0), (0, 0), (0, 0)))
        Image.fromarray(np.hstack([beside, image])).save(tmp_path / f"{i}.png")
    (note,) = observer.watch(tmp_path, transcribe=False).notes
    assert re.fullmatch(
        r"2 faces at once, e\.g\. at 0\.\d s; the right one is read, the largest and most certain",
        note,
    )
    (note,) = Observer(describe=False).watch(tmp_path, transcribe=False).notes
    assert note.endswith("; whoever speaks is read as one person")
    # A view says who is meant, and no face is read: nobody else is looked for.
    assert not Observer(describe=False).watch(tmp_path, transcribe=False, view=(0, 0, 1, 1)).notes
    # Within the part of the picture that shows the person there is nobody else.
    assert observer.watch(tmp_path, transcribe=False, view=(0.4, 0, 1, 1)).notes == ()


def test_silence_and_noise_hold_no_words_and_a_picture_without_a_face_no_peak(
    observer: Observer, tmp_path: Path
) -> None:
    voice(tmp_path / "silence.wav", 0, 3)
    silent = observer.watch(tmp_path / "silence.wav")
    assert silent.transcript == () and silent.heard is None and silent.peak is None
    faceless = observer.watch(record(tmp_path / "grey.mp4"))
    assert faceless.transcript == () and faceless.peak is None
    assert not len(faceless.timeline.face_times)
    assert not len(faceless.timeline.energy) and faceless.measurements == ()  # nothing is a voice


def test_nobody_listens_where_no_transcript_is_asked_for(
    observer: Observer, tmp_path: Path
) -> None:
    voice(tmp_path / "voice.wav", 200, 1)
    assert observer.watch(tmp_path / "voice.wav", transcribe=False).transcript is None


def test_a_clip_seen_with_its_words_is_told_without_them_as_if_nobody_had_listened() -> None:
    why = "someone speaks for 2.8 s, not understood (language: not English?)"
    heard = replace(nothing_seen(), transcript=(), speech_seconds=2.84, absent={"words": why},
                    notes=("no video track", why))  # fmt: skip
    told = heard.without_words()
    assert told.absent == {"words": "someone speaks for 2.8 s, not transcribed"}
    assert told.transcript is None and told.notes == ("no video track",)


def test_speech_goes_on_through_short_pauses_and_clicks_are_none() -> None:
    chances = np.zeros(100)
    chances[10:20] = chances[25:40] = 0.9  # 0.16 s apart
    chances[60:63] = 0.9  # 0.1 s
    (span,) = speech_spans(chances, 3.2)
    assert span.start == pytest.approx(0.22) and span.end == pytest.approx(1.38)


def test_a_transcriber_that_goes_round_in_circles_is_not_believed() -> None:
    assert repeats("thank you for watching. " * 8)
    assert not repeats("They broke it, and nobody told me until the evening.")
