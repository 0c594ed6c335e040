"""The documentation names what there is: every configuration key, command, option and page."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
import typer
from pydantic import BaseModel

from emollama.arena.configuration import ArenaConfig
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
FRONT = [
    ROOT / name for name in ("README.md", "CONTRIBUTING.md", "merr/README.md", "demo/README.md")
]
PAGES = [*FRONT, *sorted((ROOT / "docs").rglob("*.md"))]
REQUIRED = object()
FOLDERS = {
    "train": "train_configs",
    "evaluate": "eval_configs",
    "bench": "train_configs/bench",
    "arena": "eval_configs/arena",
}


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
        ("## Arena", ArenaConfig),
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
                        found.append((str(page.relative_to(ROOT)), words[i:]))
                        break
    return found


def long_options(words: list[str]) -> list[str]:
    return [w.split("=")[0] for w in words if w.startswith("--")]


def overrides(words: list[str]) -> list[str]:
    return [w for w in words if "=" in w and not w.startswith("--")]


def configured(words: list[str]) -> tuple[str, str] | None:
    """(a key of `FOLDERS`, preset) of a command that takes a configuration.

    The preset is a path, or a name; `--cfg-path PATH` is the public systems' way.
    """
    kind = {"train.py": "train", "eval_emotion.py": "evaluate"}.get(words[0], words[1])
    kind = {"plan": "train"}.get(kind, kind)
    if kind not in FOLDERS or "--score" in words:
        return None
    return kind, words[words.index("--cfg-path") + 1] if "--cfg-path" in words else words[2]


def preset_file(kind: str, preset: str) -> Path:
    named = ROOT / FOLDERS[kind] / f"{preset}.yaml"
    return named if named.is_file() else ROOT / preset


def program() -> Any:
    return typer.main.get_command(app)


def loaded(command: Any) -> Any:
    """The command itself, where the program names it and imports it when it is called."""
    entry = getattr(command, "entry", None)
    return command if entry is None else entry.load()


def subcommands(command: Any) -> dict[str, Any]:
    return {name: loaded(found) for name, found in getattr(command, "commands", {}).items()}


def test_every_command_and_option_exists() -> None:
    checked = set()
    for page, words in commands():
        if words[0] != "emollama":
            known = {"--cfg-path", "--options", "--dataset", "--n-samples"}
            assert set(long_options(words)) <= known, (page, words)
            continue
        command = program()
        path: list[str] = []
        for word in words[1:]:
            if not hasattr(command, "commands"):
                break
            if word.startswith("--"):
                continue
            assert word in command.commands, f"{page}: 'emollama {' '.join([*path, word])}'"
            command = loaded(command.commands[word])
            path.append(word)
        known = {"--help", *(o for p in command.params for o in (*p.opts, *p.secondary_opts))}
        assert set(long_options(words)) <= known, (page, words)
        checked.add(" ".join(path))
    assert {"prepare csv", "prepare npz", "extract", "score", "predict", "chat"} <= checked


def test_every_command_of_the_program_is_in_the_list() -> None:
    listed = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    names = []
    for name, command in subcommands(program()).items():
        # The stages of `annotate` are on its own page.
        below = {} if name == "annotate" else subcommands(command)
        names += [f"{name} {sub}" for sub in below] or [name]
    assert [n for n in names if f"`emollama {n}`" not in listed] == []


def test_configured_commands_in_the_pages_are_valid() -> None:
    checked = set()
    for page, words in commands():
        found = configured(words)
        if found is None:
            continue
        kind, preset = found
        path = preset_file(kind, preset)
        assert path.is_file(), f"{page}: {preset}"
        if kind == "evaluate":
            dataset = words[words.index("--dataset") + 1] if "--dataset" in words else None
            load_config(EvalConfig, path, overrides(words), dataset)
        elif kind == "arena":
            load_config(ArenaConfig, path, overrides(words))
        elif kind == "train":
            load_training(path, overrides(words))
        checked.add((words[0], "--cfg-path" in words, kind))
    assert {
        ("emollama", False, "train"),
        ("emollama", False, "evaluate"),
        ("train.py", True, "train"),
        ("eval_emotion.py", True, "evaluate"),
    } <= checked


def test_pages_that_are_linked_exist() -> None:
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for target in re.findall(r"\]\(([^)#:]+)(?:#[\w-]*)?\)", text):
            assert (page.parent / target).exists(), f"{page}: {target}"
            if page not in FRONT:  # the site holds nothing else
                inside = (page.parent / target).resolve().is_relative_to(ROOT / "docs")
                assert inside, f"{page}: {target} is not below docs/; name it as code"


def test_links_to_a_heading_find_it() -> None:
    for page in PAGES:
        for target, anchor in re.findall(
            r"\]\(([^)#:]*)#([\w-]+)\)", page.read_text(encoding="utf-8")
        ):
            text = (page.parent / target if target else page).read_text(encoding="utf-8")
            headings = re.findall(r"^#+ (.+)$", text, flags=re.MULTILINE)
            slugs = {re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in headings}
            assert anchor in slugs, f"{page}: {target}#{anchor}"


def test_the_readme_is_a_page() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 165


def test_every_page_is_in_the_navigation() -> None:
    navigation = (ROOT / "mkdocs.yml").read_text(encoding="utf-8").split("\nnav:\n", 1)[1]
    pages = [str(p.relative_to(ROOT / "docs")) for p in (ROOT / "docs").rglob("*.md")]
    assert [p for p in pages if not re.search(rf"[-:] {re.escape(p)}$", navigation, re.M)] == []


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
