"""The transcriber that was chosen hears the clip's language, or says in one line why it cannot."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers.models.whisper import tokenization_whisper

from emollama.assets import asset_home
from emollama.base.errors import EmollamaError
from emollama.media.languages import LANGUAGES, Language
from emollama.media.speech import Span, SpeechActivity
from emollama.media.transcript import Transcriber
from emollama.media.whispers import Whisper
from emollama.session.observing import Observer
from tests.assets.test_convert import SPEAK
from tests.media.recording import record
from tests.media.small_whisper import SPOKEN, save_whisper

NOISE = np.random.default_rng(0).normal(scale=0.1, size=80_000).astype(np.float32)
SPANS = [Span(0.0, 1.0), Span(1.5, 4.5)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_whisper(tmp_path_factory.mktemp("whisper") / "tiny-of-mine")


def transcriber(folder: Path, language: str | None = None) -> Transcriber:
    return Transcriber(folder, SpeechActivity.from_asset(), language)


def test_the_languages_are_whispers() -> None:
    published = tokenization_whisper.LANGUAGES
    assert {c: n.title() for c, n in published.items()} == LANGUAGES


def test_the_language_is_detected_as_transformers_does(folder: Path) -> None:
    found = transcriber(folder)
    said = found.hear(NOISE, SPANS)
    assert said.language is not None and said.language.code in SPOKEN
    part = NOISE[: round(4.5 * 16_000)]
    features = found.processor(part, sampling_rate=16_000, return_tensors="pt").input_features
    (token,) = found.model.detect_language(features)
    assert found.processor.tokenizer.decode(token) == f"<|{said.language.code}|>"
    assert 1 / len(SPOKEN) < (said.language.probability or 0) < 1
    assert found.hear(NOISE, []).language is None


@pytest.mark.parametrize("language", SPOKEN)
def test_words_are_in_the_language_that_was_set(folder: Path, language: str) -> None:
    found = transcriber(folder, language)
    states = found.states([NOISE[: 5 * 16_000]])
    asked: list[list[int]] = []
    step = found._next
    found._next = lambda ids, *rest: asked.append(list(ids[0])) or step(ids, *rest)  # type: ignore
    found.hear(NOISE, [Span(0.0, 5.0)])
    tokens = found.processor.tokenizer.convert_ids_to_tokens(asked[0])
    assert tokens == ["<|startoftranscript|>", f"<|{language}|>", "<|transcribe|>"]
    ids = found.processor.tokenizer.convert_tokens_to_ids(tokens)
    with torch.inference_mode():
        (mine,) = found._greedy(states, [6], ids[1:])
    features = found.processor(NOISE, sampling_rate=16_000, return_tensors="pt").input_features
    theirs = found.model.generate(
        features, language=language, task="transcribe", return_timestamps=True, max_new_tokens=6
    )
    theirs = [int(i) for i in theirs[0] if int(i) not in (ids[0], *ids[1:])]
    assert list(mine.ids) == theirs[: len(mine.ids)] and len(mine.ids) > 3
    assert found.hear(NOISE, SPANS).language == Language(language)


def test_an_english_only_folder_is_asked_without_a_language(tmp_path: Path) -> None:
    said = transcriber(save_whisper(tmp_path / "w", multilingual=False), "en").hear(NOISE, SPANS)
    assert said.language is None


def test_every_mistake_is_one_line(folder: Path, tmp_path: Path) -> None:
    english = save_whisper(tmp_path / "english", multilingual=False)
    bert = tmp_path / "bert"
    bert.mkdir()
    (bert / "config.json").write_text(json.dumps({"model_type": "bert"}))
    bare = tmp_path / "bare"
    bare.mkdir()
    (bare / "config.json").write_text(json.dumps({"model_type": "whisper"}))
    cases = {
        ("whisper-tiny.en", "de"): "'de': transcriber whisper-tiny.en knows only English",
        (str(english), "de"): "'de': transcriber english knows only English",
        ("whisper-base", "German"): "'German' is no code that Whisper knows; did you mean 'de'?",
        ("whisper-base", "xx"): "'xx' is no code that Whisper knows",
        ("whisper-bse", None): "'whisper-bse': is neither a name nor a folder; did you mean 'whi",
        (str(tmp_path), None): "is a folder without config.json",
        (str(bert), None): "model_type is 'bert', a transcriber needs 'whisper'",
        (str(bare), None): r"holds no \*.safetensors weights",
    }
    for (name, language), expected in cases.items():
        with pytest.raises(EmollamaError, match=expected) as caught:
            Whisper(name, language)
        assert "\n" not in str(caught.value)
    assert Whisper(str(folder), "de").title == "tiny-of-mine"
    with pytest.raises(EmollamaError, match="does not know language 'fr'"):
        transcriber(folder, "fr")


def test_an_observation_tells_transcriber_and_language(folder: Path, tmp_path: Path) -> None:
    observer = Observer(describe=False, whisper=Whisper(str(folder), "de"))
    observer._transcriber.activity.spans = lambda audio: SPANS  # type: ignore[method-assign]
    record(tmp_path / "clip.mp4", seconds=5.0)
    seen = observer.watch(tmp_path / "clip.mp4")
    assert seen.heard_by == "the words were transcribed by tiny-of-mine, in German (as set)"
    assert seen.language == Language("de") and seen.language.to_dict() == {"code": "de"}


@pytest.mark.skipif(
    not (asset_home() / "whisper-base" / "asset.json").is_file(), reason="no whisper-base here"
)
def test_whisper_base_hears_german() -> None:
    pytest.importorskip("espeakng_loader")
    sentence = "Guten Morgen, wie geht es Ihnen heute?"
    speak = SPEAK.replace("en-us", "de")
    done = subprocess.run([sys.executable, "-c", speak, sentence], capture_output=True, check=True)
    spoken = np.frombuffer(done.stdout, np.int16).astype(np.float32) / 32768
    times = np.arange(0, len(spoken), 22050 / 16000)
    sound = np.interp(times, np.arange(len(spoken)), spoken).astype(np.float32)
    found = Transcriber.open(Whisper("whisper-base"))
    # openai/whisper-base, generation_config.json
    assert (found.languages["de"], found._task, found.first_stamp) == (50261, [50359], 50364)
    said = found.transcribe(sound)
    assert said.language is not None and said.language.code == "de"
    heard = " ".join(phrase.text for phrase in said.phrases)
    words = re.findall(r"\w+", sentence.lower())
    assert len(set(words) & set(re.findall(r"\w+", heard.lower()))) >= 5, heard
    with torch.inference_mode():
        assert found.hear(sound, []).phrases == ()
