"""Every Python block of the README and the pages runs as it stands there.

The blocks of a page share a namespace, and run in a folder that looks like one after the
quickstart, at tiny size: a language model of two layers in `runs/quickstart/model`, a tone in
`CLIP.mp4`, features of one clip in `runs/probe-features`, and the committed `results`.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from emollama.base.config import load_config
from emollama.encoders.prosody import ProsodyEncoder
from emollama.encoders.table import ENCODERS
from emollama.features.extract import extract
from emollama.fusion.systems.table import SYSTEMS
from emollama.fusion.training.config import FusionTrainConfig
from emollama.manifest.sample import Sample
from emollama.scoring.metrics.registry import METRICS
from tests.features.made import manifest, voice
from tests.session.made import tiny_artefact

ROOT = Path(__file__).parent.parent
BLOCK = re.compile(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)
ELSEWHERE = {
    "docs/serving.md": "tests/serving/test_page.py",
    "docs/people.md": "tests/session/test_people_commands.py",
}
"""Pages whose blocks another test runs: they need a server, or a model that measures people."""


def blocks() -> dict[str, list[str]]:
    pages = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
    found = {str(p.relative_to(ROOT)): BLOCK.findall(p.read_text(encoding="utf-8")) for p in pages}
    return {page: code for page, code in found.items() if code}


PAGES = sorted(set(blocks()) - set(ELSEWHERE))


@pytest.fixture(scope="module")
def after_quickstart(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("docs")
    model = tiny_artefact(folder / "made")
    (folder / "runs/quickstart").mkdir(parents=True)
    shutil.move(model, folder / "runs/quickstart/model")
    voice(folder / "CLIP.mp4", 180, 1.2)
    corpus = manifest(folder, [Sample(id="test-0000", video="CLIP.mp4")])
    extract(corpus, [ProsodyEncoder()], folder / "runs/probe-features", workers=1)
    (folder / "results").symlink_to(ROOT / "results")
    return folder


@pytest.fixture
def tables() -> Iterator[None]:
    """What an example enters into a table is taken out again."""
    kept = [(table, dict(table)) for table in (ENCODERS, METRICS, SYSTEMS)]
    yield
    for table, entries in kept:
        table.clear()
        table.update(entries)  # type: ignore[arg-type]  each table has its own entries


def test_there_are_examples_for_all_that_can_be_added() -> None:
    assert {
        "README.md",
        "docs/python.md",
        *(f"docs/extend/{n}.md" for n in ("corpus", "encoder", "fusion_system", "metric")),
    } <= set(PAGES)
    for page, test in ELSEWHERE.items():
        assert Path(page).name in (ROOT / test).read_text(encoding="utf-8")


@pytest.mark.usefixtures("tables")
@pytest.mark.parametrize("page", PAGES)
def test_the_blocks_of_a_page_run(
    page: str,
    after_quickstart: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(after_quickstart)
    namespace: dict[str, Any] = {"__name__": "__main__"}
    for number, code in enumerate(blocks()[page], 1):
        exec(compile(code, f"{page}, block {number}", "exec"), namespace)
    assert capsys.readouterr().out.strip()


@pytest.mark.usefixtures("tables")
def test_the_configuration_of_an_added_fusion_system_is_one(tmp_path: Path) -> None:
    page = "docs/extend/fusion_system.md"
    exec(blocks()[page][0], {"__name__": "__main__"})
    (block,) = re.findall(r"^```yaml\n(.*?)^```", (ROOT / page).read_text("utf-8"), re.S | re.M)
    (tmp_path / "gated.yaml").write_text(block, encoding="utf-8")
    config = load_config(FusionTrainConfig, tmp_path / "gated.yaml", [])
    assert config.fusion.system == "gated" and config.fusion.options == {"hidden": 32}


def test_blocks_in_lists_are_found_too() -> None:
    for page in (ROOT / "docs").rglob("*.md"):
        text = page.read_text(encoding="utf-8")
        assert len(re.findall(r"```\s*python\b", text)) == len(BLOCK.findall(text)), page.name
