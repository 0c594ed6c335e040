"""The whole corpus on disk: real speech, real files, the same whoever renders them."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from emollama.base.errors import EmollamaError
from emollama.manifest.sample import Manifest
from emollama.probe import contact_sheet, synthesize
from emollama.probe.cast import VOICES
from emollama.probe.emotions import Prosody
from emollama.probe.voice import Speaker, require_espeak

pytest.importorskip("espeakng_loader", reason="the extra 'synth' is not installed")

CLIPS = 12


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    out = tmp_path_factory.mktemp("probe") / "corpus"
    return synthesize(out, CLIPS, seed=5, workers=2, progress=False)


def digests(folder: Path) -> dict[str, str]:
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in folder.glob("**/*.*")
            if p.is_file()}  # fmt: skip


def test_the_same_bytes_with_another_number_of_workers(corpus: Manifest, tmp_path: Path) -> None:
    again = synthesize(tmp_path / "other", CLIPS, seed=5, workers=1, progress=False)
    assert digests(again.path.parent) == digests(corpus.path.parent)
    assert len(again.samples) == CLIPS


def test_clips_are_small_talking_videos(corpus: Manifest) -> None:
    for sample in corpus.samples:
        assert sample.video is not None
        with av.open(str(corpus.media(sample.video))) as container:
            picture, sound = container.streams.video[0], container.streams.audio[0]
            assert (picture.codec_context.name, sound.codec_context.name) == ("h264", "aac")
            assert (picture.width, picture.height) == (224, 224)
            assert picture.average_rate == 25
            assert container.duration is not None
            assert 1.9 <= container.duration / av.time_base <= 5.0
            frames = [f.to_ndarray() for f in container.decode(audio=0)]
        assert np.sqrt(np.mean(np.concatenate(frames, axis=1) ** 2)) > 0.005


def test_a_second_run_keeps_what_is_finished_and_makes_what_is_not(tmp_path: Path) -> None:
    first = synthesize(tmp_path, 10, seed=6, workers=1, progress=False)
    manifest = first.path.read_bytes()
    gone, kept = (first.media(first.samples[i].video or "") for i in (3, 4))
    before, stamp = gone.read_bytes(), kept.stat().st_mtime_ns
    gone.unlink()
    first.path.unlink()
    synthesize(tmp_path, 10, seed=6, workers=1, progress=False)
    assert gone.read_bytes() == before
    assert kept.stat().st_mtime_ns == stamp
    assert first.path.read_bytes() == manifest
    assert not list(tmp_path.glob("**/*.tmp"))
    with pytest.raises(EmollamaError, match="other settings"):
        synthesize(tmp_path, 10, seed=7, workers=1, progress=False)


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "manifest.jsonl").write_text("mine\n")
    with pytest.raises(EmollamaError, match="another corpus"):
        synthesize(tmp_path, 10, seed=1, progress=False)
    assert (tmp_path / "manifest.jsonl").read_text() == "mine\n"


def test_missing_espeak_is_one_line_that_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "espeakng_loader", None)
    with pytest.raises(EmollamaError, match="pip install espeakng-loader") as caught:
        synthesize(tmp_path / "out", 10, seed=1, progress=False)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()
    with pytest.raises(EmollamaError, match="synth"):
        require_espeak()


def test_every_voice_speaks_and_follows_pitch_rate_and_loudness() -> None:
    text, level = "The meeting starts at nine in the morning.", Prosody(0, 0, 0, 0)
    with Speaker() as speaker:
        for voices in VOICES.values():
            for voice in voices:
                assert speaker.speak(voice, text, level)[0].size > 20_000
        voice = VOICES["train"][0]
        plain, rate = speaker.speak(voice, text, level)
        again, _ = speaker.speak(voice, text, level)
        high, _ = speaker.speak(voice, text, Prosody(6, 0, 0, 0))
        fast, _ = speaker.speak(voice, text, Prosody(0, 0.3, 0, 0))
        loud, _ = speaker.speak(voice, text, Prosody(0, 0, 6, 0))
    assert np.array_equal(plain, again)
    semitones = 12 * np.log2(median_pitch(high, rate) / median_pitch(plain, rate))
    assert 4 < semitones < 8
    assert fast.size < 0.85 * plain.size
    assert 20 * np.log10(loud.std() / plain.std()) == pytest.approx(6, abs=1)


def test_every_variant_is_one_that_espeak_has_and_that_repeats_itself() -> None:
    import espeakng_loader

    folder = Path(espeakng_loader.get_data_path()) / "voices" / "!v"
    for voices in VOICES.values():
        for voice in voices:
            settings = (folder / voice.name.split("+")[1]).read_text(encoding="utf-8")
            assert "\nbreath" not in settings


def test_an_unknown_voice_is_one_line() -> None:
    voice = VOICES["train"][0].__class__("x", "xx-nowhere", 50, 170, 50)
    with Speaker() as speaker, pytest.raises(EmollamaError, match="espeak-ng"):
        speaker.speak(voice, "Hello.", Prosody(0, 0, 0, 0))


def test_contact_sheet_is_a_picture_with_six_columns(corpus: Manifest, tmp_path: Path) -> None:
    contact_sheet(corpus, tmp_path / "sheet.png", rows=2)
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.width == 6 * 224
        assert sheet.height > 224


def median_pitch(samples: np.ndarray, rate: int) -> float:
    """Hertz: the median over voiced windows of the autocorrelation's peak."""
    found, window = [], 1400
    for start in range(0, samples.size - window, window // 2):
        part = samples[start : start + window] - samples[start : start + window].mean()
        if part.std() < 0.02:
            continue
        correlation = np.correlate(part, part, "full")[window - 1 :]
        lags = correlation[rate // 400 : rate // 70]
        if lags.max() > 0.5 * correlation[0]:
            found.append(rate / (rate // 400 + int(lags.argmax())))
    return float(np.median(found))
