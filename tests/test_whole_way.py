"""The whole way at tiny size, each stage the command a user types and a process of its own.

Real media, real frozen encoders; only the language model is a random one of two layers.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

from emollama.evaluation.predictions import read_predictions
from emollama.sample import read_manifest
from tests.tiny import tiny_llm

ROOT = Path(__file__).parents[1]
TOLERANCE = 1e-4  # of a probability, all in float32
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}
STREAMS = [
    {"name": "voice_states", "channel": "voice", "source": "whisper-tiny.en+layer=2+segments=8",
     "tokens": 2, "start": "probe"},
    {"name": "prosody", "channel": "voice", "source": "prosody"},
    {"name": "expression", "channel": "face", "source": "expression+frames=8", "start": "probe"},
    {"name": "meaning", "channel": "words", "source": "smollm2-135m-instruct"},
]  # fmt: skip


def call(*arguments: object) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr and "leaked" not in done.stderr
    return done


@pytest.fixture(scope="module")
def walked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("way")
    call("-m", "emollama", "synth", "--out", folder / "probe", "--clips", 30, "--seed", 3)
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
    call("train.py", "--cfg-path", folder / "train.yaml")
    call("eval_emotion.py", "--cfg-path", folder / "eval.yaml")
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
    done = subprocess.run(
        [sys.executable, "-m", "emollama", "predict", "x.mp4", "--model", str(spoilt)],
        cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2 and "stream 'prosody'" in done.stderr
    assert "is not the one that the model was tuned on" in done.stderr


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
