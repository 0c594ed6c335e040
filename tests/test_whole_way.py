"""The whole way at tiny size, each stage the command a user types and a process of its own.

Each entry point starts cold once; what comes after is forked with its imports done. Real media,
real frozen encoders; only the language model is a random one of two layers.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import wave
from pathlib import Path

import numpy as np
import pytest
import yaml

from emollama.manifest.sample import read_manifest
from emollama.media.decode import SAMPLE_RATE, decode_clip
from emollama.scoring.predictions.predictions import read_predictions
from tests import warm
from tests.tiny import tiny_llm

ROOT = Path(__file__).parents[1]
TOLERANCE = 1e-4  # of a probability, all in float32
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}
STREAMS = [
    {"name": "voice_states", "channel": "voice", "source": "whisper-tiny.en+layer=2+segments=8",
     "tokens": 2, "initial_weights": "probe"},
    {"name": "prosody", "channel": "voice", "source": "prosody"},
    {"name": "expression", "channel": "face", "source": "expression+frames=8",
     "initial_weights": "probe"},
    {"name": "meaning", "channel": "words", "source": "smollm2-135m-instruct"},
]  # fmt: skip


def call(*arguments: object, cold: bool = False) -> subprocess.CompletedProcess[str]:
    if cold:
        done = subprocess.run(
            [sys.executable, *map(str, arguments)],
            cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True, check=False,
        )  # fmt: skip
    else:
        done = warm.run(*arguments, env=ENVIRONMENT)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr and "leaked" not in done.stderr
    return done


@pytest.fixture(scope="module")
def walked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("way")
    call("-m", "emollama", "synth", "--out", folder / "probe", "--clips", 20, "--seed", 3)
    manifest, store = folder / "probe/manifest.jsonl", folder / "store"
    encoders = ",".join(str(s["source"]) for s in STREAMS)
    call(
        "-m", "emollama", "extract", manifest, "--store", store, "--encoders", encoders, "--strict"
    )
    tiny_llm(folder / "llm")
    data = {"manifest": str(manifest), "store": str(store)}
    train = {
        "output": str(folder / "run"),
        "data": data,
        "model": {"llm": str(folder / "llm"), "dtype": "float32", "streams": STREAMS,
                  "lora": {"r": 4, "alpha": 8}},
        "tasks": {"reason": {"share": 0.5}},
        "modality_dropout": {"voice": 0.2, "face": 0.2, "words": 0.2},
        "training": {"max_steps": 8, "batch_size": 4, "learning_rate": 0.01, "warmup_steps": 1},
    }  # fmt: skip
    evaluation = {
        "model": str(folder / "run/model"),
        "output": str(folder / "eval"),
        "data": data,
        "dtype": "float32",
        "reasons": {"count": 4, "max_new_tokens": 12},
        "bootstrap": 100,
    }
    for name, config in (("train", train), ("eval", evaluation)):
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(config))
    call("train.py", "--cfg-path", folder / "train.yaml", cold=True)
    call("eval_emotion.py", "--cfg-path", folder / "eval.yaml", cold=True)
    return folder


def test_a_clip_answered_from_its_file_is_the_clip_answered_from_the_store(walked: Path) -> None:
    """Cached = online: from the mp4 in a process of its own, against evaluation's figures."""
    manifest = read_manifest(walked / "probe/manifest.jsonl")
    cached = {
        p.id: p.scores
        for p in read_predictions(walked / "eval/predictions.jsonl").select(
            ("voice", "face", "words"), "model"
        )
    }
    samples = manifest.split("test")[:3]
    seen = []
    for sample in samples:
        done = call(
            "-m", "emollama", "predict", manifest.media(str(sample.video)), "--json",
            "--model", walked / "run/model", "--text", sample.text, "--dtype", "float32",
            cold=not seen,
        )  # fmt: skip
        answer = json.loads(done.stdout)
        assert answer["channels"] == ["voice", "face", "words"] and answer["reason"]
        labels = manifest.labels.labels
        online = [answer["scores"][label] for label in labels]
        expected = cached[sample.id]
        assert expected is not None
        np.testing.assert_allclose(online, [expected[label] for label in labels], atol=TOLERANCE)
        assert answer["label"] == max(answer["scores"], key=answer["scores"].__getitem__)
        seen.append(online)
    assert np.ptp(seen, axis=0).max() > 10 * TOLERANCE  # the clips are told apart


def test_the_artefact_knows_its_encoders_in_full(walked: Path) -> None:
    path = walked / "run/model/processor.json"
    streams = json.loads(path.read_text())["streams"]
    assert [s["source"] for s in streams][:2] == [
        "whisper-tiny.en+layer=2+segments=8", "prosody+segments=1"
    ]  # fmt: skip
    assert all(len(s["fingerprint"]) == 64 for s in streams)
    spoilt = walked / "spoilt"
    shutil.copytree(walked / "run/model", spoilt)
    for name in ("processor.json", "config.json"):
        text = (spoilt / name).read_text().replace(streams[1]["fingerprint"], "0" * 64)
        (spoilt / name).write_text(text)
    clip = next((walked / "probe").rglob("*.mp4"))
    done = warm.run("-m", "emollama", "predict", clip, "--model", spoilt)
    assert done.returncode == 2 and "'prosody'" in done.stderr
    assert "differs from the encoder in training" in done.stderr


