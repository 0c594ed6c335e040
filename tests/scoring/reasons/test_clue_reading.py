"""The reading of clues from free text, against 200 labelled texts that are sealed."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from benchmarks.reasons.clue_reading import table
from emollama.evaluation.known_clues import vocabulary_of
from emollama.probe.plan import Settings, plan_clip, truth
from emollama.probe.reasons import reference_reason
from emollama.probe.vocabulary import clues_in

FOLDER = Path(__file__).parent / "clue_reading"
SEALED = {
    "guide.md": "16d78df49985e4652851c850deb2945a5085ef3f9cb5ea4a938e50a8667c7523",
    "sheet.jsonl": "3ef3efa442f410aa03d8ad614909b24e19da5e7896e35540cc65f902c502661a",
    "sources.jsonl": "4c4c43a2867958c28d33966924a45e404bb6a46f52e91ef559c791e19475f8b7",
    "labels_a.jsonl": "b3645a9b69a7e2ef4afee7361ae9d56f2f44aca1ad54936ddfa345cfc94b774e",
    "labels_b.jsonl": "b3645a9b69a7e2ef4afee7361ae9d56f2f44aca1ad54936ddfa345cfc94b774e",
}
"""Committed before the reader was changed, or looked at on any of the texts."""
DOCS = Path(__file__).parents[3] / "docs" / "metrics.md"


def test_the_documented_figures_are_the_reader_s() -> None:
    rows = [line for line in table().splitlines() if line.startswith("| ")]
    page = DOCS.read_text(encoding="utf-8")
    assert len(rows) > 3 and not [row for row in rows[1:] if row not in page]


def test_the_probe_s_own_reasons_are_read_as_they_were_composed() -> None:
    vocabulary = vocabulary_of("probe")
    assert vocabulary is not None
    settings = Settings(seed=7)
    for index in range(120):
        plan = plan_clip(settings, "test", index)
        reason = reference_reason(truth(plan, settings), plan.intended, plan.drawing)
        assert vocabulary.named_in(reason) == clues_in(reason), reason
    assert vocabulary.named_in("She does not smile, and her brows are not raised.") == set()


@pytest.mark.parametrize("name", SEALED)
def test_the_labelled_texts_are_sealed(name: str) -> None:
    assert hashlib.sha256((FOLDER / name).read_bytes()).hexdigest() == SEALED[name]
