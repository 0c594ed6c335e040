"""The notebook's cells run, at tiny size; what is committed was executed and is small."""

from __future__ import annotations

import json
import runpy
from pathlib import Path
from typing import Any

import pytest

from emollama.manifest.labels import get_label_set
from emollama.manifest.sample import Sample, Targets, write_manifest
from emollama.probe import Settings
from emollama.probe.plan import plan_clip
from emollama.probe.render import render_clip
from emollama.probe.voice import Speaker
from tests.session.made import tiny_artefact

NOTEBOOKS = Path(__file__).parent.parent / "docs" / "notebooks"
NOTEBOOK = NOTEBOOKS / "clip_to_answer.ipynb"


def read() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    return found


def code_cells(notebook: dict[str, Any]) -> list[dict[str, Any]]:
    return [c for c in notebook["cells"] if c["cell_type"] == "code"]


def test_the_committed_notebook_was_executed_in_order_and_is_small() -> None:
    cells = code_cells(read())
    assert [c["execution_count"] for c in cells] == list(range(1, len(cells) + 1))
    assert sum(bool(c["outputs"]) for c in cells) >= len(cells) - 1  # all but the paths
    kinds = {o["output_type"] for c in cells for o in c["outputs"]}
    assert kinds == {"stream", "display_data"}  # no error
    assert NOTEBOOK.stat().st_size < 500_000
    assert str(NOTEBOOKS.parents[1]) not in NOTEBOOK.read_text(encoding="utf-8")


@pytest.fixture
def parameters(tmp_path: Path) -> str:
    """The cell of paths, for a tiny model and one rendered clip."""
    plan = plan_clip(Settings(23), "test", 0)
    with Speaker() as speaker:
        render_clip(plan, speaker, tmp_path / "clip.mp4")
    sample = Sample(
        id="test-0000", video="clip.mp4", text=plan.casting.sentence.text, split="test",
        targets=Targets(emotion="happy"),
        truth={"voice": plan.voice, "face": plan.face, "words": plan.words,
               "face_units": {"AU4": 0.5}, "prosody": {"pitch": "high"}},
    )  # fmt: skip
    write_manifest(tmp_path / "manifest.jsonl", "probe", get_label_set("mer2023"), [sample])
    return (
        "from pathlib import Path\n"
        f"MODEL = Path({str(tiny_artefact(tmp_path))!r})\n"
        f"MANIFEST = Path({str(tmp_path / 'manifest.jsonl')!r})\n"
        "CLIP = 'test-0000'\n"
    )


def test_the_cells_run(parameters: str) -> None:
    run = runpy.run_path(str(NOTEBOOKS / "execute.py"))["run"]
    notebook = read()
    names = run(notebook, parameters)
    assert 0.99 < sum(names["answer"].scores.values()) < 1.01
    pictures = [o for c in code_cells(notebook) for o in c["outputs"] if "data" in o]
    assert len(pictures) == 2
