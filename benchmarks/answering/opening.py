"""A first clip: `emollama predict` against a bare script, further clips, and opening a model.

python -m benchmarks.answering.opening [--repeats 5] [--model DIR] [--clip FILE] [--quick]

Each call is a process of its own, and they take turns: `predict --no-explain --no-transcribe` about
one clip and about five, and `benchmarks.answering.bare_clip` about one: its imports, the same
weights, and forwards of the same shapes. Then, in this process, opening the artefact against
reading its weights with the readers of transformers and safetensors, every value touched. Files are
in the page cache. Seconds of the clock, and of the processor for machines that do other work.
Without --model the one that ships, without --clip one of 3 seconds that is rendered.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from benchmarks.measure import compare, interleaved, show
from benchmarks.session import clips
from emollama.assets import fetch
from emollama.base.device import default_device, resolve_dtype
from emollama.base.quiet import quiet_libraries
from emollama.llm import artefact
from emollama.llm.adapter import ADAPTER_FILE
from emollama.llm.backbone import resolve_llm
from emollama.llm.configuration import read_config
from emollama.llm.folding import base_dtype
from emollama.session import LlmSession, open_session

ROOT = Path(__file__).parents[2]
FURTHER = 4
"""Clips of a call beside its first."""
BARE, FIRST, SEVERAL = "bare script", "predict, one clip", f"predict, {1 + FURTHER} clips"


def forwards(model: Path, clip: Path) -> list[tuple[int, int]]:
    """Rows and positions of each forward of the language model about a clip."""
    session = open_session(model, describe=False)
    assert isinstance(session, LlmSession), "a fusion model has no language model"
    decoder: Any = session.artefact.model.language_model.get_decoder()
    shapes: list[tuple[int, int]] = []
    decoder.register_forward_pre_hook(
        lambda _, __, given: shapes.append(tuple(given["inputs_embeds"].shape[:2])),
        with_kwargs=True,
    )
    session.answer(session.look(clip, transcribe=False), explain=False)
    return shapes


def run(command: list[str]) -> tuple[float, float]:
    """Seconds of the clock and of the processor of a process."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1"}
    started = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", *command],
        cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    said = process.stdout.read()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)}: {said}")
    return time.perf_counter() - started, used.ru_utime + used.ru_stime


def whole_calls(
    model: Path, found: list[Path], settings: dict[str, Any], repeats: int
) -> list[dict[str, Any]]:
    """Rows of the ways in turns: medians, and the ratio to the bare script within a round."""
    asked = ["emollama", "predict", "--model", str(model), "--no-explain", "--no-transcribe"]
    ways: dict[str, list[str]] = {
        BARE: ["benchmarks.answering.bare_clip", str(found[0]), json.dumps(settings)],
        FIRST: [*asked, str(found[0])],
        SEVERAL: [*asked, *map(str, found)],
    }
    spent: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for turn in range(-1, repeats):  # the first fills the page cache
        for name, command in ways.items():
            one = run(command)
            if turn >= 0:
                spent[name].append(one)
    rows: list[dict[str, Any]] = []
    for name, each in spent.items():
        row: dict[str, Any] = {"way": name}
        for i, kind in enumerate(("wall", "cpu")):
            row[f"{kind}_s"] = round(median(one[i] for one in each), 2)
            pairs = zip(each, spent[BARE], strict=True)
            row[f"{kind}_ratio"] = round(median(one[i] / bare[i] for one, bare in pairs), 2)
        rows.append(row)
    more: dict[str, Any] = {"way": "each further clip"}
    for i, kind in enumerate(("wall", "cpu")):
        pairs = zip(spent[SEVERAL], spent[FIRST], strict=True)
        more[f"{kind}_s"] = round(median((five[i] - one[i]) / FURTHER for five, one in pairs), 2)
        more[f"{kind}_ratio"] = ""
    return [*rows, more]


def reading(model: Path, dtype: torch.dtype) -> list[dict[str, Any]]:
    """Rows of opening an artefact and of reading its weights and tokenizer, in this process."""
    llm = resolve_llm(read_config(model).llm)

    def read() -> float:
        base = AutoModelForCausalLM.from_pretrained(llm, dtype=dtype)
        own = load_file(model / ADAPTER_FILE)
        return sum(float(x.detach().sum()) for x in (*base.parameters(), *own.values()))

    ways: dict[str, Callable[[], object]] = {
        "reading its weights": read,
        "reading its tokenizer": lambda: AutoTokenizer.from_pretrained(model),
        "opening": lambda: artefact.load(model, dtype, default_device()),
    }
    return compare(interleaved(ways, 5), "reading its weights")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--model", type=Path, default=ROOT / "models/people/llm")
    parser.add_argument("--clip", type=Path)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    quiet_libraries()
    repeats = 1 if options.quick else options.repeats
    model = options.model.resolve()
    dtype = resolve_dtype("auto", default_device(), base_dtype(model))
    voice = [s.source for s in read_config(model).stream_configs if s.source.startswith("whisper")]
    with tempfile.TemporaryDirectory() as name:
        found = [options.clip.resolve()] * (1 + FURTHER) if options.clip else clips(
            Path(name), 1 + FURTHER
        )  # fmt: skip
        settings = {
            "llm": str(resolve_llm(read_config(model).llm)),
            "model": str(model),
            "whisper": str(fetch("whisper-tiny.en")),
            "dtype": str(dtype).removeprefix("torch."),
            "layers": 2 if voice else 0,
            "forwards": forwards(model, found[0]),
        }
        rows = whole_calls(model, found, settings, repeats)
    gc.collect()
    facts = {"dtype": settings["dtype"], "forwards": settings["forwards"], "repeats": repeats}
    show("a first clip", rows, **facts)
    show("opening", reading(model, dtype), **facts)


if __name__ == "__main__":
    main()
