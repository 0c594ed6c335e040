"""The pages' commands of `annotate` exist with their options, and every setting is told."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import typer
from pydantic import BaseModel

from emollama.merr.cli import _clips_first, app, spread
from emollama.merr.settings import DEFAULTS, ModelSection, Settings, load_settings
from emollama.merr.stages import STAGES

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "merr.md").read_text(encoding="utf-8")


def commands() -> list[list[str]]:
    """Words after `emollama annotate` or `-m merr` of each command in the pages' code blocks."""
    found = []
    for page in (PAGE, (ROOT / "README.md").read_text(encoding="utf-8")):
        for block in re.findall(r"```bash\n(.*?)```", page, re.DOTALL):
            for line in block.replace("\\\n", " ").splitlines():
                words = shlex.split(line, comments=True)
                for before, word in (("emollama", "annotate"), ("-m", "merr")):
                    if word in words and words[words.index(word) - 1] == before:
                        found.append(words[words.index(word) + 1 :])
    return found


def test_commands_in_the_pages_can_be_given() -> None:
    group: Any = typer.main.get_command(app)
    seen = set()
    for words in commands():
        command = group.commands[words[0]]
        given = command.make_context(words[0], spread(words[1:])).params
        _, overrides = _clips_first(given.get("words") or given.get("overrides") or [])
        load_settings(DEFAULTS, [*(given.get("options") or []), *overrides])
        seen.add(words[0])
    assert {"build", "clips", "measure", "merge", "report"} <= seen


def test_every_setting_and_stage_is_told() -> None:
    section = PAGE.split("## Settings\n", 1)[1].split("\n## ", 1)[0]
    told = set(re.findall(r"`\.?(?:\w+\.)?(\w+)`", section))
    for name, field in Settings.model_fields.items():
        kind: Any = field.annotation
        inner = issubclass(kind, BaseModel) if isinstance(kind, type) else False
        names = kind.model_fields if inner and kind is not ModelSection else [name]
        assert told.issuperset(names), name
    assert told.issuperset(ModelSection.model_fields)
    rows = re.findall(r"^\| `(\w+)` \| [^|]+ \| [^|]+ \| [^|]+ \|$", PAGE, re.MULTILINE)
    assert [row for row in rows if row in STAGES] == list(STAGES)
