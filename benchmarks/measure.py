"""What the benchmarks share: interleaved timing, a table, a JSON line, a model with streams."""

from __future__ import annotations

import json
import platform
import statistics
import time
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from peft import PeftModel
from rich.console import Console
from rich.table import Table

from emollama.base.processors import processor_count
from emollama.encoders.base import FeatureTrack
from emollama.llm import artefact
from emollama.llm.configuration import StreamConfig
from emollama.llm.options import LoraSection
from emollama.llm.processing import EmotionLlamaProcessor, Evidence
from emollama.manifest.labels import get_label_set
from emollama.probe.cast import sentences
from emollama.probe.emotions import EMOTIONS

LLM = "smollm2-135m-instruct"
STREAMS = (
    StreamConfig("voice_states", "voice", "whisper-tiny.en+layer=2+segments=8", width=768),
    StreamConfig("prosody", "voice", "prosody+segments=1", width=18),
    StreamConfig("expression", "face", "expression+frames=8", width=143),
)
"""The quickstart's streams; their features are random here, which costs the same."""


def interleaved(
    ways: Mapping[str, Callable[[], object]], repeats: int, warm_up: int = 1
) -> dict[str, list[float]]:
    """Seconds of each way, `repeats` times in turns.

    Other load on the machine then slows all ways alike; the order rotates by one each round.
    """
    names = list(ways)
    seconds: dict[str, list[float]] = {name: [] for name in names}
    for turn in range(-warm_up, repeats):
        first = turn % len(names)
        for name in names[first:] + names[:first]:
            started = time.perf_counter()
            ways[name]()
            if turn >= 0:
                seconds[name].append(time.perf_counter() - started)
    return seconds


def compare(seconds: Mapping[str, list[float]], reference: str) -> list[dict[str, Any]]:
    """Rows with the median time of each way and its ratio to the reference.

    The ratio is the median over rounds of the ratios within a round.
    """
    return [
        {
            "way": name,
            "median_s": round(statistics.median(times), 4),
            "fastest_s": round(min(times), 4),
            "ratio": round(
                statistics.median(
                    t / r for t, r in zip(times, seconds[reference], strict=True)
                ),
                3,
            ),
        }
        for name, times in seconds.items()
    ]  # fmt: skip


def processor_name() -> str:
    """The CPU's own name where the system tells it, else its architecture."""
    facts = Path("/proc/cpuinfo")
    if facts.is_file():
        for line in facts.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def machine() -> dict[str, Any]:
    """The machine of the measurement."""
    return {
        "cpu": processor_name(),
        "cores": processor_count(),
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
    }


def show(title: str, rows: list[dict[str, Any]], **facts: Any) -> None:
    """A table for people, then one line of JSON with the same rows."""
    table = Table(*rows[0], title=title)
    for row in rows:
        table.add_row(*(str(value) for value in row.values()))
    Console().print(table)
    print(json.dumps({"benchmark": title, **facts, "machine": machine(), "rows": rows}))


def built(dtype: torch.dtype) -> tuple[PeftModel, EmotionLlamaProcessor]:
    """An untrained EmotionLlama over the embedded language model, LoRA as in the quickstart."""
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    warnings.filterwarnings("ignore", category=FutureWarning, module="transformers")
    return artefact.build(
        LLM, "emollama-chat", STREAMS, get_label_set("mer2023"), LoraSection(), dtype, seed=0
    )


def evidence(count: int) -> list[Evidence]:
    """Random tracks and real sentences of the probe corpus, one for each of `count` clips."""
    draw = np.random.default_rng(0)
    found = []
    for i in range(count):
        steps = {"voice_states": 8, "prosody": 1, "expression": 8}
        tracks = {
            s.name: FeatureTrack(
                draw.normal(size=(steps[s.name], s.width)).astype(np.float32),
                np.arange(steps[s.name], dtype=np.float32),
            )
            for s in STREAMS
        }
        lines = sentences(EMOTIONS[i % len(EMOTIONS)], "train")
        found.append(Evidence(tracks, lines[i % len(lines)].text))
    return found
