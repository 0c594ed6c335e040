"""One family of models: what kind a model is, is asked in one module, and each way exists once."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from emollama.evaluation import evaluate as evaluating
from emollama.fusion.artefact import FusionArtefact
from emollama.llm import decoding
from emollama.llm.artefact import LlmArtefact
from emollama.runs.artefact import Artefact
from emollama.session import family

ROOT = Path(family.__file__).parents[1]
FAMILIES: tuple[type[Artefact], ...] = (LlmArtefact, FusionArtefact)
"""mypy holds both against the protocol."""

ASKED_IN = "session/family.py"
KINDS = {"llm", "fusion"}
CLASSES = {
    "LlmArtefact", "FusionArtefact", "LlmSession", "FusionSession", "TrainConfig",
    "FusionTrainConfig", "LlmSamples", "FusionSamples", "LlmSubject", "FusionSubject",
    "EmotionLlama", "FusionModel",
}  # fmt: skip
NAMES = {"is_fusion", "is_fusion_artefact", "is_llm"}


def trees() -> Iterator[tuple[str, ast.AST]]:
    for path in sorted(ROOT.rglob("*.py")):
        yield path.relative_to(ROOT).as_posix(), ast.parse(path.read_text(encoding="utf-8"))


def asks(node: ast.AST) -> bool:
    """Whether a piece of code asks which kind of model it has before it."""
    if isinstance(node, ast.Compare):
        sides = [node.left, *node.comparators]
        told = any(isinstance(s, ast.Constant) and s.value in KINDS for s in sides)
        return told and any(isinstance(s, ast.Attribute) for s in sides)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        if node.func.id in ("isinstance", "issubclass"):
            named = {n.id for n in ast.walk(node.args[1]) if isinstance(n, ast.Name)}
            return bool(named & CLASSES)
        return node.func.id in NAMES
    return isinstance(node, ast.Attribute) and node.attr in NAMES


def test_language_model_or_fusion_model_is_asked_in_one_module() -> None:
    found = {name for name, tree in trees() for node in ast.walk(tree) if asks(node)}
    assert found - {ASKED_IN} == set()
    marks = {
        name
        for name, tree in trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.Name) and node.id in ("FUSION_FILE", "PROCESSOR_FILE")
    }
    # A room knows its own mark; both stand in the table alone.
    own = {"base/paths.py", ASKED_IN}
    assert all(name.startswith(("llm/", "fusion/")) or name in own for name in marks)


@pytest.mark.parametrize(
    "code",
    ["if session.kind == 'llm': pass", "isinstance(x, (int, FusionSession))", "is_fusion(path)"],
)
def test_the_check_sees_the_question(code: str) -> None:
    assert any(asks(node) for node in ast.walk(ast.parse(code)))


@pytest.mark.parametrize(
    ("only_in", "names"),
    [
        # Data to predictions to record: evaluation.evaluate.evaluate.
        ("evaluation/evaluate.py", {"run_passes", "Questions", "kept_answers", "header_of"}),
        # Generation: llm.decoding.token_steps.
        ("llm/decoding.py", {"token_steps", "drawing"}),
    ],
)
def test_each_way_exists_once(only_in: str, names: set[str]) -> None:
    assert evaluating.evaluate.__module__ == "emollama.evaluation.evaluate"
    assert decoding.token_steps.__module__ == "emollama.llm.decoding"
    callers = {
        name
        for name, tree in trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in names
    }
    assert callers == {only_in}


def generates(node: ast.AST) -> bool:
    """Whether a piece of code runs the generation loop of transformers."""
    return isinstance(node, ast.Attribute) and node.attr == "generate"


def test_nothing_is_generated_by_another_loop() -> None:
    found = {name for name, tree in trees() for node in ast.walk(tree) if generates(node)}
    assert found == {"endpoints/local.py"}  # a plain chat model behind a prompt: judge, refinement
    assert any(generates(node) for node in ast.walk(ast.parse("model.generate(ids)")))
