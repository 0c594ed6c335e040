"""A model of LLaMA-2-7B's shapes with random weights, from plan to predict, with measured peaks.

python -m benchmarks.full_size [--size 7b] [--work /tmp/full_size] [--steps plan,train,...]

Writes a bfloat16 checkpoint in shards once (nothing is downloaded but the embedded language model,
whose tokenizer is cut to the first 32,000 tokens), then runs each step in a process of its own and
prints its time, its peak of resident memory, what it needed of it, and the estimate made before.
What it needed is memory of its own and the frozen weights that are neither quantised nor folded:
they are mapped from their files and read in every step. Other mapped pages are given up where
memory is short. A step that takes longer than --limit seconds is stopped and reported. Random
weights answer nonsense; time and memory are those of real ones.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import torch
import yaml
from safetensors.torch import save_file
from transformers import LlamaConfig

from benchmarks.measure import LLM, evidence, show
from emollama.base.errors import EmollamaError, one_line_errors
from emollama.base.files import read_json, write_json
from emollama.base.quiet import quiet_libraries
from emollama.base.repeating import repeating
from emollama.llm import artefact
from emollama.llm.backbone import empty_llm, resolve_llm
from emollama.llm.configuration import read_config
from emollama.llm.inference import label_probabilities, written
from emollama.llm.room import size_of, size_of_files
from emollama.llm.weight_files import WeightFiles
from emollama.manifest.labels import get_label_set
from emollama.manifest.sample import Sample, Targets, write_manifest

SIZES: dict[str, dict[str, int]] = {
    "7b": {"hidden_size": 4096, "intermediate_size": 11008, "num_hidden_layers": 32,
           "num_attention_heads": 32, "num_key_value_heads": 32, "shards": 9},
    "1b": {"hidden_size": 2048, "intermediate_size": 5632, "num_hidden_layers": 22,
           "num_attention_heads": 32, "num_key_value_heads": 4, "shards": 3},
    "tiny": {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2,
             "num_attention_heads": 4, "num_key_value_heads": 4, "shards": 2},
}  # fmt: skip
"""LLaMA-2-7B, TinyLlama-1.1B, and one that only shows that the code runs."""

VOCABULARY = 32000
WIDTHS = {"voice": 768, "prosody": 18, "face": 143}
TOKENS = {"voice": 8, "prosody": 1, "face": 8}
CLIPS = 4

PROCESS = 0.75e9
"""Bytes of a process that has imported torch, transformers and peft (measured)."""


def make_llm(folder: Path, size: str) -> Path:
    """A random checkpoint in shards; one shard in memory at a time."""
    if (folder / "model.safetensors.index.json").is_file():
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    shapes: dict[str, Any] = dict(SIZES[size])
    shards = shapes.pop("shards")
    config = LlamaConfig(vocab_size=VOCABULARY, tie_word_embeddings=False, dtype="bfloat16",
                         bos_token_id=1, eos_token_id=2, pad_token_id=2, **shapes)  # fmt: skip
    config.architectures = ["LlamaForCausalLM"]
    config.save_pretrained(folder)
    _cut_tokenizer(resolve_llm(LLM), folder)
    tensors = {k: v.shape for k, v in empty_llm(folder).state_dict().items()}
    total = 2 * sum(s.numel() for s in tensors.values())
    draw = torch.Generator().manual_seed(0)
    weight_map: dict[str, str] = {}
    held: dict[str, torch.Tensor] = {}
    for place, (name, shape) in enumerate(tensors.items(), start=1):
        held[name] = (
            torch.ones(shape, dtype=torch.bfloat16)
            if len(shape) == 1
            else torch.empty(shape, dtype=torch.bfloat16).normal_(0, 0.02, generator=draw)
        )
        number = 1 + len(set(weight_map.values()))
        if sum(t.nbytes for t in held.values()) >= total / shards or place == len(tensors):
            file = f"model-{number:05d}-of-{shards:05d}.safetensors"
            save_file(held, folder / file, metadata={"format": "pt"})
            weight_map |= dict.fromkeys(held, file)
            held = {}
    index = {"metadata": {"total_size": total}, "weight_map": weight_map}
    write_json(folder / "model.safetensors.index.json", index)
    return folder


def _cut_tokenizer(source: Path, folder: Path) -> None:
    """The embedded tokenizer's first tokens: a byte-pair vocabulary is cut at any merge."""
    values = read_json(source / "tokenizer.json")
    model = values["model"]
    model["vocab"] = {token: i for token, i in model["vocab"].items() if i < VOCABULARY}
    pairs = [m.split(" ") if isinstance(m, str) else m for m in model["merges"]]
    model["merges"] = [m for m in pairs if "".join(m) in model["vocab"]]
    write_json(folder / "tokenizer.json", values)
    for name in ("tokenizer_config.json", "chat_template.jinja"):
        shutil.copyfile(source / name, folder / name)


