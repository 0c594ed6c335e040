"""Clips answered by vLLM and by our own loop: the same greedy text, the same label probabilities?

python -m benchmarks.engine --python .venv-engine/bin/python [--model FOLDER] [--clips 20]

`make engine-test` installs vLLM and runs this. The probe corpus is made, the model exported as a
plain language model, and vLLM started with it on a free port of this machine, all in float32. Of
each clip the greedy reason is written both ways. Labels, which stay ours, are also read off the
engine: every branch of the label words is one more request, whose next tokens' log-probabilities
are asked for (`logprob_token_ids`), and a word's are added up. Exits with 1 where a text differs or
a probability by more than .02.
"""

from __future__ import annotations

import argparse
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from emollama.base.errors import EmollamaError, one_line_errors
from emollama.base.quiet import quiet_libraries
from emollama.llm.batch import Encoded
from emollama.llm.inference import label_probabilities, written
from emollama.llm.interop.engine import PromptEngine
from emollama.llm.interop.export import export
from emollama.llm.modeling import TEXT
from emollama.llm.scoring import label_distribution
from emollama.manifest.sample import read_manifest
from emollama.probe import synthesize
from emollama.session import LlmSession

WITHIN = 0.02
LENGTH = 48
FEWEST = 10
"""Clips of the smallest probe corpus."""
START_SECONDS = 300
SPACE_GB = 1
"""Memory of the engine's keys and values."""


@one_line_errors
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--python", type=Path, required=True, help="of vLLM's environment")
    parser.add_argument("--model", type=Path, default=Path("models/people/llm"))
    parser.add_argument("--clips", type=int, default=20)
    options = parser.parse_args()
    quiet_libraries()
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        session = LlmSession.open(options.model, "float32", describe=False)
        synthesize(work / "clips", max(options.clips, FEWEST), 7, 1)
        samples = read_manifest(work / "clips/manifest.jsonl").samples[: options.clips]
        evidence = [session.look(work / "clips" / str(s.video), s.text).evidence for s in samples]
        export(options.model, work / "llm", torch.float32, form="llm")
        with served(options.python, work / "llm") as url:
            model, processor = session.artefact.model, session.artefact.processor
            engine = PromptEngine(url, model, processor)
            started = time.monotonic()
            theirs = written(model, processor, evidence, "reason", LENGTH, engine=engine)
            seconds = {"vLLM": time.monotonic() - started}
            question = processor.instruction("emotion")
            prompts = [processor.encode_prompt(processor.for_label(e), question) for e in evidence]
            labels = np.array([label_scores(engine, p, processor.label_ids()) for p in prompts])
        started = time.monotonic()
        ours = written(model, processor, evidence, "reason", LENGTH)
        seconds["ours"] = time.monotonic() - started
        processor.heads = None  # what the language model says alone
        found = label_distribution(torch.from_numpy(labels)).numpy()
        apart = np.abs(found - label_probabilities(model, processor, evidence)).max(1)
    same = [a == b for a, b in zip(ours, theirs, strict=True)]
    for sample, a, b, equal, distance in zip(samples, ours, theirs, same, apart, strict=True):
        print(f"{sample.id}: {'same text' if equal else 'OTHER TEXT'}, labels {distance:.5f} apart")
        if not equal:
            print(f"  ours: {a}\n  vLLM: {b}")
    print(f"{sum(same)} of {len(same)} texts are the same; {len(set(ours))} different ones")
    print(f"label probabilities are at most {apart.max():.5f} apart")
    print(", ".join(f"{who}: {s:.1f} s for {len(same)} reasons" for who, s in seconds.items()))
    if not all(same) or apart.max() > WITHIN:
        sys.exit(1)


def label_scores(
    engine: PromptEngine, prompt: Encoded, label_ids: Sequence[Sequence[int]]
) -> list[float]:
    """Log-probability of each label's tokens, read off the engine branch by branch."""
    branches: dict[tuple[int, ...], set[int]] = {}
    for ids in label_ids:
        for i, token in enumerate(ids):
            branches.setdefault(tuple(ids[:i]), set()).add(token)
    logs: dict[tuple[int, ...], float] = {}
    for before, tokens in branches.items():
        known = list(before)
        longer = replace(
            prompt,
            input_ids=prompt.input_ids + known,
            stream_ids=prompt.stream_ids + [TEXT] * len(known),
            labels=prompt.labels + known,
        )
        wanted = sorted(tokens)
        for token, log in engine.next_logs(longer, wanted).items():
            logs[(*before, token)] = log
    return [sum(logs[tuple(ids[: i + 1])] for i in range(len(ids))) for ids in label_ids]


@contextmanager
def served(python: Path, folder: Path) -> Iterator[str]:
    """A vLLM server with a folder's model; its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    environment = {
        **os.environ, "VLLM_CPU_KVCACHE_SPACE": str(SPACE_GB), "HF_HUB_OFFLINE": "1",
        "VLLM_NO_USAGE_STATS": "1", "PATH": f"{python.absolute().parent}:{os.environ['PATH']}",
    }  # fmt: skip
    environment.pop("PYTHONPATH", None)
    command = [
        str(python.absolute()), "-m", "vllm.entrypoints.openai.api_server", "--model", str(folder),
        "--enable-prompt-embeds", "--dtype", "float32",
        "--max-model-len", "2048", "--enforce-eager", "--host", "127.0.0.1", "--port", str(port),
    ]  # fmt: skip
    log = folder.parent / "vllm.log"
    with log.open("wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out, env=environment, cwd=folder)
        try:
            _wait(process, url, log)
            yield url
        finally:
            process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()


def _wait(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    for _ in range(START_SECONDS):
        time.sleep(1)
        try:
            with urllib.request.urlopen(f"{url}/health", timeout=2):
                return
        except OSError:
            if process.poll() is not None:
                break
    last = log.read_text(errors="replace").strip().splitlines()[-1:]
    raise EmollamaError(f"vLLM does not start: {' '.join(last)}")


if __name__ == "__main__":
    main()
