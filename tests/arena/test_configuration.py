"""Every mistake in the configuration is one line that names the key."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from emollama.cli import app as cli
from tests.arena.made import LABELS, clips

URL = "contestants.x.url=http://127.0.0.1:9/v1"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    here = tmp_path_factory.mktemp("arena")
    clips(here / "clips", 1)
    (here / "arena.yaml").write_text(
        f"output: {here}/out\ndata: {{manifest: {here}/clips/manifest.jsonl}}\n"
    )
    return here


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        ([], r"arena\.yaml: key 'contestants' is missing"),
        (["contestants.x.artefat=a"], r"unknown key 'contestants\.x\.artefat'; did you mean"),
        (["contestants.x.model=m"], r"contestants\.x': give 'artefact' or 'url', one of the two"),
        ([URL], r"contestants\.x': a url also needs 'model'"),
        (["contestants.x.artefact=a", "contestants.x.sends=clues"],
         r"'sends' is of an endpoint; an artefact has none"),
        (["contestants.x.artefact=a", "contestants.x.answers=label"], r"gives 'scores' or 'text'"),
        ([URL, "contestants.x.model=m", "contestants.x.measured_by=a"], r"goes with sends: clues"),
        ([URL, "contestants.x.model=m", "contestants.x.key_env=NO_SUCH_KEY"],
         r"contestants\.x\.key_env: environment variable 'NO_SUCH_KEY' is not set"),
        (["contestants.x.url=ftp://a", "contestants.x.model=m"], r"contestants\.x\.url: 'ftp://a'"),
        (["contestants.x.artefact=/no/such"], r"/no/such: is not a folder"),
        ([URL, "contestants.x.model=m", "prompts.one=Which?"], r"'one' must hold \{labels\} once"),
        ([URL, "contestants.x.model=m", "ablations=[mute,mute]"], r"ablations: one occurs twice"),
        ([URL, "contestants.x.model=m", "data.split=dev"], r"split 'dev' has no samples"),
        ([URL, "contestants.x.model=m", "data.map.gloom=sad"], r"map: 'gloom' is not a label"),
        ([URL, "contestants.x.model=m", *(f"data.map.{label}=null" for label in LABELS)],
         r"data\.map leaves no label"),
        ([URL, "contestants.x.model=m", "data.manifest=/no.jsonl"], r"/no\.jsonl: cannot be read"),
        ([URL, "contestants.x.model=m", "contestants.x.retries=0"], r"x\.url: .* does not answer"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_line(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
    overrides: list[str], said: str,
) -> None:  # fmt: skip
    monkeypatch.setattr(sys, "argv", ["emollama", "arena", str(folder / "arena.yaml"), *overrides])
    with pytest.raises(SystemExit) as stop:
        cli.main()
    told = [x for x in capsys.readouterr().err.splitlines() if "answers, x" not in x]
    assert stop.value.code == 2
    assert len(told) == 1 and told[0].startswith("error: ") and re.search(said, told[0]), told
