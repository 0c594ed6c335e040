"""The shape of the house: few rooms, small folders, imports that point one way, no circles."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

ORDER = (
    "base", "manifest", "assets", "endpoints", "scoring", "media", "encoders", "workers",
    "features", "corpora", "probe", "inputs", "runs", "fusion", "llm", "session", "evaluation",
    "bench", "explain", "arena", "recording", "merr", "serving", "demo", "cli",
)  # fmt: skip
"""From the ground up: a room may import itself and what stands to its left."""


@cache
def modules() -> dict[str, Path]:
    """Dotted name of every module of the package to its file."""
    found = {}
    for path in sorted((ROOT / "emollama").rglob("*.py")):
        dotted = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        found[dotted.removesuffix(".__init__")] = path
    return found


@cache
def imports(name: str) -> frozenset[str]:
    """The package's modules that a module imports, wherever in it the statement stands."""
    code = modules()[name].read_text(encoding="utf-8")
    return frozenset(imported(code) - {name})


def imported(code: str) -> set[str]:
    """The package's modules that a piece of code imports, in a statement or by a whole name.

    A module named by a string ("emollama.cli.app") is imported by `import_module`.
    """
    known = modules()
    found = set()
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names if alias.name in known}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"a relative import: {ast.unparse(node)}"
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                if full in known:
                    found.add(full)
                elif node.module in known:
                    found.add(node.module)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            named = node.value.partition(":")[0]
            found |= {n for n in {named} & known.keys() if known[n].name != "__init__.py"}
    return found


def test_every_way_to_import_is_seen() -> None:
    module = "emollama.cli.app"
    for code in (
        f"import {module}",
        f"def f():\n    from {module} import app",
        "from emollama.cli import app",
        f"import_module('{module}')",
    ):
        assert imported(code) == {module}, code
    with pytest.raises(AssertionError, match="relative"):
        imported("from ..cli import app")


def room(name: str) -> str:
    """The room of a module: the folder directly below the package."""
    parts = name.split(".")
    return parts[1] if len(parts) > 1 else ""


def test_there_are_at_most_30_rooms() -> None:
    inside = {room(name) for name in modules() if room(name)} - {"__main__"}
    assert inside == set(ORDER)
    top = {path.name for path in ROOT.glob("*.py")} - {"setup.py"}
    folders = {f"{name}/" for name in ("merr", "demo") if list((ROOT / name).glob("*.py"))}
    assert len(inside | top | folders | {"benchmarks"}) <= 30


def test_contributing_lists_the_rooms_in_their_order() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    listed = text.split("imports only from those below it:", 1)[1].split("##", 1)[0]
    assert tuple(re.findall(r"`(\w+)`", listed)) == ORDER[::-1]


def test_no_folder_holds_more_than_25_files() -> None:
    folders: dict[Path, int] = defaultdict(int)
    for top in ("emollama", "merr", "demo", "benchmarks"):
        for path in (ROOT / top).rglob("*.py"):
            folders[path.parent] += 1
    assert {str(folder): n for folder, n in folders.items() if n > 25} == {}


def test_no_file_is_longer_than_400_lines() -> None:
    tops = ("emollama", "merr", "demo", "benchmarks", "tests")
    paths = [path for top in tops for path in (ROOT / top).rglob("*.py")]
    lines = {
        str(p.relative_to(ROOT)): len(p.read_text(encoding="utf-8").splitlines()) for p in paths
    }
    assert {path: n for path, n in lines.items() if n > 400} == {}


def test_imports_point_down() -> None:
    floor = {name: i for i, name in enumerate(ORDER)}
    upward = [
        f"{name} -> {other}"
        for name in modules()
        for other in sorted(imports(name))
        if room(name) in floor and room(other) and floor[room(other)] > floor[room(name)]
    ]
    assert upward == []


@pytest.mark.parametrize("by", ["file", "room"])
def test_there_is_no_circle(by: str) -> None:
    arrows: dict[str, set[str]] = defaultdict(set)
    for name in modules():
        for other in imports(name):
            here, there = (name, other) if by == "file" else (room(name), room(other))
            if here != there:
                arrows[here].add(there)
    done: set[str] = set()
    path: list[str] = []

    def visit(node: str) -> None:
        assert node not in path, " -> ".join([*path[path.index(node) :], node])
        if node in done:
            return
        path.append(node)
        for other in sorted(arrows[node]):
            visit(other)
        path.pop()
        done.add(node)

    for node in sorted(arrows):
        visit(node)
