"""What is committed in models/people: pinned, small, with a card that its predictions make."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.people.card import CARD, card
from benchmarks.people.results import MODELS, RESULTS, SHIPPED
from emollama.assets.people import LICENCE, SUMS, check_sums

ROOT = Path(__file__).parents[2]
LARGEST = 16e6

needs_weights = pytest.mark.skipif(
    not (ROOT / SHIPPED / SUMS).is_file(), reason="models/people holds no weights here"
)
needs_predictions = pytest.mark.skipif(
    not any((ROOT / RESULTS).glob("llm-*-none.jsonl")),
    reason="results/people holds no predictions of the model that ships here",
)


def test_its_terms_lie_beside_it_and_are_told_wherever_terms_are() -> None:
    text = (ROOT / SHIPPED / "LICENSE").read_text(encoding="utf-8")
    assert LICENCE in text and "creativecommons.org/licenses/by-nc-sa/4.0/legalcode" in text
    for source in ("Livingstone", "Burkhardt", "Arifin", "contacted for commercial use"):
        assert source in text
    for page in ("README.md", "NOTICE", "docs/people_model.md", "docs/limits.md"):
        told = " ".join((ROOT / page).read_text(encoding="utf-8").split())
        assert LICENCE in told, page
        assert "covers the code alone" in told, page


@needs_weights
def test_its_files_are_pinned_and_small() -> None:
    check_sums(ROOT / SHIPPED)
    size = sum(p.stat().st_size for p in (ROOT / SHIPPED).rglob("*") if p.is_file())
    assert size <= LARGEST
    assert {p.name for p in (ROOT / SHIPPED).iterdir() if p.is_dir()} == set(MODELS)


@needs_weights
@needs_predictions
def test_its_card_is_made_again_byte_for_byte() -> None:
    text = (ROOT / SHIPPED / CARD).read_text(encoding="utf-8")
    assert text == card(ROOT / RESULTS, ROOT / SHIPPED)
