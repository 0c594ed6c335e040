"""Makes `stored/`: one small thing of each kind that users keep, by the commands of a release.

    cd stored && python ../make.py RELEASE

RELEASE is a checkout of the release whose files are wanted; its train.py, eval_emotion.py and
commands are run there, so nothing here may import emollama. What is committed in `stored/` was
made at commit 9d0e1b2 (version 0.1.0), on a CPU in float32. Only relative paths get into the files.
A test opens each with today's code and compares label scores with those of `eval-*/`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import yaml

HERE = Path(__file__).resolve().parent
CLIPS = 8
WORDS = ("happy", "sad", "angry", "neutral")


def media(folder: Path) -> None:
    """Clips of 0.6 to 1.3 s: grey levels and a tone, as the decoding tests have them."""
    from tests.media.recording import record

    folder.mkdir()
    for i in range(CLIPS):
        record(folder / f"clip-{i}.mp4", seconds=0.6 + 0.1 * i, size=(32, 24), fps=10)


def tables() -> None:
    """A CSV of the clips, sentences and OpenFace rows for annotations, tracks of another tool."""
    rows = ["id,path,text,label,split,group"]
    sentences = ["name,sentence"]
    Path("openface").mkdir()
    Path("face").mkdir()
    draw = np.random.default_rng(0)
    for i in range(CLIPS):
        split = ("train", "train", "val", "test")[i // 2]
        text = f"This is sentence number {i}."
        rows.append(f"clip-{i},media/clip-{i}.mp4,{text},{WORDS[i % 4]},{split},g{i}")
        sentences.append(f"clip-{i},{text}")
        smile, frown = (3.0, 0.1) if i % 2 else (0.1, 3.0)
        lines = ["frame, face_id, timestamp, confidence, success, AU04_r, AU06_r, AU12_r, AU15_r"]
        lines += [
            f"{f + 1}, 0, {f / 10:.1f}, 0.98, 1, {frown * k}, {smile * k}, {smile * k}, {frown * k}"
            for f, k in enumerate((0.5, 1.0, 0.8, 0.6, 0.5, 0.5))
        ]
        Path(f"openface/clip-{i}.csv").write_text("\n".join(lines) + "\n")
        track = draw.normal(size=(3, 5)) + i % 4
        np.save(f"face/clip-{i}.npy", track.astype(np.float32))
    Path("clips.csv").write_text("\n".join(rows) + "\n")
    Path("sentences.csv").write_text("\n".join(sentences) + "\n")


def configurations() -> None:
    """Presets of tiny models, their evaluation, and settings of the annotations."""
    data = {"manifest": "manifest.jsonl", "store": "store", "split_file": "splits.jsonl"}
    written = {
        "llm.yaml": {
            "output": "llm-run",
            "data": data,
            "model": {
                "llm": "llm",
                "dtype": "float32",
                "streams": [
                    {"name": "voice", "channel": "voice", "source": "prosody", "tokens": 2},
                    {"name": "face", "channel": "face", "source": "npy:face", "start": "probe",
                     "dropout": 0.0},
                ],
                "lora": {"r": 2, "alpha": 4, "targets": ["q_proj", "v_proj"]},
            },
            "modality_dropout": {"voice": 0.5, "face": 0.5, "words": 0.5},
            "training": {
                "max_steps": 6, "batch_size": 2, "micro_batch": 2, "learning_rate": 0.001,
                "warmup_steps": 1, "log_every": 1, "save_every": 2, "evaluate_every": 3,
            },
        },
        "fusion.yaml": {
            "output": "fusion-run",
            "data": data,
            "fusion": {
                "system": "early",
                "modalities": [
                    {"name": "voice", "channel": "voice", "source": "prosody"},
                    {"name": "face", "channel": "face", "source": "npy:face"},
                ],
                "options": {"dropout": 0.2},
            },
            "modality_dropout": {"voice": 0.5, "face": 0.5},
            "training": {
                "epochs": 4, "batch_size": 2, "learning_rate": 0.02, "warmup": 0.2,
                "evaluate_every": 2, "save_every": 1, "log_every": 1,
            },
        },
        "merr.yaml": {
            "labels": "mer2023",
            "rules": "merr_published",
            "workers": 1,
            "faces": {"openface": "openface", "relative": False},
            "transcript": {"source": "given", "file": "sentences.csv"},
            "evidence": {"voice": 0, "words": 0},
            "refine": {"kind": "template"},
            "select": {"neutral": 1.0, "duplicates": 1.0, "validation": 3},
        },
    }  # fmt: skip
    for name in ("llm", "fusion"):
        written[f"eval-{name}.yaml"] = {
            "model": f"{name}-run/model", "output": f"eval-{name}", "data": data, "bootstrap": 100,
            "dtype": "float32", "baseline": False, "modality_report": "all",
        }  # fmt: skip
    for name, values in written.items():
        Path(name).write_text(yaml.safe_dump(values, sort_keys=False))


def main(release: Path) -> None:
    """Everything, into the working directory."""
    here = Path.cwd()
    sys.path.insert(0, str(HERE.parents[1]))
    from tests.tiny import tiny_llm

    for old in here.iterdir():
        shutil.rmtree(old) if old.is_dir() else old.unlink()
    media(Path("media"))
    tables()
    configurations()
    tiny_llm(Path("llm"), vocabulary=280)
    environment = os.environ | {
        "PYTHONPATH": str(release),
        "OMP_NUM_THREADS": "1",
        "DS_ACCELERATOR": "cpu",
    }

    def run(*words: str) -> None:
        subprocess.run([sys.executable, *words], check=True, env=environment)

    def script(name: str, config: str, *options: str) -> None:
        chosen = ["--options", *options] if options else []
        run(str(release / name), "--cfg-path", config, *chosen)

    command = ("-m", "emollama")
    run(*command, "prepare", "csv", "clips.csv", "--out", "manifest.jsonl")
    run(*command, "split", "manifest.jsonl", "--out", "splits.jsonl", "--scheme", "official")
    run(*command, "extract", "manifest.jsonl", "--store", "store", "--encoders", "prosody",
        "--shard-size", "4", "--workers", "1")  # fmt: skip
    for name in ("llm", "fusion"):
        script("train.py", f"{name}.yaml")
        script("eval_emotion.py", f"eval-{name}.yaml")
        shutil.rmtree(f"{name}-run/tensorboard")
        for picture in Path(f"eval-{name}").glob("*.png"):
            picture.unlink()
    run(*command, "export", "--model", "llm-run/model", "--out", "merged")
    run("-m", "merr", "build", "media", "--out", "merr", "--cfg-path", "merr.yaml")
    # What a killed run leaves: the checkpoint before its last.
    shutil.rmtree("llm-run/checkpoints/checkpoint-6")
    Path("fusion-run/checkpoints/checkpoint-8.pt").unlink()
    for lock in here.rglob(".lock"):
        lock.unlink()


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
