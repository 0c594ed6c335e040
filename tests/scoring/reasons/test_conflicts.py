"""Conflicts of people: films with another take's voice, and the documented figures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.reasons.conflicts import ravdess, table
from benchmarks.reasons.swapped import SWAPPED, make, partner
from emollama.base.errors import EmollamaError
from emollama.manifest.sample import read_manifest
from emollama.media.decode import decode_clip
from emollama.probe.render import write_film
from emollama.scoring.report.tables import table_markdown

DOCS = Path(__file__).parents[3] / "docs" / "results.md"


def test_a_swapped_film_has_one_take_s_picture_and_another_s_voice(tmp_path: Path) -> None:
    root, out = tmp_path / "corpus", tmp_path / "out"
    root.mkdir()
    for k in range(1, 7):
        still = np.full((32, 32, 3), 40 * k, np.uint8)
        tone = np.sin(np.arange(16_000) * 0.05 * k).astype(np.float32) / k
        write_film(root / f"08-01-{k:02d}_01.mp4", [still] * 25, tone, 16_000)
    manifest = read_manifest(make(root, out))
    assert len(manifest.split(SWAPPED)) == 6
    for sample in manifest.split(SWAPPED):
        seen, heard = sample.id[:11], sample.id[12:]
        assert heard == partner(seen) != seen and heard[:6] == seen[:6]
        assert sample.truth["voice"] != sample.truth["face"]
        film, face, voice = (
            decode_clip(path)
            for path in (Path(str(sample.video)), root / f"{seen}.mp4", root / f"{heard}.mp4")
        )
        assert film.frames is not None and face.frames is not None
        assert np.array_equal(film.frames.images, face.frames.images)
        assert np.array_equal(film.audio, voice.audio)
    with pytest.raises(EmollamaError, match="lies in the corpus"):
        make(root, root / "out")


def test_the_documented_figures_follow_from_the_committed_answers() -> None:
    page = DOCS.read_text(encoding="utf-8")
    rows = table_markdown(table("RAVDESS", *ravdess())).splitlines()
    assert len(rows) == 4 and not [row for row in rows if row not in page]