def make_corpus(folder: Path, llm: Path) -> Path:
    """Random tracks of a few clips, a manifest and a training configuration."""
    labels = get_label_set("mer2023")
    draw = np.random.default_rng(0)
    samples = []
    for i, known in enumerate(evidence(2 * CLIPS)):
        label = labels.labels[i % len(labels.labels)]
        split = "train" if i < CLIPS else "test"
        reason = f"The voice sounds {label} and the face agrees."
        targets = Targets(emotion=label, reason=reason)
        samples.append(Sample(id=f"clip-{i}", text=known.text, split=split, group=f"g{i}",
                              targets=targets))  # fmt: skip
        for name, width in WIDTHS.items():
            (folder / name).mkdir(parents=True, exist_ok=True)
            np.save(folder / name / f"clip-{i}.npy", draw.normal(size=(8, width)).astype("f4"))
    write_manifest(folder / "manifest.jsonl", "full-size", labels, samples)
    channels = {"voice": "voice", "prosody": "voice", "face": "face"}
    config = {
        "output": str(folder / "run"),
        "data": {"manifest": str(folder / "manifest.jsonl")},
        "model": {
            "llm": str(llm), "dtype": "bfloat16",
            "streams": [
                {"name": n, "channel": channels[n], "source": f"npy:{folder / n}",
                 "tokens": TOKENS[n]} for n in WIDTHS
            ],
        },
        "training": {"max_steps": 2, "batch_size": 2, "micro_batch": 2, "log_every_steps": 1,
                     "save_every_steps": 2, "resume": "never"},
    }  # fmt: skip
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    return path


def measured(command: list[str], limit: float) -> dict[str, Any]:
    """Run a command; seconds, peak bytes with and without mapped files, and how it ended."""
    started = time.monotonic()
    child = subprocess.Popen(command, start_new_session=True, stdout=subprocess.PIPE, text=True)
    said: list[str] = []
    late = False
    process, own = psutil.Process(child.pid), [0]

    def stop(*_: object) -> None:
        nonlocal late
        late = True
        os.killpg(child.pid, signal.SIGKILL)

    def look() -> None:
        with suppress(psutil.Error):
            memory = process.memory_info()
            own[0] = max(own[0], memory.rss - memory.shared)

    signal.signal(signal.SIGALRM, stop)
    signal.alarm(int(limit))
    assert child.stdout is not None
    with repeating(0.1, look, "memory"):
        for line in child.stdout:
            said.append(line.rstrip())
            print(f"  {said[-1]}", flush=True)
    _, status, usage = os.wait4(child.pid, 0)
    signal.alarm(0)
    child.returncode = os.waitstatus_to_exitcode(status)
    ended = "stopped at the limit" if late else "ok" if status == 0 else f"exit {child.returncode}"
    return {"seconds": round(time.monotonic() - started, 1), "cpu_s": round(usage.ru_utime),
            "peak": usage.ru_maxrss * 1024, "own": own[0], "ended": ended,
            "said": said}  # fmt: skip


def answer(model: Path, manifest: Path, quantise: str, tokens: int) -> None:
    """One clip's label distribution and the first tokens of a reason, as `predict` asks them."""
    from emollama.manifest.sample import read_manifest

    started = time.perf_counter()
    opened = artefact.load_as(model, "bfloat16", quantise)  # type: ignore[arg-type]
    print(f"opened in {time.perf_counter() - started:.1f} s")
    samples = read_manifest(manifest)
    loaded = opened.load_samples(samples, samples.split("test")[:1], "test", None)
    known = loaded._evidence([s.id for s in loaded.samples])
    started = time.perf_counter()
    scores = label_probabilities(opened.model, opened.processor, known)[0]
    print("labels " + " ".join(f"{p:.3f}" for p in scores)
          + f" in {time.perf_counter() - started:.1f} s")  # fmt: skip
    started = time.perf_counter()
    (text,) = written(opened.model, opened.processor, known, "reason", tokens, 1)
    print(f"{tokens} tokens in {time.perf_counter() - started:.1f} s: {text!r}")


