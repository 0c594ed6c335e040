"""The documentation names what there is: every configuration key, command, option and page."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import click
import pytest
import typer
from pydantic import BaseModel

from emollama.assets.registry import ASSETS
from emollama.base.config import load_config
from emollama.cli.app import app
from emollama.encoders.table import ENCODERS
from emollama.evaluation.config import EvalConfig
from emollama.fusion.training.config import FusionTrainConfig
from emollama.llm.training.config import TrainConfig
from emollama.manifest.labels import LABEL_SETS
from emollama.scoring.metrics.registry import METRICS
from emollama.scoring.readers.public import READERS
from emollama.session.family import load_training

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
REQUIRED = object()


def keys(model: type[BaseModel], prefix: str = "", given: Any = None) -> Iterator[tuple[str, Any]]:
    """(dotted key, default) of every value of a configuration; `[]` for the items of a list."""
    for name, field in model.model_fields.items():
        default: Any = REQUIRED if field.is_required() else field.default
        if given is not None:
            default = getattr(given, name)
        kinds = (field.annotation, *get_args(field.annotation))
        section = next((k for k in kinds if isinstance(k, type) and issubclass(k, BaseModel)), None)
        if section is None:
            yield prefix + name, default
        elif section is field.annotation:
            yield from keys(section, f"{prefix}{name}.", None if default is REQUIRED else default)
        else:
            yield prefix + name, default
            yield from keys(section, f"{prefix}{name}[].")


def shown(default: Any) -> str:
    if default is REQUIRED:
        return "required"
    if default is None:
        return "`null`"
    if isinstance(default, bool):
        return f"`{str(default).lower()}`"
    return f"`[{', '.join(default)}]`" if isinstance(default, list) else f"`{default}`"


@pytest.mark.parametrize(
    ("heading", "schema"),
    [
        ("## Training", TrainConfig),
        ("## Fusion training", FusionTrainConfig),
        ("## Evaluation", EvalConfig),
    ],
)
def test_every_key_stands_in_configuration_with_its_default(
    heading: str, schema: type[BaseModel]
) -> None:
    page = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    section = page.split(f"{heading}\n", 1)[1].split("\n## ", 1)[0]
    rows = dict(re.findall(r"^\| `([^`]+)` \| (.+?) \| .+ \|$", section, flags=re.MULTILINE))
    assert rows == {key: shown(default) for key, default in keys(schema)}


def commands() -> list[tuple[str, list[str]]]:
    """(page, words) of each command of ours in the pages' code blocks."""
    found = []
    for page in PAGES:
        for block in re.findall(r"```bash\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL):
            for line in block.replace("\\\n", " ").splitlines():
                words = shlex.split(line, comments=True)
                for i, word in enumerate(words):
                    if word == "emollama" or word in ("train.py", "eval_emotion.py"):
                        found.append((page.name, words[i:]))
                        break
    return found


def long_options(words: list[str]) -> list[str]:
    return [w.split("=")[0] for w in words if w.startswith("--")]


def test_every_command_and_option_exists() -> None:
    checked = set()
    for page, words in commands():
        if words[0] != "emollama":
            known = {"--cfg-path", "--options", "--dataset", "--n-samples"}
            assert set(long_options(words)) <= known, (page, words)
            continue
        command: Any = typer.main.get_command(app)
        path = []
        for word in words[1:]:
            if not hasattr(command, "commands"):
                break
            if word.startswith("--"):
                continue
            assert word in command.commands, f"{page}: 'emollama {' '.join([*path, word])}'"
            command = command.commands[word]
            path.append(word)
        known = {"--help", *(o for p in command.params for o in (*p.opts, *p.secondary_opts))}
        assert set(long_options(words)) <= known, (page, words)
        checked.add(" ".join(path))
    assert {"prepare csv", "prepare npz", "extract", "score", "predict", "chat"} <= checked


def test_every_command_of_the_program_is_in_the_readme() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    group: Any = typer.main.get_command(app)
    names = [
        f"{name} {sub}"
        if isinstance(command, click.Group) or hasattr(command, "commands")
        else name
        for name, command in group.commands.items()
        for sub in getattr(command, "commands", {"": None})
    ]
    assert [n for n in names if f"emollama {n}".strip() not in readme] == []


def test_configured_commands_in_the_pages_are_valid() -> None:
    checked = 0
    for page, words in commands():
        if "--cfg-path" not in words:
            continue
        preset = ROOT / words[words.index("--cfg-path") + 1]
        assert preset.is_file(), f"{page}: {preset.name}"
        overrides = [w for w in words if "=" in w and not w.startswith("--")]
        if "eval" in words[0] or "evaluate" in words:
            named = "--dataset" in words
            dataset = words[words.index("--dataset") + 1] if named else None
            load_config(EvalConfig, preset, overrides, dataset)
        else:
            load_training(preset, overrides)
        checked += 1
    assert checked >= 8


def test_pages_that_are_linked_exist() -> None:
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for target in re.findall(r"\]\(([^)#:]+)(?:#[\w-]*)?\)", text):
            if "pictures/" not in target:  # drawn from results, put there when they are
                assert (page.parent / target).exists(), f"{page.name}: {target}"


@pytest.mark.parametrize(
    ("page", "names"),
    [
        ("assets.md", ASSETS),
        ("features.md", ENCODERS),
        ("manifest.md", LABEL_SETS),
        ("metrics.md", READERS),
    ],
)
def test_tables_of_names_are_told_whole(page: str, names: dict[str, object]) -> None:
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    assert [n for n in names if f"`{n}`" not in text] == []


def test_every_metric_is_on_its_page() -> None:
    text = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
    told = [n.removesuffix("_level2") for n in METRICS]
    assert [n for n in told if f"`{n}`" not in text] == []
