"""Our own server through the endpoint gives what the model gives in this process."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from emollama.arena.run import ANSWERS, run_arena
from emollama.serving.settings import Settings
from emollama.session import open_session
from tests.arena.made import arena, clips
from tests.serving.running import running
from tests.session.made import tiny_artefact


def test_scores_are_the_same_through_the_server(tmp_path: Path) -> None:
    artefact = tiny_artefact(tmp_path / "tiny")
    manifest = clips(tmp_path / "clips", 1)
    session = open_session(artefact, "float32", describe=False)
    settings = Settings(port=0, watchers=1, max_seconds=20)
    with running(session, tmp_path / "uploads", settings) as server:
        contestants = {
            "here": {"artefact": artefact, "dtype": "float32"},
            "there": {
                "url": f"{server.address}/v1", "model": session.name, "answers": "scores",
                "words": "field", "concurrency": 2,
            },
        }  # fmt: skip
        config = arena(manifest, tmp_path / "out", contestants, ablations=["mute", "wordless"])
        result = run_arena(config)
    rows = [json.loads(line) for line in (tmp_path / "out" / ANSWERS).read_text().splitlines()]
    found: dict[str, dict[tuple[str, str, int, str], dict[str, float]]] = {"here": {}, "there": {}}
    for row in rows:
        place = row["id"], row["prompt"], row["order"], row["ablation"]
        scores = row["scores"] if row["text"] is None else json.loads(row["text"])["scores"]
        found[row["contestant"]][place] = scores
    assert len(found["here"]) == len(found["there"]) == 5
    for place, scores in found["here"].items():
        assert found["there"][place] == pytest.approx(scores, abs=1e-6), place
    named = {row["name"]: row for row in result["contestants"]}
    for key in ("scores", "wording", "order", "places", "ablations"):
        assert named["here"][key] == named["there"][key]
    assert len({round(s["happy"], 6) for s in found["here"].values()}) > 2  # something changes
