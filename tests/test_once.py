"""What every long job needs is there once: a test names the one place and its few exceptions.

A module that reaches for the same thing in another way fails here.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

ONCE: dict[str, tuple[str, set[str], dict[str, str]]] = {
    "endpoint client": (
        "emollama.endpoints.client.Endpoint",
        {"import httpx", "import requests", "import openai", "import aiohttp",
         "import urllib.request", "import http.client"},
        {"emollama/assets/hub.py": "asks whether a model hub answers at all",
         "emollama/llm/interop/engine.py": "reads the tokens of a vLLM server as they come"},
    ),
    "answer cache": (
        "emollama.endpoints.answers.Answers",
        {"function write_ledger", "a path by the first two hex digits"},
        {},
    ),
    "local language model behind a prompt": (
        "emollama.endpoints.local.LocalModel",
        {"call AutoModelForCausalLM.from_pretrained"},
        {"emollama/llm/backbone.py": "the backbone of EmotionLlama, which is given features",
         "emollama/assets/convert.py": "converts weights, and asks nothing"},
    ),
    "journal": (
        "emollama.base.journal.append_row",
        {"open to append"},
        {"emollama/session/answers_table.py": "a table for people, csv or JSON Lines, that is "
         "written again in the order of its clips",
         "emollama/assets/cache.py": "joins the parts of a file of weights"},
    ),
    "progress bar": (
        "emollama.base.progress.bar",
        {"import rich.progress", "import tqdm"},
        {},
    ),
    "process pool": (
        "emollama.workers.pool.ProcessPool",
        {"import multiprocessing", "import torch.multiprocessing", "import os.fork",
         "import concurrent.futures.ProcessPoolExecutor", "call os.fork"},
        {"emollama/workers/process.py": "one process of the pool",
         "emollama/probe/espeak_process.py": "a program by itself; a fresh child for each sentence",
         "emollama/serving/private.py": "clears up after multiprocessing, and starts nothing"},
    ),
    "lock": (
        "emollama.base.files.locked",
        {"import filelock", "import fcntl", "import msvcrt"},
        {},
    ),
    "file or folder that is whole or not there": (
        "emollama.base.files.atomic_path",
        {"call tempfile.mkstemp", "call tempfile.mkdtemp", "call os.replace", "call os.rename",
         "import tempfile.mkstemp", "import tempfile.mkdtemp", "import os.replace",
         "import os.rename", "move a path"},
        {"emollama/assets/folders.py": "puts a link in place",
         "emollama/runs/checkpoints.py": "sets an older run's folder aside",
         "emollama/serving/private.py": "a temporary folder that ends with its process",
         "emollama/demo/callbacks.py": "a visitor's temporary folder",
         "emollama/demo/recording/download.py": "a folder for a visitor's zip",
         "emollama/llm/interop/shards.py": "names shards, once their number is known, in a folder "
         "that is not there yet for others"},
    ),
}  # fmt: skip
"""What there is once: its place, signs of doing it, and where else a sign may be found and why."""


@cache
def signs() -> dict[str, frozenset[str]]:
    """What each module of the package does, in the words of `ONCE`."""
    return {
        path.relative_to(ROOT).as_posix(): frozenset(_signs(ast.parse(path.read_text("utf-8"))))
        for path in sorted((ROOT / "emollama").rglob("*.py"))
    }


def _signs(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield from _imported(alias.name)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                yield from _imported(f"{node.module}.{alias.name}")
        elif isinstance(node, ast.FunctionDef):
            yield f"function {node.name}"
        elif isinstance(node, ast.Call):
            yield from _called(node)
        elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
            cut = ast.unparse(node.right).endswith("[:2]")
            yield from ["a path by the first two hex digits"] * cut


def _imported(name: str) -> Iterator[str]:
    """`a.b.c` imports a, a.b and a.b.c."""
    parts = name.split(".")
    for end in range(1, len(parts) + 1):
        yield "import " + ".".join(parts[:end])


def _called(node: ast.Call) -> Iterator[str]:
    name = ast.unparse(node.func)
    yield f"call {name}"
    if name.endswith("open"):
        modes = [*node.args[:2], *(k.value for k in node.keywords if k.arg == "mode")]
        texts = [m.value for m in modes if isinstance(m, ast.Constant) and isinstance(m.value, str)]
        if any("a" in text and set(text) <= set("ab+t") for text in texts):
            yield "open to append"
    # A string's `replace` has two arguments, that of a dataclass has names.
    method = isinstance(node.func, ast.Attribute) and node.func.attr in ("replace", "rename")
    if method and len(node.args) == 1 and not node.keywords:
        yield "move a path"


@pytest.mark.parametrize("what", ONCE)
def test_it_is_there_once(what: str) -> None:
    place, forbidden, exceptions = ONCE[what]
    module, _, name = place.rpartition(".")
    assert hasattr(import_module(module), name)
    home = module.replace(".", "/") + ".py"
    found = {path: sorted(forbidden & does) for path, does in signs().items() if forbidden & does}
    assert home in found, "the signs do not even find the one place"
    assert set(found) - {home} == set(exceptions), found


def test_the_signs_are_seen() -> None:
    """What the test above looks for, written in the ways it might be written."""
    code = """
        import concurrent.futures, urllib.request
        from multiprocessing import get_context
        from concurrent.futures import ProcessPoolExecutor
        def lines(path, text):
            with path.open("ab", buffering=0) as out: pass
            with open(path, mode="a") as out: pass
            path.replace(text); text.replace("a", "b"); replace(text, a=1)
            return path / text[:2] / f"{text}.json"
    """
    import textwrap

    seen = set(_signs(ast.parse(textwrap.dedent(code))))
    assert {
        "import urllib.request", "import multiprocessing", "open to append", "move a path",
        "import concurrent.futures.ProcessPoolExecutor", "a path by the first two hex digits",
    } <= seen  # fmt: skip
    harmless = 'path.open("rb"); path.open("w"); open(name, "x"); text.replace("a", "b")'
    assert not {"open to append", "move a path"} & set(_signs(ast.parse(harmless)))