class Steps:
    """The steps by name: each a command, and the estimate of its peak."""

    def __init__(self, work: Path, config: Path, training: int) -> None:
        self.work, self.config, self.training = work, config, training
        self.run = work / "run"
        self.model, self.exported = self.run / "model", work / "exported"
        self.quantised = ["model.quantise=4bit", "training.batch_size=1", "training.micro_batch=1",
                          "training.max_steps=1", f"output={work / 'run-4bit'}"]  # fmt: skip

    def _emollama(self, *words: str | Path) -> list[str]:
        return [sys.executable, "-m", "emollama", *map(str, words)]

    def command(self, step: str) -> list[str]:
        """The command line of a step."""
        manifest = self.work / "manifest.jsonl"
        me = [sys.executable, "-m", "benchmarks.full_size", "--answer", str(self.model), "--work",
              str(self.work)]  # fmt: skip
        if step == "export":
            shutil.rmtree(self.exported, ignore_errors=True)
        return {
            "plan": self._emollama("plan", self.config, "--json"),
            "train": self._emollama(
                "train", self.config, f"training.max_steps={self.training}"
            ),
            "train-4bit": self._emollama("train", self.config, *self.quantised),
            "predict": [*me, "--quantise", "none", "--tokens", "8"],
            "predict-4bit": [*me, "--quantise", "4bit", "--tokens", "1"],
            "export": self._emollama("export", "--model", self.model, "--out", self.exported),
            "compare": self._emollama("compare", self.model, self.exported, "--manifest", manifest,
                                     "--count", "1", "--dtype", "bfloat16"),
        }[step]  # fmt: skip

    def mapped(self, step: str) -> float:
        """Bytes of the weights that a step reads from their mapped files: see the module."""
        size = size_of_files(WeightFiles.of_folder(self.work / "llm"))
        if step.endswith("4bit"):
            return 2.0 * size.other
        # Elsewhere adapters are folded into weights of the process's own.
        return 2.0 * (size.linear + size.other) if step == "train" else 0.0

    def estimate(self, step: str, plan: dict[str, Any]) -> float:
        """Bytes: for training `plan`'s, else weights, one of them in float32, and a process."""
        if step == "plan":
            return PROCESS
        if step.startswith("train"):
            quantised = step.endswith("4bit")
            held = "4bit" if quantised else "bfloat16"
            if quantised:  # Of its own batch.
                command = self._emollama("plan", self.config, "--json", *self.quantised)
                asked = subprocess.run(command, capture_output=True, text=True, check=True)
                plan = json.loads(asked.stdout)
            memory = next(m for m in plan["memory"]
                          if m["precision"] == held and not m["checkpointing"])  # fmt: skip
            return float(memory["total"])
        size = size_of(self.model, read_config(self.model))
        return size.peak("4bit" if step.endswith("4bit") else "bfloat16", 2) + PROCESS


STEPS = ("plan", "train", "predict", "predict-4bit", "export", "compare", "train-4bit")


@one_line_errors
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--size", choices=SIZES, default="7b")
    parser.add_argument("--work", type=Path, default=Path("/tmp/full_size"))
    parser.add_argument("--steps", default=",".join(STEPS), help="some of them, in this order")
    parser.add_argument("--limit", type=float, default=1200.0, help="seconds a step may take")
    parser.add_argument("--training-steps", type=int, default=2)
    parser.add_argument("--answer", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--quantise", default="none", help=argparse.SUPPRESS)
    parser.add_argument("--tokens", type=int, default=8, help=argparse.SUPPRESS)
    options = parser.parse_args()
    quiet_libraries()
    if options.answer is not None:
        answer(options.answer, options.work / "manifest.jsonl", options.quantise, options.tokens)
        return
    chosen = options.steps.split(",")
    if unknown := [s for s in chosen if s not in STEPS]:
        raise EmollamaError(f"--steps {unknown[0]}: known are {', '.join(STEPS)}")
    work = options.work / options.size
    config = make_corpus(work, make_llm(work / "llm", options.size))
    steps, plan, rows = Steps(work, config, options.training_steps), {}, []
    kept = work / "plan.json"
    if kept.is_file():
        plan = read_json(kept)
    for step in chosen:
        print(f"{step}: {' '.join(steps.command(step)[2:])}", flush=True)
        found = measured(steps.command(step), options.limit)
        if step == "plan" and found["ended"] == "ok":
            plan = json.loads("\n".join(found["said"]))
            write_json(kept, plan)
        expected = steps.estimate(step, plan) if plan else float("nan")
        needed = found["own"] + steps.mapped(step)
        rows.append({
            "step": step, "seconds": found["seconds"], "cpu_s": found["cpu_s"],
            "peak_gb": round(found["peak"] / 1e9, 2), "own_gb": round(found["own"] / 1e9, 2),
            "needed_gb": round(needed / 1e9, 2), "estimate_gb": round(expected / 1e9, 2),
            "ratio": round(needed / expected, 2), "ended": found["ended"],
        })  # fmt: skip
    show("full-size", rows, size=options.size)


if __name__ == "__main__":
    main()
