"""docs/scale.md: its scripts parse, its job is one; all commands name a shard in one way."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from emollama.base.errors import EmollamaError
from emollama.cli.app import app
from emollama.workers.shares import lacking, shard_of, shard_or_merge

PAGE = (Path(__file__).parent.parent / "docs/scale.md").read_text(encoding="utf-8")


def blocks(kind: str) -> list[str]:
    return re.findall(rf"```{kind}\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
@pytest.mark.parametrize("script", blocks("bash"))
def test_scripts_parse(script: str) -> None:
    done = subprocess.run(["bash", "-n"], input=script, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_job_is_an_indexed_one_whose_shards_are_its_completions() -> None:
    (job,) = (yaml.safe_load(block) for block in blocks("yaml"))
    assert (job["apiVersion"], job["kind"]) == ("batch/v1", "Job")
    spec = job["spec"]
    (container,) = spec["template"]["spec"]["containers"]
    assert spec["completionMode"] == "Indexed"
    assert f"$JOB_COMPLETION_INDEX/{spec['completions']}" in container["args"][0]
    mounts = {m["name"] for m in container["volumeMounts"]}
    assert mounts == {v["name"] for v in spec["template"]["spec"]["volumes"]}


def test_every_command_that_shares_its_work_does_so_by_the_same_option() -> None:
    program: Any = typer.main.get_command(app)
    for name in ("extract", "evaluate", "predict", "score", "analyse"):
        options = {o for p in program.commands[name].entry.load().params for o in p.opts}
        assert "--shard" in options and (name == "analyse" or "--merge" in options), name


def test_what_is_no_share_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    assert [k for k in range(7) if shard_of("1/3").has(k)] == [1, 4]
    for text in ("5/4", "4/4", "-1/4", "1", "1/0", "a/b", ""):
        with pytest.raises(EmollamaError, match=rf"^--shard {text}: must be i/n with i from 0"):
            shard_of(text)
    with pytest.raises(EmollamaError, match="give one of them"):
        shard_or_merge("0/2", True)
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(EmollamaError, match="--shard: torchrun shares the work out itself"):
        shard_or_merge("0/2", False)
    said = lacking("T", "clips", {3: "d"}, ["0-of-2.csv", "1-of-3.csv"])
    assert said.endswith("shards were run with N = 2, 3: use one N")