def test_the_report_is_whole_and_made_again_from_its_predictions(walked: Path) -> None:
    report = json.loads((walked / "eval/report.json").read_text())
    for name in ("confusion.png", "modality.png", "reliability.png", "per_class.png"):
        assert (walked / "eval" / name).read_bytes().startswith(b"\x89PNG")
    predictions = read_predictions(walked / "eval/predictions.jsonl")
    assert len(predictions.channel_sets("model")) == 7
    call(
        "-m", "emollama", "score", walked / "eval/predictions.jsonl",
        "--baseline", walked / "eval/baseline.jsonl", "--out", walked / "again",
        "--bootstrap", 100,
    )  # fmt: skip
    again = json.loads((walked / "again/report.json").read_text())
    assert again["scores"] == report["scores"]  # the intervals too


@pytest.fixture(scope="module")
def fused(walked: Path) -> Path:
    """A preset at a small size, over three encoders' tracks, trained and evaluated."""
    data = [f"data.manifest={walked}/probe/manifest.jsonl", f"data.store={walked}/store"]
    modalities = ", ".join(
        f"{{name: {name}, channel: {channel}, source: {source}}}"
        for name, channel, source in (
            ("voice", "voice", "prosody"), ("face", "face", "expression+frames=8"),
            ("words", "words", "smollm2-135m-instruct"),
        )
    )  # fmt: skip
    call(
        "train.py", "--cfg-path", "train_configs/merbench-attention.yaml", "--options", *data,
        f"output={walked}/fused", f"fusion.modalities=[{modalities}]", "fusion.options.hidden=16",
        "task.kind=label", "task.values=[]", "training.epochs=4", "data.validation_split=val",
    )  # fmt: skip
    call(
        "eval_emotion.py", "--cfg-path", "eval_configs/quickstart-early.yaml", "--options", *data,
        f"model={walked}/fused/model", f"output={walked}/fused/eval", "bootstrap=100",
        "baseline=false",
    )  # fmt: skip
    return walked / "fused"


def test_a_fusion_model_of_cached_tracks_answers_a_raw_clip_the_same(
    walked: Path, fused: Path
) -> None:
    predictions = read_predictions(fused / "eval/predictions.jsonl")
    manifest = read_manifest(walked / "probe/manifest.jsonl")
    sample = manifest.split("test")[0]
    clip = manifest.media(str(sample.video))
    asked = ("--json", "--model", fused / "model", "--text", sample.text)
    answer = json.loads(call("-m", "emollama", "predict", clip, *asked).stdout)
    (row,) = (r for r in predictions.select(("voice", "face", "words")) if r.id == sample.id)
    assert answer["scores"] == pytest.approx(row.scores, abs=TOLERANCE)
    # The sound of the same clip and its words, without a picture.
    sound = clip_to_wav(clip, walked / "sound.wav")
    heard = json.loads(call("-m", "emollama", "predict", sound, *asked).stdout)
    assert heard["channels"] == ["voice", "words"] and "no face in this clip" in heard["notes"]
    (row,) = (r for r in predictions.select(("voice", "words")) if r.id == sample.id)
    assert heard["scores"] == pytest.approx(row.scores, abs=0.01), "another file's rounding"


def clip_to_wav(clip: Path, path: Path) -> Path:
    """The sound of a clip as 16-bit wav."""
    audio = decode_clip(clip, want_video=False).audio
    assert audio is not None
    with wave.open(str(path), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(SAMPLE_RATE)
        out.writeframes((audio * 32767).astype("<i2").tobytes())
    return path


@pytest.mark.parametrize("kind", ["run", "fused"])
def test_a_raw_clip_is_explained_as_it_is_answered(walked: Path, fused: Path, kind: str) -> None:
    """The language model and the fusion model: from the mp4, not from manifest and store."""
    manifest = read_manifest(walked / "probe/manifest.jsonl")
    sample = manifest.split("test")[0]
    out = walked / f"explained-{kind}"
    more = ("--reason", "--dtype", "float32") if kind == "run" else ()
    call(
        "-m", "emollama", "explain", manifest.media(str(sample.video)), "--text", sample.text,
        "--model", walked / kind / "model", "--out", out, "--orders", 1, *more,
    )  # fmt: skip
    (page,) = out.glob("*.html")
    case = json.loads(page.with_suffix(".json").read_text())
    folder = fused / "eval" if kind == "fused" else walked / "eval"
    rows = read_predictions(folder / "predictions.jsonl").select(("voice", "face", "words"))
    (row,) = (r for r in rows if r.id == sample.id)
    assert case["scores"] == pytest.approx(row.scores, abs=TOLERANCE)
    for found in case["shapley"]:
        total = sum(found["probability"].values())
        assert total == pytest.approx(found["full"] - found["empty"], abs=1e-6)
    assert page.with_suffix(".png").read_bytes().startswith(b"\x89PNG")
    assert (case["reason"] is not None) == (kind == "run")
