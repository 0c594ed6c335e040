"""What an endpoint is sent, as it declares."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

from emollama.arena.run import run_arena
from tests.arena.made import arena, clips
from tests.merr.standin import stand_in
from tests.session.made import tiny_artefact


def parts(body: dict[str, Any]) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for part in body["messages"][0]["content"]:
        found.setdefault(part["type"], []).append(part[part["type"]])
    return found


def test_a_film_frames_or_clues(tmp_path: Path) -> None:
    manifest = clips(tmp_path / "clips", 1)
    artefact = tiny_artefact(tmp_path / "tiny")
    with stand_in(lambda text, count: "text:sad") as server:
        kinds: dict[str, dict[str, Any]] = {
            "film": {"words": "none"},
            "frames": {"sends": "frames+sound", "frames": 3, "words": "field"},
            "clues": {"sends": "clues", "measured_by": artefact},
        }
        everybody = {n: {"url": server.url, "model": n, **more} for n, more in kinds.items()}
        config = arena(
            manifest, tmp_path / "out", everybody, orders=1, ablations=["mute"],
            prompts={"one": "Which? {labels}"},
        )  # fmt: skip
        result = run_arena(config)
    sent: dict[str, list[Any]] = {}
    for body in sorted(server.bodies, key=lambda body: -len(str(body))):  # the whole clip first
        sent.setdefault(body["model"], []).append((parts(body), body))
    assert {row["labels"] for row in result["contestants"]} == {2}
    (film, _), (muted, _) = sent["film"]
    urls = [found["video_url"][0]["url"].removeprefix("data:video/mp4;base64,")
            for found in (film, muted)]  # fmt: skip
    assert base64.b64decode(urls[0]) == (tmp_path / "clips/0.mp4").read_bytes()
    assert urls[0] != urls[1] and film["text"][0].startswith("Which? ")
    (frames, body), (mute, _) = sent["frames"]
    assert len(frames["image_url"]) == len(mute["image_url"]) == 3
    assert body["text"] == "Sentence 0." and "Sentence" not in frames["text"][0]
    assert "input_audio" in frames and "input_audio" not in mute
    (clues, _), (silent, _) = sent["clues"]
    assert set(clues) == set(silent) == {"text"}
    assert "measured in the voice, compared with the training corpus: " in clues["text"][0]
    assert "the voice" not in silent["text"][0]
    for found in (clues, silent):
        assert 'The person says: "Sentence 0."\nWhich? ' in found["text"][0]
